"""``riddle report``: the leaderboard of all finished runs, as files, and in short on the terminal.

The terminal has benchmarks below one another and models side by side, since a terminal is narrow and benchmarks are many; notes,
samples and everything else are in the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands.eval import number
from harness.commands.outcome import Outcome, Problem
from harness.commands.rooms import LEADERBOARD, function
from harness.commands.tables import table
from harness.config import ReportConfig
from harness.remote import local_runs, publish, shown

CONFIG = ReportConfig


def run(config: ReportConfig) -> Outcome:
    """Write the leaderboard, and publish the runs if that is asked; the result holds its files and one entry a number.

    The report is written whatever the runs are; one that cannot be read is named and makes the outcome incomplete.
    """
    out = config.out or config.paths.leaderboard
    chosen = {"samples": config.samples, "figures": config.figures, "baseline": config.baseline,
              "formats": config.formats}  # fmt: skip
    runs = local_runs(config.runs, config.paths.remote)
    board = function(LEADERBOARD)(runs, out, title=config.title, **chosen)
    files = [str(path) for path in board.paths]
    result = {"kind": "leaderboard", "index": str(board.index), "files": files, "left_out": [*board.left_out, *board.broken]}
    if config.publish:
        result["published"] = f"{publish(runs, config.publish)} finished runs at {shown(config.publish)}"
    broken = tuple(Problem("BrokenRun", f"left out of the report: {message}") for message in board.broken)
    return Outcome(({**result, "broken": [*board.broken], "rows": [*board.rows]},), broken)


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the primary metrics, what is not finished, and where to look further; what is broken is a problem of the outcome."""
    return "\n".join(
        "\n".join([_table(one["rows"]), "", *one["left_out"][: -len(one["broken"]) or None], *_places(one)]) for one in results
    )


def _places(one: Mapping[str, Any]) -> Iterator[str]:
    yield f"leaderboard: {one['index']}"
    if "published" in one:
        yield f"published: {one['published']}"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [row for row in rows if row["primary"]]
    models = list(dict.fromkeys(map(_model, shown)))
    cells = {(_benchmark(row), _model(row)): _cell(row) for row in shown}
    lines = [[*line, *(cells.get((line, model), "") for model in models)] for line in dict.fromkeys(map(_benchmark, shown))]
    return table(["benchmark", "metric", "data", *models], lines, right=models)


def _model(row: Mapping[str, Any]) -> str:
    return row["model"] if row["control"] == "none" else f"{row['model']} ({row['control']})"


def _benchmark(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what numbers must share to stand in one line: benchmark, metric with its convention and prompt, data."""
    special = [name for name in (row["convention"], row["prompt"]) if name not in ("official", "default")]
    return row["title"], row["metric"] + (f" ({', '.join(special)})" if special else ""), row["data"]


def _cell(row: Mapping[str, Any]) -> str:
    unit = row["unit"]
    interval = f" [{number(row['low'], unit)}, {number(row['high'], unit)}]" if row["low"] is not None else ""
    return f"{number(row['value'], unit)}{interval}"
