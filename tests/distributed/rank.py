"""One process of a run: ``python -m tests.distributed.rank DATA RUNS LOG INDEX OF DIE_AFTER PAUSE_S`` does a share."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.plan import Settings
from harness.shares import Share, evaluate_share
from tests.distributed.plug import TASKS, Teller

SETTINGS = Settings(max_failures=0.2, workers=1)


def main(data: str, runs: str, log: str, index: str, of: str, die_after: str, pause_s: str) -> None:
    model = Teller(log, die_after=int(die_after), pause_s=float(pause_s))
    result = evaluate_share(Share(int(index), int(of)), TASKS[0], model, Path(data), SETTINGS, Path(runs))
    print("left" if result is None else f"n={result.n}")


if __name__ == "__main__":
    main(*sys.argv[1:])
