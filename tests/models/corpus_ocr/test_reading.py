"""Reading order: columns, headings across them, tables, and any boxes at all."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from models.sphinx_x.corpus.ocr.reading import reading_order


def lines(x: float, width: float, top: float, count: int, step: float = 12) -> list[tuple[float, float, float, float]]:
    return [(x, top + i * step, x + width, top + i * step + 10) for i in range(count)]


def shuffled(boxes: list[tuple[float, float, float, float]], seed: int = 0) -> list[tuple[float, float, float, float]]:
    mixed = list(boxes)
    random.Random(seed).shuffle(mixed)
    return mixed


def check(expected: list[tuple[float, float, float, float]]) -> None:
    mixed = shuffled(expected)
    assert [mixed[i] for i in reading_order(mixed)] == expected


def test_one_column_is_read_from_top_to_bottom() -> None:
    check(lines(50, 400, 20, 30))


def test_columns_are_read_one_after_the_other_between_heading_and_foot() -> None:
    head, foot = lines(100, 300, 0, 2), lines(50, 400, 400, 1)
    check([*head, *lines(50, 190, 40, 20), *lines(260, 190, 46, 18), *foot])


def test_a_figure_caption_across_the_page_parts_the_columns() -> None:
    upper = [*lines(50, 190, 0, 8), *lines(260, 190, 0, 8)]
    lower = [*lines(50, 190, 140, 8), *lines(260, 190, 140, 8)]
    check([*upper, *lines(50, 400, 115, 1), *lower])


def test_three_columns_with_paragraphs_that_begin_at_the_same_height() -> None:
    columns = [[*lines(x, 120, 0, 6), *lines(x, 120, 100, 6)] for x in (0, 140, 280)]
    check([box for column in columns for box in column])


def test_a_table_of_narrow_cells_is_read_row_by_row() -> None:
    rows = [[(x, y, x + 40.0, y + 10.0) for x in (0.0, 130.0, 260.0, 390.0)] for y in (0.0, 20.0, 40.0, 60.0)]
    check([cell for row in rows for cell in row])


@given(st.lists(st.tuples(*[st.floats(0, 500), st.floats(0, 700), st.floats(1, 300), st.floats(1, 40)]), max_size=40))
def test_every_line_is_read_once(corners: list[tuple[float, float, float, float]]) -> None:
    boxes = [(x, y, x + w, y + h) for x, y, w, h in corners]
    assert sorted(reading_order(boxes)) == list(range(len(boxes)))
