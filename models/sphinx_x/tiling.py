"""From a picture to its views: pad to a square, resize, one global view and the tiles of a grid, row-major.

Not here: which views are all padding (``geometry``: they are left out), box coordinates in the padded square (the benchmarks'
side of it is in the tasks), and no encoding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from models.sphinx_x.axes import Variant
from models.sphinx_x.geometry import empty_views, place, shown, tiled

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
    empty = empty_views(image.width, image.height, variant, tiles=tiles)
    keep = [index for index, flag in enumerate(empty) if not flag]
    pixels = cut(square(image, variant)[None], variant, tiles=tiles)
    # an index would copy what is kept whole
    return Views(empty, {size: views[0, keep] if any(empty) else views[0] for size, views in pixels.items()})


def views_of_prompt(images: Sequence[Image], variant: Variant) -> list[Views]:
    """Views of the pictures or frames of one prompt, in order: several are shown as ``several_images`` and `shown` say."""
    tiles = tiled(len(images), variant)
    return [views_of(images[index], variant, tiles=tiles) for index in shown(len(images), variant)]


def view_numbers(views: Sequence[Views], variant: Variant) -> Tensor:
    """For each visual position of a prompt's pictures the number of its view: int64 [positions]."""
    pairs = [
        (view, variant.skip_tokens if empty else variant.view_tokens(view))
        for one in views
        for view, empty in enumerate(one.empty)
    ]
    return torch.repeat_interleave(torch.tensor([view for view, _ in pairs]), torch.tensor([count for _, count in pairs]))
