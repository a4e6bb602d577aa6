"""The frames and forms in which boxes are written: pixels, fractions, thousandths, the padded square, corner and size.

Which frame a number is in is named, by a task's convention or by what a model declares; nothing here guesses it from the
numbers, because 0 to 1000 and pixels overlap and a wrong guess costs half of a benchmark. Not here: reading boxes from text
(`harness.parsers.box`) and comparing them (`harness.metrics.grounding`). Plain floats, so that nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from harness.errors import ConfigError

Box = tuple[float, float, float, float]
"""Corners ``x1, y1, x2, y2``."""

Frame = Literal["pixels", "unit", "thousandths", "thousandths_999", "square"]
"""What box coordinates count:

    pixels           pixels of the picture
    unit             fractions of width and height
    thousandths      fractions times 1000 (Qwen-VL and others)
    thousandths_999  fractions times 999 (Qwen-VL's own RefCOCO script)
    square           fractions of the side of the picture padded to a square, centred, as SPHINX sees it
"""

_SCALE = {"unit": 1.0, "thousandths": 1000.0, "thousandths_999": 999.0}


def to_pixels(box: Sequence[float], frame: Frame, width: int, height: int) -> Box:
    """Convert corners from a named frame to pixels of a picture of ``width`` x ``height``; nothing is sorted or clipped.

    Raises:
        ConfigError: the frame is unknown.

    >>> to_pixels((0.5, 0.25, 1.0, 0.75), "square", 640, 480)
    (320.0, 80.0, 640.0, 400.0)
    """
    x1, y1, x2, y2 = pairs_to_pixels(box, frame, width, height)
    return x1, y1, x2, y2


def from_pixels(box: Sequence[float], frame: Frame, width: int, height: int) -> Box:
    """Convert corners from pixels to a named frame, the inverse of `to_pixels`.

    >>> from_pixels((320, 80, 640, 400), "square", 640, 480)
    (0.5, 0.25, 1.0, 0.75)
    """
    x1, y1, x2, y2 = pairs_from_pixels(box, frame, width, height)
    return x1, y1, x2, y2


def pairs_to_pixels(pairs: Sequence[float], frame: Frame, width: int, height: int) -> tuple[float, ...]:
    """`to_pixels` of any number of points ``x, y, x, y, ...`` in a flat list.

    >>> pairs_to_pixels((0.5, 0.25), "square", 640, 480)
    (320.0, 80.0)
    """
    if frame == "pixels":
        return tuple(pairs)
    if frame == "square":
        side, margins = max(width, height), padding(width, height)
        return tuple(value * side - margins[place % 2] for place, value in enumerate(pairs))
    scale, sides = _scale(frame), (width, height)
    return tuple(value / scale * sides[place % 2] for place, value in enumerate(pairs))


def pairs_from_pixels(pairs: Sequence[float], frame: Frame, width: int, height: int) -> tuple[float, ...]:
    """The inverse of `pairs_to_pixels`."""
    if frame == "pixels":
        return tuple(pairs)
    if frame == "square":
        side, margins = max(width, height), padding(width, height)
        return tuple((value + margins[place % 2]) / side for place, value in enumerate(pairs))
    scale, sides = _scale(frame), (width, height)
    return tuple(value * scale / sides[place % 2] for place, value in enumerate(pairs))


def padding(width: int, height: int) -> tuple[int, int]:
    """Return how many pixels stand left of and above a picture that is centred in its square (rounded down).

    Source: ``PadToSquare`` in Alpha-VLLM/LLaMA2-Accessory@3777c43, ``accessory/eval_mm/inference_image_sphinx.py``.
    """
    return max(height - width, 0) // 2, max(width - height, 0) // 2


def corners(box: Sequence[float]) -> Box:
    """Convert ``x, y, width, height`` (COCO) to corners.

    >>> corners((10, 20, 30, 40))
    (10, 20, 40, 60)
    """
    x, y, width, height = box
    return x, y, x + width, y + height


def corner_and_size(box: Sequence[float]) -> Box:
    """Convert corners to ``x, y, width, height`` (COCO)."""
    x1, y1, x2, y2 = box
    return x1, y1, x2 - x1, y2 - y1


def write(box: Sequence[float]) -> str:
    """Write corners the way `harness.types.Sample.references` holds them, twelve decimals at most.

    That drops what adding x and width leaves behind (121.84000000000003), and is far below what a score can show.

    >>> write((14.67, 133.5600001, 121.84000000000003, 470.0))
    '14.67,133.5600001,121.84,470'
    """
    return ",".join(f"{value:.12f}".rstrip("0").rstrip(".") for value in box)


def read(text: str) -> Box:
    """Read what `write` wrote. Raises `ValueError` if it is not four numbers."""
    x1, y1, x2, y2 = map(float, text.split(","))
    return x1, y1, x2, y2


def _scale(frame: str) -> float:
    if frame not in _SCALE:
        raise ConfigError(f"box frame {frame!r} is unknown (known: {', '.join(get_args(Frame))})")
    return _SCALE[frame]
