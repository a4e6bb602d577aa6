"""Arranges finished runs into boards: which run is shown where, and what a reader must be told beside it.

Not here: any drawing. The one choice a reader would question: a column is everything that makes two numbers comparable
(task, version, data, convention, prompt, judge, metric), so runs that differ in one of these get columns of their own
instead of a footnote; runs with a control (blind, swapped pictures) share the column but are rows of their own among the
references, because the control is only worth something beside the number that it controls.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.load import Run, Value

MINI = "mini"
SECTIONS = (
    ("benchmarks", "Benchmarks", "The benchmarks' own data."),
    (
        "mini",
        "Mini suite",
        "Small versions of the benchmarks, drawn by riddle in their official layouts. Not comparable with the benchmarks.",
    ),
)
CONTROLS = {"blind": "no picture shown", "swapped": "another sample's picture shown"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """What the numbers of one column have in common. ``tags`` names what a reader could otherwise overlook."""

    task: str
    title: str
    version: str
    data: str
    data_fingerprint: str
    convention: str
    prompt: str
    judge: str
    metric: str
    unit: str
    higher_is_better: bool
    tags: tuple[str, ...] = ()

    @property
    def arrow(self) -> str:
        """Which way is better."""
        return "↑" if self.higher_is_better else "↓"

    @property
    def mini(self) -> bool:
        """Whether the data are drawn by riddle itself."""
        return self.data == MINI or self.data.startswith(f"{MINI}-")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a board: a model, replies made elsewhere, a baseline, or a model under a control."""

    name: str
    kind: str
    fingerprint: str
    control: str
    label: str
    note: str = ""

    @property
    def reference(self) -> bool:
        """Whether the row is there to compare with and is not a model's result."""
        return self.kind == "baseline" or self.control != "none"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number of a board: the run it comes from and the footnotes that belong to it."""

    run: Run
    value: Value
    notes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table: columns of one kind of data, and the rows that have a number in any of them."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    cells: Mapping[tuple[Row, Column], Cell]

    def cell(self, row: Row, column: Column) -> Cell | None:
        """The number of ``row`` in ``column``, if there is one."""
        return self.cells.get((row, column))

    def scale(self, column: Column) -> tuple[float, float]:
        """The two ends of the column's axis: 0 and 1 for shares, else the range of its values, 0 included."""
        if column.unit == "percent":
            return 0.0, 1.0
        seen = [number for (_, other), cell in self.cells.items() if other == column for number in _ends(cell.value)]
        return min(0.0, *seen, 0.0), max(1e-9, *seen, 0.0)


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything a leaderboard shows.

    Attributes:
        footnotes: numbered from 1 in this order.
        shown: the runs behind the cells.
        incomplete: runs without a result, which are never shown as numbers.
        broken: folders that cannot be read, with the reason in ``Run.broken``.
    """

    sections: tuple[Section, ...]
    footnotes: tuple[str, ...]
    shown: tuple[Run, ...]
    incomplete: tuple[Run, ...]
    broken: tuple[Run, ...]


def arrange(runs: Iterable[Run]) -> Board:
    """Arrange ``runs`` into sections of columns and rows; one run is shown for a model on a column, the others are named.

    Of several runs of one model in one column, the newest of those with the most samples is shown.
    """
    readable: list[Run] = []
    incomplete: list[Run] = []
    broken: list[Run] = []
    for run in runs:
        (broken if run.broken else readable if run.complete else incomplete).append(run)
    columns = _columns(readable)
    rows = _rows(readable)
    candidates: dict[tuple[Row, Column], list[Run]] = defaultdict(list)
    for run in readable:
        candidates[rows[_row_key(run)], columns[_column_key(run)]].append(run)
    notes = _Footnotes()
    usual = _usual_generation(readable)
    cells = {key: _choose(key, group, usual, notes) for key, group in candidates.items()}
    return Board(
        sections=tuple(_sections(cells)),
        footnotes=tuple(notes.texts),
        shown=tuple(cell.run for cell in cells.values()),
        incomplete=tuple(incomplete),
        broken=tuple(broken),
    )


def show(value: float | None, unit: str) -> str:
    """Print a number in the way of its unit: ``percent`` times 100 and points as they are, one decimal each.

    >>> show(0.5, "percent"), show(1531.3187, "points"), show(None, "percent"), show(float("nan"), "percent")
    ('50.0', '1531.3', '', 'undefined')
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "undefined"
    return f"{100 * value if unit == 'percent' else value:.1f}"


