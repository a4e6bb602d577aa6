"""Views of a picture: padding, order, emptiness by geometry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.sphinx_x.tiling import empty_views, place, shown, square, views_of, views_of_prompt
from models.sphinx_x.variants import MICRO, Variant

SIZE = MICRO.image_size
CENTRED = replace(MICRO, padding="centre", fill="mean")


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_a_square_picture_is_the_global_view_and_its_four_quarters_in_reading_order() -> None:
    picture = noise(SIZE, SIZE)
    views = views_of(picture, MICRO)
    pixels = square(picture, MICRO)
    half = SIZE // 2
    assert views.empty == (False,) * 5
    assert views.pixels[half].shape == (5, 3, half, half)
    for index, (top, left) in enumerate([(0, 0), (0, half), (half, 0), (half, half)], start=1):
        assert torch.equal(views.pixels[half][index], pixels[:, top : top + half, left : left + half])


@pytest.mark.parametrize(
    ("width", "height", "empty"),
    [(96, 48, [3, 4]), (48, 96, [2, 4]), (96, 49, []), (200, 20, [3, 4]), (50, 50, [])],
)
def test_tiles_that_are_all_padding_are_known_from_the_size(width: int, height: int, empty: list[int]) -> None:
    assert [index for index, flag in enumerate(empty_views(width, height, MICRO)) if flag] == empty


def test_empty_tiles_are_not_among_the_pixels() -> None:
    views = views_of(noise(96, 48), MICRO)
    assert len(views.pixels[SIZE // 2]) == 3


def test_centred_padding_empties_no_quarter() -> None:
    assert not any(empty_views(100, 10, CENTRED))


def test_without_a_skip_token_every_view_is_encoded() -> None:
    assert not any(empty_views(100, 10, replace(MICRO, skip_token="none")))


def test_mean_fill_is_the_published_colour() -> None:
    pixels = square(noise(SIZE, SIZE // 2), CENTRED)
    mean, std = torch.tensor(CENTRED.mean), torch.tensor(CENTRED.std)
    assert torch.allclose(pixels[:, 0, 0] * std + mean, torch.tensor([122.0, 116.0, 104.0]) / 255, atol=1e-6)


def test_zero_fill_is_zero_after_normalisation() -> None:
    pixels = square(noise(SIZE, SIZE // 2), MICRO)
    assert pixels[:, SIZE // 2 :].abs().max() == 0
    assert pixels[:, : SIZE // 2].abs().max() > 0


def test_odd_padding_leaves_the_remainder_behind_the_content() -> None:
    assert place(10, 7, CENTRED).top == 1


@pytest.mark.parametrize("variant", [MICRO, CENTRED])
@given(width=st.integers(1, 400), height=st.integers(1, 400))
def test_a_tile_is_empty_exactly_if_no_pixel_of_the_picture_lies_in_it(variant: Variant, width: int, height: int) -> None:
    at = place(width, height, variant)
    inside = np.zeros((2 * at.side, 2 * at.side), dtype=bool)  # doubled, so that odd sides split evenly
    inside[2 * at.top : 2 * (at.top + height), 2 * at.left : 2 * (at.left + width)] = True
    side = at.side
    quarters = [inside[:side, :side], inside[:side, side:], inside[side:, :side], inside[side:, side:]]
    assert empty_views(width, height, variant) == (False, *(not quarter.any() for quarter in quarters))


def test_several_pictures_are_shown_by_their_global_views() -> None:
    views = views_of_prompt([noise(40, 40, seed) for seed in range(3)], MICRO)
    assert [view.empty for view in views] == [(False,)] * 3


def test_several_pictures_are_shown_whole_where_the_variant_says_so() -> None:
    views = views_of_prompt([noise(40, 40, seed) for seed in range(2)], replace(MICRO, several_images="all"))
    assert [len(view.empty) for view in views] == [5, 5]


@given(count=st.integers(1, 60), most=st.integers(1, 12))
def test_shown_frames_are_in_order_without_repeats_and_include_both_ends(count: int, most: int) -> None:
    found = shown(count, replace(MICRO, max_pictures=most))
    assert len(found) == min(count, most)
    assert found == sorted(set(found))
    assert found[0] == 0
    assert most == 1 or count == 1 or found[-1] == count - 1


def test_the_published_resize_goes_through_half_precision() -> None:
    views = views_of(noise(SIZE, SIZE), replace(CENTRED, resize="float16")).pixels[SIZE // 2][0]
    assert torch.equal(views, views.half().float())
