"""Prints words below a picture, for benchmarks that have versions in which the picture holds what others say in text.

Capital letters and digits of the mini world's font; what it has no sign for is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from harness.world import ALPHABET
from harness.world.font import ROWS, text_width, write

_SCALE: Final = 2
_SIDE_PX: Final = 4
_PITCH_PX: Final = ROWS * _SCALE + 6
_WIDTH_PX: Final = 192


def printed(image: Image.Image, *paragraphs: str) -> Image.Image:
    """Return the picture on white with the paragraphs below it, each wrapped into lines.

    The result is RGB, as wide as the picture or 192 px, whichever is more.
    """
    width = max(image.width, _WIDTH_PX)
    lines = [line for paragraph in paragraphs for line in _lines(_spelt(paragraph), width - 2 * _SIDE_PX)]
    canvas = np.full((image.height + _PITCH_PX * len(lines) + _SIDE_PX, width, 3), 255, dtype=np.uint8)
    canvas[: image.height, : image.width] = np.asarray(image.convert("RGB"))
    for number, line in enumerate(lines):
        write(canvas, line, _SIDE_PX, image.height + _SIDE_PX + number * _PITCH_PX, _SCALE, (0, 0, 0))
    return Image.fromarray(canvas)


def _spelt(text: str) -> list[str]:
    signs = ("".join(sign for sign in word if sign in ALPHABET) for word in text.upper().split())
    return [word for word in signs if word]


def _lines(words: Sequence[str], width: int) -> list[str]:
    """Fill lines with words; one that is too long for a line stands alone and is cut."""
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, _SCALE) <= width:
            lines[-1] = longer
        else:
            while text_width(word, _SCALE) > width:
                word = word[:-1]
            lines.append(word)
    return lines
