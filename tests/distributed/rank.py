"""One process of a run: ``python -m tests.distributed.rank DATA RUNS LOG INDEX OF DIE_AFTER PAUSE_S`` does a share."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.model import Model
from harness.plan import Settings
from harness.run import Evaluation
from harness.shares import Share, evaluate_share
from tests.distributed.plug import TASKS, Teller

SETTINGS = Settings(max_failures=0.2, workers=1)


def whole(model: Model, data: Path, runs: Path, settings: Settings = SETTINGS) -> Evaluation:
    """The evaluation that the processes share."""
    return Evaluation(task=TASKS[0], model=model, data=data, settings=settings, runs=runs)


def main(data: str, runs: str, log: str, index: str, of: str, die_after: str, pause_s: str) -> None:
    model = Teller(log, die_after=int(die_after), pause_s=float(pause_s))
    result = evaluate_share(Share(int(index), int(of)), whole(model, Path(data), Path(runs)))
    print("left" if result is None else f"n={result.n}")


if __name__ == "__main__":
    main(*sys.argv[1:])
