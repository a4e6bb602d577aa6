"""What is true of a drawn picture: its things, words, fields, bars and glyphs, with their boxes in pixels.

Everything a question could be about stands here, so that no reader ever has to look at pixels for an answer. Boxes are
half-open: ``x1`` and ``y1`` are the first column and row outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PIL import Image

Direction = Literal["left", "right", "up", "down"]
Size = Literal["small", "large"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels, origin at the top left, right and bottom edge excluded."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Columns covered."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows covered."""
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        """The middle as (x, y) in pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def meets(self, other: Box, gap: int = 0) -> bool:
        """Whether the two come closer than ``gap`` pixels."""
        return self.x0 < other.x1 + gap and other.x0 < self.x1 + gap and self.y0 < other.y1 + gap and other.y0 < self.y1 + gap


@dataclass(frozen=True, slots=True)
class Glyph:
    """One printed or handwritten character and the box of its cell."""

    char: str
    box: Box


@dataclass(frozen=True, slots=True)
class Thing:
    """A coloured shape."""

    shape: str
    colour: str
    size: Size
    box: Box


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One to five things on a light ground; no two share shape, colour and size, none overlap."""

    image: Image.Image
    things: tuple[Thing, ...]


@dataclass(frozen=True, kw_only=True)
class Sign:
    """One printed word."""

    image: Image.Image
    word: str
    box: Box
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A ``NAME: VALUE`` line of a page; ``box`` is that of the value."""

    name: str
    value: str
    box: Box


@dataclass(frozen=True, kw_only=True)
class Page:
    """A small form. ``title`` is empty where the page has none."""

    image: Image.Image
    title: str
    fields: tuple[Field, ...]
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart; ``box`` is that of the coloured area, ``printed`` says whether its value is written above it."""

    name: str
    value: int
    colour: str
    box: Box
    printed: bool


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A vertical bar chart with a scale in units of one; names, colours and values each occur once."""

    image: Image.Image
    bars: tuple[Bar, ...]
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: ``rows[i][j]`` is the cell below ``columns[j]`` in the row named ``names[i]``; boxes are those of the cells."""

    image: Image.Image
    columns: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[tuple[Box, ...], ...]
    glyphs: tuple[Glyph, ...]


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Handwritten digits: one number (``operator`` is None), or two with ``+`` between them.

    ``boxes`` holds one box a number, ``sources`` the indices of the digit images in scikit-learn's ``load_digits``.
    """

    image: Image.Image
    numbers: tuple[int, ...]
    operator: str | None
    boxes: tuple[Box, ...]
    glyphs: tuple[Glyph, ...]
    sources: tuple[int, ...]

    @property
    def result(self) -> int:
        """The number itself, or the sum of the two."""
        return sum(self.numbers)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A few frames in which ``thing`` moves and ``others`` stand still.

    ``thing.box`` is that of the first frame, ``path`` holds its box in every frame; ``image`` is the first frame.
    """

    frames: tuple[Image.Image, ...]
    thing: Thing
    others: tuple[Thing, ...]
    direction: Direction
    path: tuple[Box, ...]
    fps: int

    @property
    def image(self) -> Image.Image:
        """The first frame, for readers that treat all worlds as pictures."""
        return self.frames[0]


World = Scene | Sign | Page | Chart | Table | Digits | Clip
