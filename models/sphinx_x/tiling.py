"""From a picture to its views: pad to a square, resize, one global view and the tiles of a grid, row-major.

Not here: box coordinates in the padded square (the benchmarks' side of it is in the tasks), and no encoding. The choice a
reader may question: emptiness of a tile is decided from the geometry of the padding, never from pixels, because a resized
border bleeds and the published padding colour is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from models.sphinx_x.variants import Variant

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Views:
    """The views of one picture.

    Attributes:
        empty: one flag a view, global first, then tiles row-major; true where the view is all padding.
        pixels: side in pixels -> normalised views [encoded views, 3, size, size], without the empty ones, in the same order.
    """

    empty: tuple[bool, ...]
    pixels: Mapping[int, Tensor]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies in its padded square: all in pixels of the original picture."""

    side: int
    left: int
    top: int
    width: int
    height: int


def place(width: int, height: int, variant: Variant) -> Placement:
    """Placement of a picture of this size: centred (remainder after the content) or in the top left corner."""
    side = max(width, height)
    centred = variant.padding == "centre"
    left, top = ((side - width) // 2, (side - height) // 2) if centred else (0, 0)
    return Placement(side, left, top, width, height)


def empty_views(width: int, height: int, variant: Variant) -> tuple[bool, ...]:
    """One flag a view (global first): whether no pixel of the picture falls into it. All false without a skip token."""
    if variant.skip_token == "none":
        return (False,) * variant.views
    at = place(width, height, variant)
    flags = [False]
    for row in range(variant.grid):
        for column in range(variant.grid):
            left, right = at.side * column / variant.grid, at.side * (column + 1) / variant.grid
            top, bottom = at.side * row / variant.grid, at.side * (row + 1) / variant.grid
            inside = left < at.left + at.width and right > at.left and top < at.top + at.height and bottom > at.top
            flags.append(not inside)
    return tuple(flags)


def square(image: Image, variant: Variant) -> Tensor:
    """Pad to a square, resize (bicubic, antialiased) to ``image_size`` and normalise: float32 [3, size, size]."""
    from PIL import Image as Pictures

    image = image.convert("RGB")
    at = place(image.width, image.height, variant)
    mean_colour = tuple(int(255 * value) for value in variant.mean)
    if at.side != at.width or at.side != at.height:
        canvas = Pictures.new("RGB", (at.side, at.side), mean_colour)
        canvas.paste(image, (at.left, at.top))
        image = canvas
    size = variant.image_size
    if image.size != (size, size):
        image = image.resize((size, size), Pictures.Resampling.BICUBIC)
    pixels = normalise(torch.from_numpy(np.array(image, dtype=np.uint8)).permute(2, 0, 1), variant)
    if variant.fill == "zero" and at.width != at.height:
        scale = size / at.side
        pixels[:, :, round((at.left + at.width) * scale) :] = 0
        pixels[:, round((at.top + at.height) * scale) :, :] = 0
        pixels[:, :, : round(at.left * scale)] = 0
        pixels[:, : round(at.top * scale), :] = 0
    return pixels


def normalise(pixels: Tensor, variant: Variant) -> Tensor:
    """uint8 [..., 3, h, w] to float32, normalised with the variant's statistics."""
    mean = torch.tensor(variant.mean).view(3, 1, 1)
    std = torch.tensor(variant.std).view(3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def cut(squares: Tensor, variant: Variant, *, tiles: bool = True) -> dict[int, Tensor]:
    """Views of padded squares [n, 3, size, size] for every side that an encoder is given: size -> [n, views, 3, size, size]."""
    return {
        size: _cut_one(squares, size, variant.grid if tiles else 0, variant)
        for size in sorted({encoder.cut_size for encoder in variant.visual_experts})
    }


def _cut_one(squares: Tensor, size: int, grid: int, variant: Variant) -> Tensor:
    views = [_resize(squares, size, variant)]
    if grid:
        large = _resize(squares, size * grid, variant)
        views += [
            large[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size]
            for row in range(grid)
            for column in range(grid)
        ]
    return torch.stack(views, dim=1)


def _resize(squares: Tensor, size: int, variant: Variant) -> Tensor:
    if squares.shape[-1] == size:
        return squares
    if variant.resize == "float16":
        half = interpolate(squares.half(), size=(size, size), mode="bicubic", align_corners=False)
        return half.to(squares.dtype)
    return interpolate(squares, size=(size, size), mode="bicubic", align_corners=False, antialias=True)


def views_of(image: Image, variant: Variant, *, tiles: bool = True) -> Views:
    """All views of one picture, or its global view alone (``tiles=False``)."""
    empty = empty_views(image.width, image.height, variant) if tiles and variant.grid else (False,)
    keep = [index for index, flag in enumerate(empty) if not flag]
    pixels = cut(square(image, variant)[None], variant, tiles=tiles and variant.grid > 0)
    return Views(empty, {size: views[0, keep] for size, views in pixels.items()})


def shown(count: int, variant: Variant) -> list[int]:
    """Which of ``count`` pictures or frames of one prompt are shown: all, or evenly spaced ones from first to last."""
    most = variant.max_pictures
    if not most or count <= most:
        return list(range(count))
    return [round(index * (count - 1) / max(most - 1, 1)) for index in range(most)]


def views_of_prompt(images: Sequence[Image], variant: Variant) -> list[Views]:
    """Views of the pictures or frames of one prompt, in order: several are shown as ``several_images`` and `shown` say."""
    tiles = len(images) <= 1 or variant.several_images == "all"
    return [views_of(images[index], variant, tiles=tiles) for index in shown(len(images), variant)]
