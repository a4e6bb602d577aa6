"""``riddle report``: the leaderboard of all finished runs, as files and as a table."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from harness.commands.outcome import Outcome
from harness.commands.rooms import BOARD_ON_TERMINAL, LEADERBOARD, RUNS, function
from harness.config import ReportConfig

CONFIG = ReportConfig


def run(config: ReportConfig) -> Outcome:
    """Write the leaderboard; the result holds its files and one entry a number."""
    out = config.out or config.paths.leaderboard
    board = function(LEADERBOARD)(config.runs, out, title=config.title)
    files = [str(path) for path in board.paths]
    result = {"kind": "leaderboard", "index": str(board.index), "files": files, "runs": str(config.runs), "rows": [*board.rows]}
    return Outcome((result,))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables, and where to look further."""
    return "\n".join(f"{_tables(result['runs'])}\nleaderboard: {result['index']}" for result in results)


def _tables(runs: str) -> str:
    from pathlib import Path

    from rich.console import Console

    text = io.StringIO()
    function(BOARD_ON_TERMINAL)(function(RUNS)(Path(runs)), Console(file=text, width=200))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
