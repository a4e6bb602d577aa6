"""The board's page as data: what stands in each cell, heading and filter, ready for the template.

Not here: which run is shown where (`reports.tables`), who is significantly above whom (`reports.standing`), HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.load import Run
from reports.reference import capabilities, capability, published
from reports.standing import Standing, pair_words, stand
from reports.tables import Board, Cell, Column, Row, Section

METRIC_CELLS = 20_000
"""Up to so many numbers the page has a table of all metrics a benchmark; a larger board leaves them to the CSV file."""


@dataclass(frozen=True, kw_only=True)
class Whisker:
    """A value and its interval on an axis from 0 to 100, for drawing."""

    low: float
    high: float
    value: float


@dataclass(frozen=True, kw_only=True)
class ColumnView:
    """A column with what the page needs of it.

    Attributes:
        key: names it in the page.
        capability: what it asks for; suites: in which it was run.
        places: the number of each row's cell in ``pairs`` and ``ranks``.
        standing: all pairs of its cells; None where nothing was compared. pairs: the same as `pair_words`.
        ranks: best and worst rank of each row that is ranked; ranked: how many are.
        published: printed numbers by method, with their table.
    """

    column: Column
    key: str
    capability: str
    suites: tuple[str, ...]
    places: Mapping[Row, int]
    pairs: str
    standing: Standing | None
    ranks: Mapping[Row, tuple[int, int]]
    published: Mapping[str, tuple[str, str]]

    @property
    def scale(self) -> float:
        """From the stored value to the printed one."""
        return 100.0 if self.column.unit == "percent" else 1.0

    @property
    def ranked(self) -> int:
        """How many rows have a rank."""
        return len(self.ranks)

    def rank(self, row: Row) -> str:
        """The ranks that a row may have: ``1``, ``2–4``, or nothing.

        One model alone is first of one, which says nothing.
        """
        if row not in self.ranks or self.ranked < 2:
            return ""
        first, last = self.ranks[row]
        return str(first) if first == last else f"{first}–{last}"


@dataclass(frozen=True, kw_only=True)
class SectionView:
    """A table of the page. ``published`` names the methods that have a printed number in any of its columns."""

    section: Section
    columns: tuple[ColumnView, ...]
    published: tuple[str, ...]
    extents: Mapping[str, tuple[float, float]]

    def whisker(self, view: ColumnView, cell: Cell) -> Whisker | None:
        """Place a value and its interval on the column's axis; None for a value that is undefined."""
        start, end = self.extents[view.key]
        value = cell.value
        if math.isnan(value.value):
            return None

        def place(number: float | None) -> float:
            at = value.value if number is None else number
            return round(100 * min(1.0, max(0.0, (at - start) / (end - start))), 1)

        return Whisker(low=place(value.low), high=place(value.high), value=place(None))


@dataclass(frozen=True, kw_only=True)
class BoardView:
    """The page: its tables, and what its filters offer. ``rows`` numbers every row of any table, references last."""

    sections: tuple[SectionView, ...]
    rows: Mapping[Row, int]
    capabilities: tuple[str, ...]
    suites: tuple[str, ...]
    with_metrics: bool


def view_board(board: Board) -> BoardView:
    """Compare the runs of every column and gather what the page needs."""
    sections = tuple(_section(section, number) for number, section in enumerate(board.sections))
    views = [view for section in sections for view in section.columns]
    rows = sorted(
        {row for section in board.sections for row in section.rows}, key=lambda row: (row.reference, row.label.casefold())
    )
    present = {view.capability for view in views}
    return BoardView(
        sections=sections,
        rows={row: number for number, row in enumerate(rows)},
        capabilities=tuple(name for name in capabilities() if name in present),
        suites=tuple(sorted({suite for view in views for suite in view.suites})),
        with_metrics=sum(len(run.values) for run in board.shown) <= METRIC_CELLS,
    )


def _section(section: Section, number: int) -> SectionView:
    columns = tuple(_column(section, column, f"{number}-{place}") for place, column in enumerate(section.columns))
    return SectionView(
        section=section,
        columns=columns,
        published=tuple(dict.fromkeys(method for view in columns for method in view.published)),
        extents={view.key: section.scale(view.column) for view in columns},
    )


def _column(section: Section, column: Column, key: str) -> ColumnView:
    shown = [(row, cell.run) for row in section.rows if (cell := section.cell(row, column)) is not None]
    standing = _standing(column, shown)
    ranks = standing.ranks if standing else [None] * len(shown)
    places = {row: place for place, (row, _) in enumerate(shown)}
    return ColumnView(
        column=column,
        key=key,
        capability=capability(column.task),
        suites=tuple(sorted({run.suite for _, run in shown if run.suite})),
        places=places,
        pairs=pair_words(standing, places, 100.0 if column.unit == "percent" else 1.0) if standing else "",
        standing=standing,
        ranks={row: rank for (row, _), rank in zip(shown, ranks, strict=True) if rank is not None},
        published=published(column),
    )


def _standing(column: Column, shown: Sequence[tuple[Row, Run]]) -> Standing | None:
    if len(shown) < 2:
        return None
    ranked = [not row.reference for row, _ in shown]
    return stand([run for _, run in shown], higher_is_better=column.higher_is_better, ranked=ranked)
