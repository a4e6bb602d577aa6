"""Boxes to draw over a picture: references and the answer, in the picture's pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from harness.boxes import Frame, to_pixels
from reports.load import SampleRow

_EDGE = r"\s*(-?(?:\d+\.?\d*|\.\d+))\s*"
_BOX = re.compile(",".join([_EDGE] * 4))


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle over a picture in its pixels; ``kind`` is ``reference``, ``prediction`` or ``beside`` (another model's)."""

    kind: str
    x: float
    y: float
    width: float
    height: float

    def meets(self, width: int, height: int) -> bool:
        """Whether any of it lies on a picture of this size; one far outside would only stretch the drawing."""
        return self.x < width and self.y < height and self.x + self.width > 0 and self.y + self.height > 0


Boxes = Callable[[int, int], tuple[Box, ...]]
"""The boxes to draw over a picture of a width and a height."""


def boxes_of(row: SampleRow, frame: str, beside: SampleRow | None = None, other_frame: str = "") -> Boxes:
    """Return a function from a picture's size to the boxes of a sample: references in pixels, each answer in its frame.

    Only a sample whose references are all boxes has any.
    """
    references = [_BOX.fullmatch(reference) for reference in row.references]

    def on(width: int, height: int) -> tuple[Box, ...]:
        if not references or not all(references):
            return ()
        known = [_box("reference", [float(edge) for edge in match.groups()]) for match in references if match]
        known += _answer("prediction", row, frame, width, height)
        if beside is not None:
            known += _answer("beside", beside, other_frame, width, height)
        return tuple(box for box in known if box.meets(width, height))

    return on


def _answer(kind: str, row: SampleRow, frame: str, width: int, height: int) -> list[Box]:
    answer = row.prediction
    if frame in get_args(Frame) and isinstance(answer, list) and len(answer) == 4 and all(map(_is_number, answer)):
        return [_box(kind, to_pixels(answer, cast(Frame, frame), width, height))]
    return []


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 where both are empty."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0.0, across) * max(0.0, down)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e9


def _box(kind: str, corners: Sequence[float]) -> Box:
    left, top, right, bottom = (round(float(corner), 2) for corner in corners)
    return Box(kind=kind, x=min(left, right), y=min(top, bottom), width=abs(right - left), height=abs(bottom - top))
