"""``riddle serve``: the leaderboard of a folder of runs in a browser, while runs are going on, until it is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from harness.commands.outcome import Outcome
from harness.commands.rooms import SERVE_RUNS, function
from harness.config import ServeConfig

CONFIG = ServeConfig

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(config: ServeConfig) -> Outcome:
    """Serve until Ctrl-C or SIGTERM, which is no failure.

    Raises:
        ConfigError: the port cannot be had.
        ResultError: there is no such folder of runs.
    """
    place = ""

    def told(address: str) -> None:
        nonlocal place
        place = address
        open_to = "" if config.host in LOOPBACK else "; whoever reaches this port reads the results"
        sys.stderr.write(f"{config.runs} at {address}{open_to}; Ctrl-C ends it\n")
        sys.stderr.flush()

    answered = function(SERVE_RUNS)(
        config.runs, told, host=config.host, port=config.port, names=config.names, title=config.title, baseline=config.baseline,
        every_s=config.every_s,
    )  # fmt: skip
    return Outcome(({"kind": "served", "runs": str(config.runs), "address": place, "answered": answered},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return how many requests were answered."""
    return "\n".join(f"answered {one['answered']} requests at {one['address']}" for one in results)
