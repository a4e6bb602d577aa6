"""Where marks stand, for any regions: in their own region, innermost, apart from one another, by numbers that do not change."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.sphinx_x.corpus.marks.place import PlacedMark, label_size, place_marks
from models.sphinx_x.corpus.marks.regions import Region, masked

WIDTH, HEIGHT = 64, 48


def ellipse(x: int, y: int, a: int, b: int, name: str) -> Region | None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return masked(name, ((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1)


@st.composite
def regions(draw: st.DrawFn) -> list[Region]:
    found: list[Region] = []
    for number in range(draw(st.integers(1, 7))):
        x, y = draw(st.integers(0, WIDTH - 2)), draw(st.integers(0, HEIGHT - 2))
        w, h = draw(st.integers(1, WIDTH - x)), draw(st.integers(1, HEIGHT - y))
        if draw(st.booleans()):
            found.append(Region(f"box {number}", (float(x), float(y), float(x + w), float(y + h))))
        elif (made := ellipse(x, y, w, h, f"ellipse {number}")) is not None:
            found.append(made)
    return found


def cover(region: Region) -> NDArray[np.bool_]:
    return region.cover(WIDTH, HEIGHT)


def pixel(mark: PlacedMark) -> tuple[int, int]:
    return int(mark.point[1]), int(mark.point[0])


def overlap(one: PlacedMark, two: PlacedMark) -> bool:
    a, b = one.label, two.label
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@given(regions(), st.sampled_from([0.0, 0.35, 1.0]))
def test_a_point_lies_in_its_own_region_and_in_no_smaller_one(found: list[Region], hides: float) -> None:
    for mark in place_marks(found, WIDTH, HEIGHT, hides):
        own = cover(mark.region)
        assert own[pixel(mark)]
        assert not any(cover(other)[pixel(mark)] for other in found if cover(other).sum() < own.sum())


@given(regions())
def test_only_regions_that_smaller_ones_cover_wholly_get_no_mark(found: list[Region]) -> None:
    marked = [mark.region for mark in place_marks(found, WIDTH, HEIGHT)]
    for region in found:
        if not any(region is one for one in marked):
            others = [cover(other) for other in found if other is not region and cover(other).sum() <= cover(region).sum()]
            assert np.logical_or.reduce(others)[cover(region)].all()


@given(regions())
def test_labels_overlap_only_where_a_region_has_no_free_pixel(found: list[Region]) -> None:
    size = label_size(found, WIDTH, HEIGHT)
    marks = sorted(place_marks(found, WIDTH, HEIGHT, 1.0), key=lambda m: (cover(m.region).sum(), m.region.box, m.region.name))
    taken = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    for number, mark in enumerate(marks):
        own = cover(mark.region) & ~taken
        taken |= cover(mark.region)
        before = [one.label for one in marks[:number]]
        if not any(overlap(mark, one) for one in marks[:number]):
            continue
        for row, column in np.argwhere(own):
            left = min(max(column + 0.5 - size.width / 2, 0.0), WIDTH - size.width)
            top = min(max(row + 0.5 - size.height / 2, 0.0), HEIGHT - size.height)
            assert any(
                left < x2 and left + size.width > x1 and top < y2 and top + size.height > y1 for x1, y1, x2, y2 in before
            ), "there was room"


@given(regions(), st.randoms(use_true_random=False))
def test_numbers_do_not_depend_on_the_order_of_regions(found: list[Region], rng: st.DataObject) -> None:
    first = place_marks(found, WIDTH, HEIGHT)
    mixed = list(found)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    second = place_marks(mixed, WIDTH, HEIGHT)
    assert [mark.number for mark in first] == list(range(1, len(first) + 1))
    assert [(m.number, m.point, m.room, m.label, m.region.box) for m in first] == [
        (m.number, m.point, m.room, m.label, m.region.box) for m in second
    ]


@given(regions())
def test_labels_stay_inside_of_the_picture(found: list[Region]) -> None:
    for mark in place_marks(found, WIDTH, HEIGHT):
        x1, y1, x2, y2 = mark.label
        assert x1 >= 0 and y1 >= 0 and x2 <= WIDTH + 1e-9 and y2 <= HEIGHT + 1e-9


def test_a_lone_mark_is_farthest_from_the_border_by_brute_force() -> None:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    shape = ((columns - 20) ** 2 + (rows - 20) ** 2 <= 15**2) | ((rows > 18) & (rows < 23) & (columns > 15) & (columns < 60))
    region = masked("spoon", shape)
    assert region is not None
    [mark] = place_marks([region], WIDTH, HEIGHT)
    padded = np.pad(shape, 1)
    outside = np.argwhere(~padded)
    distances = {(int(r) - 1, int(c) - 1): np.sqrt(((outside - (r, c)) ** 2).sum(axis=1).min()) for r, c in np.argwhere(padded)}
    assert mark.room == max(distances.values()) == distances[pixel(mark)]


def test_a_plate_below_an_apple_is_marked_beside_the_apple() -> None:
    plate, apple = ellipse(32, 24, 30, 22, "plate"), ellipse(32, 24, 12, 12, "apple")
    assert plate and apple
    marks = {mark.region.name: mark for mark in place_marks([plate, apple], WIDTH, HEIGHT)}
    assert pixel(marks["apple"]) == (24, 32)
    assert not cover(apple)[pixel(marks["plate"])] and cover(plate)[pixel(marks["plate"])]
    hidden = {mark.region.name for mark in place_marks([plate, Region("same", plate.box, plate.mask)], WIDTH, HEIGHT)}
    assert hidden == {"plate"}


def test_rows_are_numbered_from_left_to_right_and_from_top_to_bottom() -> None:
    cells = [
        Region(f"{row}{column}", (column * 20, row * 15, column * 20 + 18, row * 15 + 13))
        for row in range(3)
        for column in range(3)
    ]
    assert [mark.region.name for mark in place_marks(cells[::-1], WIDTH, HEIGHT)] == [cell.name for cell in cells]


def test_a_label_that_would_hide_its_region_stands_beside_it() -> None:
    word = Region("word", (25.0, 20.0, 35.0, 29.0))
    [inside], [beside] = place_marks([word], WIDTH, HEIGHT, 1.0), place_marks([word], WIDTH, HEIGHT, 0.0)
    assert inside.point == beside.point and inside.label[0] < 35
    x1, y1, x2, y2 = beside.label
    assert x2 <= 25 or x1 >= 35 or y2 <= 20 or y1 >= 29


def test_no_regions_have_no_marks() -> None:
    assert place_marks([], WIDTH, HEIGHT) == ()
