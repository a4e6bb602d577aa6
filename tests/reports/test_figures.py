from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.board import view_board
from reports.drawing import Figure
from reports.figures import draw_figures
from reports.load import load_runs
from reports.samples import Pictured
from reports.tables import arrange
from tests.reports.conftest import Item, write_run


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[list[Figure]]:
    """The figures of two models on three benchmarks, drawn twice."""
    runs = tmp_path_factory.mktemp("runs")
    for name, value in (("nano", 0.5), ("$x$ <b>模", 0.7)):
        letters = [Item(id=f"{i}", references=("ABCD"[i % 4],), score=float(i % 3 > 0)) for i in range(40)]
        write_run(runs, name, "mmbench_en", items=letters, value=value)
        write_run(runs, name, "pope", value=value)
        folder = write_run(runs, name, "docvqa", value=value)
        for timings in folder.parent.parent.glob("*/*"):
            (timings / "timings.json").write_text('{"schema": 1, "sessions": [{"asked": 40, "seconds": {"generate": 4.0}}]}')
    view = view_board(arrange(load_runs(runs)))
    rows = view.sections[0].section.rows
    sizes = {row: [Pictured(width=100 + 300 * (i % 3), height=200, score=i % 2) for i in range(30)] for row in rows}
    return [draw_figures(view, None, {"mini": sizes, "benchmarks": {}}) for _ in range(2)]


def test_what_the_runs_hold_is_drawn(figures: list[list[Figure]]) -> None:
    titles = [figure.title for figure in figures[0]]
    assert titles == [
        "By capability",
        "Difference from $x$ <b>模",
        "By answer position",
        "By picture shape",
        "By picture size",
        "Over time",
    ]


def test_a_drawing_is_the_same_every_time_and_fits_into_the_page(figures: list[list[Figure]]) -> None:
    first, second = figures
    assert [figure.svg for figure in first] == [figure.svg for figure in second]
    names = [name for figure in first for name in re.findall(r'\bid="([^"]+)"', figure.svg)]
    assert len(names) == len(set(names))
    for figure in first:
        assert not re.search(r"<style|<script|<metadata|xmlns|https?:|url\((?!#)|#0102", figure.svg)
        assert "var(--ink)" in figure.svg and "var(--s0)" in figure.svg
        assert "&lt;b&gt;" in figure.svg and "<b>" not in figure.svg
        assert all(f'id="{name}"' in figure.svg for name in re.findall(r'(?:href="|url\()#([\w-]+)', figure.svg))


def test_a_board_of_many_models_or_none_has_no_figures(runs: Path) -> None:
    for number in range(9):
        write_run(runs, f"model{number}")
    assert draw_figures(view_board(arrange(load_runs(runs))), None, {}) == []
    assert draw_figures(view_board(arrange([])), None, {}) == []
