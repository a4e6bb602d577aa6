"""What a board looks like at a glance: capabilities, differences, answer positions, picture shapes, speed.

Only what the runs' files hold is drawn: a figure without its columns is left out. Every figure compares models on benchmarks that
all of them have answered, and pools no benchmark whose numbers are points instead of shares.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.errors import ResultError
from harness.metrics.aggregate import wilson
from harness.results import read_json
from reports.board import BoardView, ColumnView, SectionView
from reports.drawing import Figure, Lines, Point, dots, drawn, lines, scatter
from reports.entries import first_score
from reports.load import Run, sample_rows
from reports.origin import cost_of
from reports.reference import OTHER, capabilities
from reports.samples import Pictured
from reports.tables import Row

MODELS = 8
"""So many series a reader can tell apart; a board with more models has no figures, for its table sorts."""

_LETTER = re.compile(r"[A-H]")

Sizes = Mapping[Row, Sequence[Pictured]]
"""By model, the pictures that were shown on pages of samples."""

Shown = Mapping[str, Sizes]
"""The same by section of the board."""


def draw_figures(view: BoardView, baseline: Row | None, sizes: Shown) -> list[Figure]:
    """Draw what the board's runs allow, for the section with most columns (a mini suite is never mixed with other data)."""
    if not view.sections:
        return []
    table = max(view.sections, key=lambda one: len(one.columns))
    models = [row for row in table.section.rows if not row.reference]
    if not 0 < len(models) <= MODELS:
        return []
    shared = [one for one in table.columns if all(_known(table, row, one) for row in models)]
    shown = sizes.get(table.section.name, {})
    made = (
        _capabilities(table, models, shared),
        _forest(table, models, shared, baseline),
        _positions(table, models),
        _shapes(shown),
        _areas(shown),
        *(_over_spent(table, models, shared, spent) for spent in _SPENT),
    )
    return [figure for figure in made if figure is not None]


def _known(table: SectionView, row: Row, one: ColumnView) -> bool:
    cell = table.section.cell(row, one.column)
    return cell is not None and not math.isnan(cell.value.value)


def _mean(table: SectionView, row: Row, columns: Sequence[ColumnView]) -> tuple[float, float]:
    """The mean of a model's values in percent, and half an interval that holds whatever pictures the benchmarks share.

    SE(mean) <= mean(SE), with equality where benchmarks depend on one another wholly.
    """
    values = [cell.value for one in columns if (cell := table.section.cell(row, one.column)) is not None]
    return 100 * fmean(value.value for value in values), 196 * fmean(value.se or 0.0 for value in values)


def _spread(x: float, y: float, value: float, half: float) -> Point:
    return Point(x=x, y=y, low=max(0.0, value - half), high=min(100.0, value + half))


def _shares(columns: Sequence[ColumnView]) -> list[ColumnView]:
    return [one for one in columns if one.column.unit == "percent" and one.column.higher_is_better]


def _capabilities(table: SectionView, models: Sequence[Row], shared: Sequence[ColumnView]) -> Figure | None:
    by_name: dict[str, list[ColumnView]] = defaultdict(list)
    for one in _shares(shared):
        by_name[one.capability].append(one)
    names = [name for name in capabilities() if name in by_name and name != OTHER]
    if len(names) < 2:
        return None
    series: dict[str, list[Point]] = {}
    for row in models:
        means = [_mean(table, row, by_name[name]) for name in names]
        series[row.label] = [_spread(x, place, x, half) for place, (x, half) in enumerate(means)]
    labels = [f"{name} ({len(by_name[name])})" for name in names]
    note = "Mean over the benchmarks that all models answered (their number in brackets). Intervals hold however these overlap."
    height = 1.1 + len(names) * (0.28 + 0.09 * len(models))
    return drawn("capability", "By capability", note, (6.4, height), lambda axes: dots(axes, labels, series, x_label="percent"))


def _forest(table: SectionView, models: Sequence[Row], shared: Sequence[ColumnView], baseline: Row | None) -> Figure | None:
    columns = _shares(shared)
    others = [row for row in models if row != baseline]
    if baseline is None and columns and len(models) > 1:
        baseline = max(models, key=lambda row: _mean(table, row, columns)[0])
        others = [row for row in models if row != baseline]
    if baseline is None or not others or not columns:
        return None
    series = {row.label: list(_differences(table, row, baseline, columns)) for row in others}
    if not any(series.values()):
        return None
    labels = [one.column.title for one in columns]
    note = "On the same samples, with 95 % interval. A filled mark is significant after Holm over all pairs of the benchmark."
    height = 1.1 + len(labels) * (0.2 + 0.1 * len(others))
    heading = f"Difference from {baseline.label}"
    return drawn("forest", heading, note, (6.4, height), lambda axes: dots(axes, labels, series, zero=True, x_label="points"))


def _differences(table: SectionView, row: Row, base: Row, columns: Sequence[ColumnView]) -> Iterator[Point]:
    for place, one in enumerate(columns):
        mine, theirs = table.section.cell(row, one.column), table.section.cell(base, one.column)
        if mine is None or theirs is None or one.standing is None:
            continue
        i, j = one.places[row], one.places[base]
        by, half = 100 * (mine.value.value - theirs.value.value), 100 * float(one.standing.half[i, j])
        low, high = (None, None) if math.isnan(half) else (by - half, by + half)
        yield Point(x=by, y=place, low=low, high=high, sure=bool(one.standing.sign[i, j]))


