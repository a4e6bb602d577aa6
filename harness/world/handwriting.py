"""Draws real handwritten digits: the 1,797 of scikit-learn's ``load_digits`` (UCI optical recognition of digits, 8 x 8).

Every digit image belongs to one split by the hash of its index, about one in four to evaluation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.world.dice import Dice, split_of
from harness.world.facts import Box, Digits, Glyph
from harness.world.font import ROWS, text_width, write
from harness.world.ground import INKS, SIDE_PX, Canvas, ground, to_image
from harness.world.palette import Rgb, Split

_BRIGHTEST: Final = 16
_PLUS_SCALE: Final = 3


@lru_cache(maxsize=1)
def _scans() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the digit images as ink from 0 to 255 [n, 8, 8], and what each shows [n]."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * (255 / _BRIGHTEST)).astype(np.uint8), digits.target.astype(np.int64)


@lru_cache(maxsize=2)
def sources(split: Split) -> tuple[tuple[int, ...], ...]:
    """Return, for each of the ten digits, the indices of its images in the split."""
    _, shows = _scans()
    return tuple(tuple(int(i) for i in np.flatnonzero(shows == digit) if split_of(f"digit {i}") == split) for digit in range(10))


def _write_digit(canvas: Canvas, source: int, box: Box, ink: Rgb) -> None:
    scan = Image.fromarray(_scans()[0][source]).resize((box.width, box.height), Image.Resampling.BILINEAR)
    cover = np.asarray(scan, dtype=np.int32)[:, :, None]
    area = canvas[box.y0 : box.y1, box.x0 : box.x1]
    area[:] = (area * (255 - cover) + np.array(ink, dtype=np.int32) * cover) // 255


def draw_digits(dice: Dice, split: Split) -> Digits:
    """Draw a number of one or two digits, or the sum of two one-digit numbers."""
    canvas = ground(dice)
    ink, style = dice.pick(INKS), dice.below(3)
    numbers: tuple[int, ...] = (dice.below(10), dice.below(10)) if style == 2 else (dice.below(10) if style == 0 else
                                                                                    dice.between(10, 99),)  # fmt: skip
    side = dice.pick((28, 32)) if style == 2 else dice.pick((32, 40))
    sign_px = text_width("+", _PLUS_SCALE) + 6 if style == 2 else 0
    width = side * sum(len(str(number)) for number in numbers) + sign_px
    x, y = dice.between(1, SIDE_PX - width - 1), dice.between(1, SIDE_PX - side - 1)
    boxes: list[Box] = []
    glyphs: list[Glyph] = []
    used: list[int] = []
    for i, number in enumerate(numbers):
        if i:
            glyphs += write(canvas, "+", x + 3, y + (side - ROWS * _PLUS_SCALE) // 2, _PLUS_SCALE, ink)
            x += sign_px
        start = x
        for char in str(number):
            source = dice.pick(sources(split)[int(char)])
            box = Box(x, y, x + side, y + side)
            _write_digit(canvas, source, box, ink)
            glyphs.append(Glyph(char, box))
            used.append(source)
            x += side
        boxes.append(Box(start, y, x, y + side))
    return Digits(
        image=to_image(canvas),
        numbers=numbers,
        operator="+" if style == 2 else None,
        boxes=tuple(boxes),
        glyphs=tuple(glyphs),
        sources=tuple(used),
    )
