"""The board's numbers as plain rows, one a metric and run: what every machine-readable form of a report is made of.

Not here: the forms themselves (`reports.formats`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reports.load import Run, Value
from reports.pages import below
from reports.tables import Board

Record = dict[str, Any]

METRIC = ("metric", "primary", "unit", "value", "low", "high", "se", "n", "clusters", "method")
"""The fields of a record that differ between the metrics of one run; all others say what was run, and how it went."""


def records(board: Board, root: Path) -> Iterator[Record]:
    """Yield the metrics of every shown run, below one another.

    Values stand in the task's own unit (``percent``: fractions) and are NaN where they are undefined; an interval that a run
    does not give, and a number of clusters that it does not count, is None. ``run_fingerprint`` names the run's settings as
    its folder does; ``data_fingerprint`` and ``model_fingerprint`` are digests.
    """
    for section in board.sections:
        for row in section.rows:
            for column in section.columns:
                cell = section.cell(row, column)
                if cell is not None:
                    yield from (_record(cell.run, value, section.name, root) for value in cell.run.values)


def _record(run: Run, value: Value, section: str, root: Path) -> Record:
    about = {name: getattr(run, name) for name in ("model", "kind", "control", "task", "title", "data", "convention", "prompt")}
    counts = {name: getattr(run, name) for name in ("unparsed", "failed", "missing", "truncated")}
    origin = {name: getattr(run, name) for name in ("model_fingerprint", "data_fingerprint", "seed", "generation", "started")}
    numbers = {name: getattr(value, name) for name in ("unit", "value", "low", "high", "se", "n", "clusters", "method")}
    return {
        **about,
        "judge": run.judge,
        "version": run.version,
        "metric": value.name,
        "primary": value.name == run.primary,
        **numbers,
        "samples": run.n,
        "samples_in_data": run.data_n,
        **counts,
        "run": below(run.folder, root),
        **origin,
        "run_fingerprint": run.folder.name,
        "layout": run.layout,
        "suite": run.suite,
        "section": section,
        "higher_is_better": run.higher_is_better,
    }
