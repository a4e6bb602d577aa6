"""A bitmap font of 5 x 7 dots, drawn at integer magnifications, so that pictures depend on no font file or library.

Capital letters, digits and a little punctuation; the zero is slashed and the I has serifs, so that no two signs look alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.world.facts import Box, Glyph
from harness.world.palette import Rgb

# One byte a column from left to right, lowest bit on top: the layout of the character displays this style comes from.
_COLUMNS: Final[dict[str, str]] = {
    "0": "3E5149453E", "1": "00427F4000", "2": "4261514946", "3": "2141454B31", "4": "1814127F10",
    "5": "2745454539", "6": "3C4A494930", "7": "0171090503", "8": "3649494936", "9": "064949291E",
    "A": "7E1111117E", "B": "7F49494936", "C": "3E41414122", "D": "7F4141221C", "E": "7F49494941",
    "F": "7F09090901", "G": "3E4149497A", "H": "7F0808087F", "I": "00417F4100", "J": "2040413F01",
    "K": "7F08142241", "L": "7F40404040", "M": "7F020C027F", "N": "7F0408107F", "O": "3E4141413E",
    "P": "7F09090906", "Q": "3E4151215E", "R": "7F09192946", "S": "4649494931", "T": "01017F0101",
    "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463", "Y": "0708700807",
    "Z": "6151494543", "+": "08083E0808", "-": "0808080808", ":": "3636", "=": "1414141414",
}  # fmt: skip

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+-:="
"""All characters that can be printed; dense labels number them from 1 in this order."""

ROWS: Final = 7
"""Dots of height."""

_SPACE_COLUMNS: Final = 3


def _columns(char: str) -> bytes:
    """Return the columns of a character; a space has three empty ones."""
    if char == " ":
        return bytes(_SPACE_COLUMNS)
    if char not in _COLUMNS:
        raise ValueError(f"the mini world's font has no {char!r}; it knows {ALPHABET}")
    return bytes.fromhex(_COLUMNS[char])


@lru_cache(maxsize=512)
def _mask(char: str, scale: int) -> NDArray[np.bool_]:
    """Return the dots of a character, magnified: [7 * scale, columns * scale]."""
    columns = _columns(char)
    dots = np.array([[bool(column >> row & 1) for column in columns] for row in range(ROWS)])
    return dots.repeat(scale, axis=0).repeat(scale, axis=1)


def text_width(text: str, scale: int) -> int:
    """Return the width in pixels of a line of text; between characters is a gap of one pixel fewer than two dots."""
    return sum(_advance(char, scale) for char in text) - gap(scale) if text else 0


def gap(scale: int) -> int:
    """Return the pixels between two characters."""
    return max(1, scale // 2)


def _advance(char: str, scale: int) -> int:
    return len(_columns(char)) * scale + gap(scale)


def write(canvas: NDArray[np.uint8], text: str, x: int, y: int, scale: int, ink: Rgb) -> tuple[Glyph, ...]:
    """Draw a line of text with its top left corner at (x, y) and return its glyphs (spaces have none).

    ``canvas`` is [height, width, 3] and changed in place. Raises ValueError if the text does not fit on it.
    """
    if x < 0 or y < 0 or x + text_width(text, scale) > canvas.shape[1] or y + ROWS * scale > canvas.shape[0]:
        raise ValueError(f"{text!r} at ({x}, {y}), scale {scale}, does not fit on {canvas.shape[1]}x{canvas.shape[0]} px")
    glyphs: list[Glyph] = []
    colour: NDArray[Any] = np.array(ink, dtype=np.uint8)
    for char in text:
        if char != " ":
            mask = _mask(char, scale)
            height, width = mask.shape
            canvas[y : y + height, x : x + width][mask] = colour
            glyphs.append(Glyph(char, Box(x, y, x + width, y + height)))
        x += _advance(char, scale)
    return tuple(glyphs)
