"""Draws numbered marks on a picture, in colours that stand out from what is below them.

A label's ground is the colour of a fixed palette that differs most from the pixels it covers, in CIELAB; its digits and rim are
black or white, whichever contrasts more by the formula of WCAG 2.1 (at least 4.58 to 1 for every colour there is).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.sphinx_x.corpus.marks.place import PlacedMark, label_size

Rgb = tuple[int, int, int]

PALETTE: Final[tuple[Rgb, ...]] = (
    (0, 0, 0), (255, 255, 255), (230, 25, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48), (60, 180, 75), (145, 30, 180),
    (70, 240, 240), (240, 50, 230),
)  # fmt: skip
"""Grounds of labels, the likelier first among equals."""

FAINT: Final = 10
"""Percentile of the differences that counts: a ground must stand out from nearly all of what it covers."""


def paint_marks(image: Image.Image, marks: Sequence[PlacedMark]) -> Image.Image:
    """Return a copy of a picture in RGB with its marks drawn."""
    drawn = image.convert("RGB")
    pixels = np.asarray(drawn)
    brush = ImageDraw.Draw(drawn)
    font = ImageFont.load_default(label_size([mark.region for mark in marks], *image.size).font)
    for mark in marks:
        x1, y1, x2, y2 = mark.label
        below = pixels[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))].reshape(-1, 3)
        ground = ground_for(below)
        ink = ink_on(ground)
        brush.rectangle((round(x1), round(y1), round(x2) - 1, round(y2) - 1), fill=ground, outline=ink)
        brush.text(((x1 + x2) / 2, (y1 + y2) / 2), str(mark.number), fill=ink, font=font, anchor="mm")
    return drawn


def ground_for(below: NDArray[np.uint8]) -> Rgb:
    """Return the colour of `PALETTE` that differs most from ``below``, [pixels, 3]."""
    seen = lab(below.astype(np.float64))
    differences = [np.percentile(np.linalg.norm(seen - lab(np.array([colour], float)), axis=1), FAINT) for colour in PALETTE]
    return PALETTE[int(np.argmax(differences))]


def ink_on(ground: Rgb) -> Rgb:
    """Return black or white, whichever has more contrast with a colour."""
    return max(((0, 0, 0), (255, 255, 255)), key=lambda ink: contrast(ink, ground))


def contrast(one: Rgb, two: Rgb) -> float:
    """Return the contrast ratio of WCAG 2.1, from 1 to 21."""
    low, high = sorted(float(linear(np.array(colour, float)) @ (0.2126, 0.7152, 0.0722)) for colour in (one, two))
    return (high + 0.05) / (low + 0.05)


def linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB of 0 to 255 as linear light of 0 to 1 (IEC 61966-2-1)."""
    share = rgb / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIELAB of sRGB colours, [n, 3], under D65."""
    xyz = linear(rgb) @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    share = xyz / np.array([0.9505, 1.0, 1.089])
    bent = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * bent[:, 1] - 16, 500 * (bent[:, 0] - bent[:, 1]), 200 * (bent[:, 1] - bent[:, 2])], axis=1)
