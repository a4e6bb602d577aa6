"""``convention=all``: the same replies under every convention of a benchmark, side by side.

Each convention keeps a result of its own (``result.json``, ``result.NAME.json``); only this table shows them together, and says
of each how it differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness.commands.tables import table
from harness.task import Task

ALL: Final = "all"
"""The value of ``convention`` that stands for every convention of the benchmark."""

Row = Mapping[str, Any]


def noted(task: Task, rows: Sequence[Row]) -> tuple[dict[str, Any], ...]:
    """Return the rows of a benchmark's conventions in the order of its card, each with what that says of its difference."""
    order = list(task.conventions)
    notes = {name: convention.note or "as the authors score" for name, convention in task.conventions.items()}
    ordered = sorted(rows, key=lambda row: order.index(row["convention"]))
    return tuple({**row, "of_all": True, "note": notes[row["convention"]]} for row in ordered)


def spreads(results: Sequence[Row]) -> str:
    """Return a table for each run: a row a convention, and below them how far those of one metric lie apart."""
    runs: dict[str, list[Row]] = {}
    for row in results:
        runs.setdefault(row["folder"], []).append(row)
    return "\n\n".join("\n".join(_spread(rows)) for rows in runs.values())


def _spread(rows: Sequence[Row]) -> Iterator[str]:
    from harness.commands.eval import interval, number

    first = rows[0]
    data = f"@{first['data']}" if first["data"] else ""
    yield f"{first['model']} on {first['task']}{data}, the same replies under every convention"
    head = ["convention", "metric", "value", f"{first['confidence'] * 100:g} % interval", "n", "unparsed", "how it differs"]
    cells = [
        [
            row["convention"],
            row["primary"],
            number(row["value"], row["unit"]),
            interval(row),
            str(row["n"]),
            str(row["unparsed"]),
            row["note"],
        ]
        for row in rows
    ]
    yield table(head, cells, right=("value", "n", "unparsed"))
    for (metric, unit), values in _comparable(rows).items():
        low, high = min(values), max(values)
        told = f"{number(low, unit)} to {number(high, unit)} over {len(values)} conventions, {number(high - low, unit)} apart"
        yield f"spread of {metric}: {told}" if len(values) > 1 else f"{metric}: one convention alone, {number(low, unit)}"
    yield f"samples: {first['folder']}"


def _comparable(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    """Gather the values that may be compared: of metrics of one name and unit."""
    found: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["value"] is not None and row["value"] == row["value"]:
            found.setdefault((row["primary"], row["unit"]), []).append(row["value"])
    return found