def interval(value: Value) -> str:
    """Print the two ends of the interval, empty where the run has none.

    >>> interval(Value(name="a", value=0.5, se=0.1, low=0.3, high=0.7, n=9, clusters=9, unit="percent", method="t"))
    '30.0–70.0'
    """
    if value.low is None or value.high is None:
        return ""
    dash = " to " if value.low < 0 else "–"
    return f"{show(value.low, value.unit)}{dash}{show(value.high, value.unit)}"


def flaws(run: Run) -> list[str]:
    """What stands between the samples and the number, in words: ``["3 unparsed", "1 failed"]``."""
    named = (("unparsed", run.unparsed), ("failed", run.failed), ("missing", run.missing), ("truncated", run.truncated))
    return [f"{count} {name}" for name, count in named if count]


def coverage(run: Run) -> str:
    """How many samples the number stands on: ``400``, or ``20 of 400`` where a limit was set."""
    return f"{run.n} of {run.data_n}" if run.data_n and run.data_n != run.n else str(run.n)


class _Footnotes:
    """Collects texts and hands out their numbers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> int:
        """Return the number of ``text``, which is new unless it was added before."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


_ColumnKey = tuple[str, str, str, str, str, str, str, str, str]
_RowKey = tuple[str, str, str, str]


def _column_key(run: Run) -> _ColumnKey:
    value = run.headline
    return (
        run.task,
        run.version,
        run.data,
        run.data_fingerprint,
        run.convention,
        run.prompt,
        run.judge,
        run.primary,
        value.unit,
    )


def _row_key(run: Run) -> _RowKey:
    return run.model, run.kind, run.model_fingerprint, run.control


def _columns(runs: Sequence[Run]) -> dict[_ColumnKey, Column]:
    first: dict[_ColumnKey, Run] = {}
    for run in runs:
        first.setdefault(_column_key(run), run)
    fingerprints = _several(((run.task, run.data), run.data_fingerprint) for run in first.values())
    metrics = _several(((run.task, run.convention), run.primary) for run in first.values())
    return {
        key: Column(
            task=run.task,
            title=run.title,
            version=run.version,
            data=run.data,
            data_fingerprint=run.data_fingerprint,
            convention=run.convention,
            prompt=run.prompt,
            judge=run.judge,
            metric=run.primary,
            unit=run.headline.unit,
            higher_is_better=run.higher_is_better,
            tags=tuple(
                _tags(
                    run,
                    several_data=(run.task, run.data) in fingerprints,
                    several_metrics=(run.task, run.convention) in metrics,
                )
            ),
        )
        for key, run in first.items()
    }


def _tags(run: Run, *, several_data: bool, several_metrics: bool) -> Iterable[str]:
    yield f"{run.data} data" + (f" {run.data_fingerprint[:6]}" if several_data else "")
    yield f"{run.convention} scoring"
    if run.prompt != "default":
        yield f"prompt {run.prompt}"
    if run.judge:
        yield f"judge {run.judge}"
    if several_metrics:
        yield f"by {run.primary}"
    yield f"v{run.version}"


def _several(pairs: Iterable[tuple[tuple[str, str], str]]) -> set[tuple[str, str]]:
    """Return the names that stand for more than one thing."""
    seen: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, thing in pairs:
        seen[name].add(thing)
    return {name for name, things in seen.items() if len(things) > 1}