def _share(scores: Sequence[float], x: float) -> Point:
    mean = fmean(scores)
    low, high = wilson(min(1.0, max(0.0, mean)), len(scores))
    return Point(x=x, y=100 * mean, low=100 * low, high=100 * high)


def _positions(table: SectionView, models: Sequence[Row]) -> Figure | None:
    series: dict[str, list[Point]] = {}
    letters: set[str] = set()
    for row in models:
        found: dict[str, list[float]] = defaultdict(list)
        for one in table.columns:
            cell = table.section.cell(row, one.column)
            for letter, score in _lettered(cell.run) if cell is not None else ():
                found[letter].append(score)
        series[row.label] = [_share(found[letter], ord(letter) - 65) for letter in sorted(found) if len(found[letter]) >= 5]
        letters |= {letter for letter in found if len(found[letter]) >= 5}
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return None
    ticks = [chr(65 + place) for place in range(1 + max(ord(letter) - 65 for letter in letters))]
    note = "Multiple choice, by the letter that is right. A model without a habit is level. Wilson's interval over samples."
    return drawn("position", "By answer position", note, (6.4, 3.2),
                 lambda axes: lines(axes, ticks, series, x_label="right letter", y_label="percent right"))  # fmt: skip


def _lettered(run: Run) -> Iterator[tuple[str, float]]:
    """The samples of a run whose one reference is a letter."""
    try:
        for row in sample_rows(run):
            if len(row.references) != 1 or not _LETTER.fullmatch(row.references[0]):
                return
            yield row.references[0], min(1.0, first_score(row))
    except ResultError:
        return


def _binned(sizes: Sizes, measure: Callable[[Pictured], float], edges: Sequence[float]) -> Lines:
    series: dict[str, list[Point]] = {}
    for row, pictures in sizes.items():
        bins: dict[int, list[float]] = defaultdict(list)
        for one in pictures:
            bins[sum(measure(one) >= edge for edge in edges)].append(min(1.0, max(0.0, one.score)))
        series[row.label] = [_share(bins[place], place) for place in sorted(bins) if len(bins[place]) >= 5]
    return {name: points for name, points in series.items() if points}


def _over(
    name: str,
    title: str,
    sizes: Sizes,
    measure: Callable[[Pictured], float],
    edges: Sequence[float],
    ticks: Sequence[str],
    x: str,
) -> Figure | None:
    series = _binned(sizes, measure, edges) if len(sizes) <= MODELS else {}
    if len({point.x for points in series.values() for point in points}) < 2:
        return None
    note = "All samples with one picture; benchmarks differ in shapes as in difficulty. Wilson's interval over samples."
    return drawn(name, title, note, (6.4, 3.2), lambda axes: lines(axes, ticks, series, x_label=x, y_label="percent right"))


def _shapes(sizes: Sizes) -> Figure | None:
    ticks = ["< 1:2", "1:2–3:4", "3:4–4:3", "4:3–2:1", "≥ 2:1"]
    edges = (0.5, 0.75, 4 / 3 + 1e-9, 2.0)
    return _over("shape", "By picture shape", sizes, lambda one: one.width / one.height, edges, ticks, "width to height")


def _areas(sizes: Sizes) -> Figure | None:
    ticks = ["< 128", "128–256", "256–512", "512–1024", "≥ 1024"]
    return _over(
        "area", "By picture size", sizes, lambda one: max(one.width, one.height), (128, 256, 512, 1024), ticks, "longer side, px"
    )


@dataclass(frozen=True, kw_only=True)
class _Spent:
    """What a run takes: a function of the run, and how its figure is worded."""

    of: Callable[[Run], float | None]
    name: str
    title: str
    axis: str
    note: str


def _over_spent(table: SectionView, models: Sequence[Row], shared: Sequence[ColumnView], spent: _Spent) -> Figure | None:
    columns = _shares(shared)
    series: dict[str, list[Point]] = {}
    for row in models:
        runs = [cell.run for one in columns if (cell := table.section.cell(row, one.column)) is not None]
        amounts = [spent.of(run) for run in runs]
        if amounts and all(amounts):
            mean, half = _mean(table, row, columns)
            each = sum(one or 0.0 for one in amounts) / max(1, sum(run.n for run in runs))
            series[row.label] = [_spread(each, mean, mean, half)]
    if len(series) < 2:
        return None
    note = f"Mean score on the benchmarks that all models answered, over {spent.note}."
    return drawn(
        spent.name, spent.title, note, (6.4, 3.0), lambda axes: scatter(axes, series, x_label=spent.axis, y_label="percent")
    )


def _seconds(run: Run) -> float | None:
    """The seconds a run took to generate; None where that is unknown, or its replies came from elsewhere."""
    try:
        sessions = read_json(run.folder / "timings.json").get("sessions") or []
        asked = sum(int(one.get("asked") or 0) for one in sessions)
        return sum(float((one.get("seconds") or {}).get("generate") or 0) for one in sessions) if asked >= run.n else None
    except (ResultError, AttributeError, TypeError, ValueError):
        return None


_SPENT = (
    _Spent(
        of=_seconds, name="time", title="Over time", axis="seconds a sample", note="the time a sample took on the machine used"
    ),
    _Spent(of=cost_of, name="cost", title="Over cost", axis="cost of a sample", note="what a sample cost, judges included"),
)
