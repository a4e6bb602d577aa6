"""Light backgrounds: plain, shaded, or with a faint pattern, so that "the colour that is not white" is not a shortcut."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.world.dice import Dice
from harness.world.facts import Box
from harness.world.palette import COLOURS, MORE_COLOURS, Rgb

Canvas = NDArray[np.uint8]

SIDE_PX: Final = 96

_RGB: Final = {**COLOURS, **MORE_COLOURS}

INKS: Final[tuple[Rgb, ...]] = ((20, 20, 24), (30, 30, 110), (110, 20, 30), (20, 80, 40))
"""Dark colours of printed text."""


def ground(dice: Dice, width: int = SIDE_PX, height: int = SIDE_PX) -> Canvas:
    """Return an empty canvas [height, width, 3], every channel at least 216."""
    base = [dice.between(232, 255) for _ in range(3)]
    canvas = np.empty((height, width, 3), dtype=np.uint8)
    canvas[:] = base
    style = dice.below(5)
    if style == 2:  # a soft slope from top to bottom
        canvas -= np.linspace(0, 16, height).astype(np.uint8)[:, None, None]
    elif style == 3:  # faint stripes
        step = dice.between(6, 14)
        canvas[(np.arange(height) // step) % 2 == 1] -= 9
    elif style == 4:  # faint checks
        step = dice.between(8, 16)
        odd = (np.arange(height)[:, None] // step + np.arange(width)[None, :] // step) % 2 == 1
        canvas[odd] -= 7
    return canvas


def stamp(canvas: Canvas, mask: NDArray[np.bool_], box: Box, colour: str, shade: Rgb = (0, 0, 0)) -> None:
    """Paint a mask of the box's size in a named colour; ``shade`` is added to its channels."""
    painted = [min(max(channel + more, 0), 255) for channel, more in zip(_RGB[colour], shade, strict=True)]
    canvas[box.y0 : box.y1, box.x0 : box.x1][mask] = painted


def to_image(canvas: Canvas) -> Image.Image:
    """Turn a canvas into a picture."""
    return Image.fromarray(canvas)