def _rows(runs: Sequence[Run]) -> dict[_RowKey, Row]:
    keys = {_row_key(run) for run in runs}
    ambiguous = _several(((name, control), f"{kind} {fingerprint}") for name, kind, fingerprint, control in keys)
    return {key: _row(key, (key[0], key[3]) in ambiguous) for key in keys}


def _row(key: _RowKey, ambiguous: bool) -> Row:
    name, kind, fingerprint, control = key
    notes = []
    if kind == "baseline":
        notes.append("not a model")
    if kind == "replies":
        notes.append("replies made elsewhere")
    if control != "none":
        notes.append(f"{control} control: {CONTROLS.get(control, control)}")
    label = f"{name} · {fingerprint[:6]}" if ambiguous and fingerprint else name
    return Row(name=name, kind=kind, fingerprint=fingerprint, control=control, label=label, note=", ".join(notes))


def _usual_generation(runs: Sequence[Run]) -> Mapping[_ColumnKey, str]:
    settings: dict[_ColumnKey, Counter[str]] = defaultdict(Counter)
    for run in runs:
        if run.kind != "replies":
            settings[_column_key(run)][run.generation] += 1
    return {key: counts.most_common(1)[0][0] for key, counts in settings.items()}


def _choose(key: tuple[Row, Column], group: list[Run], usual: Mapping[_ColumnKey, str], notes: _Footnotes) -> Cell:
    ranked = sorted(group, key=lambda run: (run.n, run.started, str(run.folder)), reverse=True)
    best, others = ranked[0], ranked[1:]
    numbers = []
    if others:
        named = "; ".join(_in_brief(run) for run in others)
        numbers.append(
            notes.add(
                f"{key[0].label} on {key[1].title}: of {len(group)} runs the newest of those with the most samples is shown, "
                f"{_in_brief(best)}. Not shown: {named}."
            )
        )
    expected = usual.get(_column_key(best))
    if expected is not None and best.kind == "model" and best.generation != expected:
        numbers.append(notes.add(f"Generation settings {best.generation} differ from those of the column, {expected}."))
    if best.data_n and best.n < best.data_n:
        numbers.append(notes.add("Only a part of the benchmark's samples was asked; the number of samples stands in the cell."))
    return Cell(run=best, value=best.headline, notes=tuple(numbers))


def _in_brief(run: Run) -> str:
    value = show(run.headline.value, run.headline.unit)
    return f"{run.folder.name[:12]} ({value}, n {run.n}, seed {run.seed or 'not recorded'}, {run.started[:16]})"


def _sections(cells: Mapping[tuple[Row, Column], Cell]) -> Iterable[Section]:
    for name, title, note in SECTIONS:
        mine = {key: cell for key, cell in cells.items() if key[1].mini == (name == "mini")}
        if mine:
            columns = tuple(sorted({column for _, column in mine}, key=_column_order))
            rows = sorted({row for row, _ in mine}, key=lambda row: _row_order(row, columns[0], mine))
            yield Section(name=name, title=title, note=note, columns=columns, rows=tuple(rows), cells=mine)


def _column_order(column: Column) -> tuple[object, ...]:
    return column.title.casefold(), column.task, column.convention != "official", column.convention, column.tags


def _row_order(row: Row, first: Column, cells: Mapping[tuple[Row, Column], Cell]) -> tuple[object, ...]:
    """Models before references, the best of the first column first, then by name."""
    cell = cells.get((row, first))
    value = math.nan if cell is None else cell.value.value
    standing = math.inf if math.isnan(value) else -value if first.higher_is_better else value
    return row.reference, standing, row.label.casefold(), row.control


def _ends(value: Value) -> list[float]:
    ends = (value.low, value.high, value.value)
    return [number for number in ends if number is not None and not math.isnan(number)]
