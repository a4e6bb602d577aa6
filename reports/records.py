"""The board's numbers as rows, one a metric and run, and their CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reports.load import Run, Value
from reports.pages import below
from reports.tables import Board
from reports.visible import plain


def records(board: Board, root: Path) -> Iterator[dict[str, Any]]:
    """Yield the metrics of every shown run, below one another."""
    for section in board.sections:
        for row in section.rows:
            for column in section.columns:
                cell = section.cell(row, column)
                if cell is not None:
                    yield from (_record(cell.run, value, root) for value in cell.run.values)


def _record(run: Run, value: Value, root: Path) -> dict[str, Any]:
    about = {name: getattr(run, name) for name in ("model", "kind", "control", "task", "title", "data", "convention", "prompt")}
    counts = {name: getattr(run, name) for name in ("unparsed", "failed", "missing", "truncated")}
    origin = {name: getattr(run, name) for name in ("model_fingerprint", "data_fingerprint", "seed", "generation", "started")}
    numbers = {name: getattr(value, name) for name in ("unit", "value", "low", "high", "se", "n", "clusters", "method")}
    return {
        **about,
        "judge": run.judge,
        "version": run.version,
        "metric": value.name,
        "primary": "yes" if value.name == run.primary else "no",
        **numbers,
        "samples": run.n,
        "samples_in_data": run.data_n,
        **counts,
        "run": below(run.folder, root),
        **origin,
    }


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV, such that a spreadsheet reads no text of theirs as a formula."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["model"])
        writer.writeheader()
        writer.writerows({name: _csv_cell(value) for name, value in row.items()} for row in rows)


def _csv_cell(value: object) -> object:
    """Keep a spreadsheet from reading a text as a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
