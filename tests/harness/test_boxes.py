"""Frames of boxes and the way there and back."""

from __future__ import annotations

import doctest
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import boxes
from harness.boxes import Frame, corner_and_size, corners, from_pixels, padding, read, to_pixels, write
from harness.errors import ConfigError

SIDE = st.integers(1, 4000)
BOX = st.tuples(*[st.floats(-4000, 4000)] * 4)


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(boxes).failed == 0


@given(BOX, st.sampled_from(get_args(Frame)), SIDE, SIDE)
def test_there_and_back_is_the_same(box: boxes.Box, frame: Frame, width: int, height: int) -> None:
    assert to_pixels(from_pixels(box, frame, width, height), frame, width, height) == pytest.approx(box, abs=1e-6)


@given(SIDE, SIDE)
def test_the_picture_lies_in_its_square(width: int, height: int) -> None:
    x1, y1, x2, y2 = from_pixels((0, 0, width, height), "square", width, height)
    assert 0 <= x1 < x2 <= 1
    assert 0 <= y1 < y2 <= 1
    assert min(padding(width, height)) == 0


def test_an_odd_difference_is_rounded_down() -> None:
    assert padding(640, 361) == (0, 139)
    assert padding(361, 640) == (139, 0)


@given(BOX)
def test_corners_and_sizes_convert(box: boxes.Box) -> None:
    assert corners(corner_and_size(box)) == pytest.approx(box)


@given(BOX)
def test_what_is_written_is_read(box: boxes.Box) -> None:
    assert read(write(box)) == pytest.approx(box, abs=1e-12)


def test_an_unknown_frame_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'permille' is unknown \(known: pixels"):
        to_pixels((0, 0, 1, 1), "permille", 1, 1)  # type: ignore[arg-type]


def test_qwens_own_script_divides_by_999() -> None:
    assert to_pixels((999, 0, 999, 999), "thousandths_999", 100, 50) == (100, 0, 100, 50)
