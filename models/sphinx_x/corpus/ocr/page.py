"""What is printed on one page: words, lines and blocks in reading order, with boxes, beside its figures.

All boxes are corners in pixels of the page's picture. Not here: where they come from (``extract``) and their order (``reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.boxes import Box


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without a space."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Line:
    """Words side by side. ``size`` is the height of the print in pixels, ``block`` the file's own paragraph number."""

    words: tuple[Word, ...]
    size: float
    block: int

    @property
    def text(self) -> str:
        """The words with single spaces between them."""
        return " ".join(word.text for word in self.words)

    @property
    def box(self) -> Box:
        """Smallest box around the words."""
        return around([word.box for word in self.words])


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together, such as a paragraph."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines below one another."""
        return "\n".join(line.text for line in self.lines)

    @property
    def box(self) -> Box:
        """Smallest box around the lines."""
        return around([line.box for line in self.lines])


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page in reading order.

    Attributes:
        width: of the picture in pixels.
        height: of the picture in pixels.
        blocks: in reading order, each with its lines in reading order.
        figures: boxes of pictures and large drawings.
        lost: characters that the file holds but the picture does not show upright (hidden, covered or turned print).
    """

    width: int
    height: int
    blocks: tuple[Block, ...]
    figures: tuple[Box, ...] = ()
    lost: int = 0

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in reading order."""
        return tuple(line for block in self.blocks for line in block.lines)

    @property
    def text(self) -> str:
        """The whole page, a printed line a line."""
        return "\n".join(block.text for block in self.blocks)

    def layout(self) -> dict[str, Any]:
        """Return blocks, lines and words with boxes in tenths of a pixel, as JSON holds them."""
        return {
            "width": self.width,
            "height": self.height,
            "blocks": [{"box": _short(block.box), "lines": [_layout(line) for line in block.lines]} for block in self.blocks],
            "figures": [_short(box) for box in self.figures],
        }


def around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around ``boxes`` (at least one)."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def area(box: Box) -> float:
    """Return the area of a box, 0 for one that is turned inside out."""
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def clipped(box: Box, width: float, height: float) -> Box:
    """Return the part of a box inside of a picture."""
    x1, y1, x2, y2 = box
    return min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height)


def _layout(line: Line) -> dict[str, Any]:
    words = [[word.text, *_short(word.box)] for word in line.words]
    return {"text": line.text, "box": _short(line.box), "words": words}


def _short(box: Box) -> list[float]:
    return [round(value, 1) for value in box]
