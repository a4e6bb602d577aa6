"""Padding, resizing and views against arrays that the authors' code made (tests/golden/sphinx_x)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from models.sphinx_x.geometry import empty_tiles, place
from models.sphinx_x.tiling import square, views_of
from models.sphinx_x.variants import find_variant

GOLDEN = Path(__file__).parents[1] / "golden" / "sphinx_x"
PICTURES = sorted(path.stem for path in (GOLDEN / "images").glob("*.png"))
STATS = json.loads((GOLDEN / "transform" / "stats.json").read_text())
PUBLISHED = find_variant("sphinx_1k")
CLOSE = 1e-5 if PIL.__version__.startswith("12.3") else 0.03  # Pillow's bicubic differs between versions


def opened(name: str) -> Image.Image:
    with Image.open(GOLDEN / "images" / f"{name}.png") as picture:
        return picture.copy()


def expected(name: str) -> torch.Tensor:
    return torch.from_numpy(np.load(GOLDEN / "transform" / f"{name}.npy"))


def differs(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


@pytest.mark.parametrize("name", PICTURES)
def test_padded_and_resized_pictures_are_the_published_ones(name: str) -> None:
    found = square(opened(name), replace(PUBLISHED, image_size=56))
    assert differs(found, expected(f"{name}.padded_resize.56")) <= CLOSE


@pytest.mark.parametrize("size", [56, 224, 448, 512, 672, 1024])
@pytest.mark.parametrize("name", PICTURES)
def test_statistics_at_all_published_sizes_are_the_published_ones(name: str, size: int) -> None:
    found = square(opened(name), replace(PUBLISHED, image_size=size))
    assert differs(adaptive_avg_pool2d(found, 8), expected(f"{name}.padded_resize.{size}.pool8x8")) <= CLOSE
    stats = STATS[name][str(size)]
    assert differs(found.mean((1, 2)), torch.tensor(stats["mean"])) <= CLOSE
    assert differs(found.amin((1, 2)), torch.tensor(stats["min"])) <= CLOSE
    assert differs(found.amax((1, 2)), torch.tensor(stats["max"])) <= CLOSE
    corners = torch.stack([found[:, row, column] for row in (0, -1) for column in (0, -1)])
    assert differs(corners, torch.tensor(stats["corners_tl_tr_bl_br"])) <= CLOSE


@pytest.mark.parametrize(("variant", "layout"), [("sphinx_1k", "ens5_448"), ("sphinx_2k", "ens10_672")])
@pytest.mark.parametrize("name", PICTURES)
def test_views_are_the_published_ones_in_their_order(name: str, variant: str, layout: str) -> None:
    views = views_of(opened(name), find_variant(variant)).pixels[224]
    assert differs(avg_pool2d(views, 14), expected(f"{name}.views.{layout}.pool14")) <= CLOSE


@pytest.mark.parametrize(("variant", "layout"), [("sphinx_1k", "ens5_448"), ("sphinx_2k", "ens10_672")])
@pytest.mark.parametrize("name", PICTURES)
def test_tiles_of_nothing_but_padding_are_where_the_published_padding_leaves_them(name: str, variant: str, layout: str) -> None:
    picture, chosen = opened(name), find_variant(variant)
    found = empty_tiles(place(picture.width, picture.height, chosen), chosen.grid)
    bled = [False, True, False] * 3 if (name, variant) == ("b_20x60", "sphinx_2k") else None
    # a picture that ends exactly where its tile ends bleeds into the next one when it is resized: geometry knows better
    assert list(found) == ([not inside for inside in bled] if bled else STATS[name][f"fully_pad_{layout}"])
