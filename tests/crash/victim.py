"""A process that runs evaluations in forks of itself and lets them die at a chosen step.

Reads one JSON order a line: ``{data, runs, die_at, batch, pause_s, log}``. A *step* is counted before and after everything that
changes a file (rows stored, files synced, renamed, removed) and before every answer of the model; at step ``die_at`` the fork
kills itself with SIGKILL. Answers ``{pid}`` at once and ``{status, steps}`` at the end. Forking saves the second that imports
take, so that many deaths can be tested; the fork is a process like any other.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import scipy.special  # noqa: F401  (what aggregation imports late)

from harness import results, store
from harness.engine.watch import terminable
from harness.errors import HarnessError
from harness.plan import Settings
from harness.run import evaluate
from harness.types import Request
from tests.harness.fakes import FakeModel, toy_task

CHANGES = (
    *((store.Store, name) for name in ("begin_plan", "plan", "add_request", "put", "commit", "close")),
    *((results, name) for name in ("sync", "forget", "write_json", "write_scores")),
    *((Path, name) for name in ("replace", "unlink", "mkdir")),
    (parquet.ParquetWriter, "write_table"),
)


class Steps:
    """Counts steps and dies at one of them."""

    def __init__(self, die_at: int) -> None:
        self.die_at = die_at
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            self.step()
            value = function(*arguments, **named)
            self.step()
            return value

        return wrapped


def run(order: dict[str, Any]) -> int:
    """Evaluate in this fork; return the number of steps it took."""
    steps = Steps(order["die_at"])
    for owner, name in CHANGES:
        setattr(owner, name, steps.around(getattr(owner, name)))
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def answer(request: Request) -> str:
        steps.step()
        os.write(log, f"{request.sample_id}\n".encode())
        time.sleep(order["pause_s"])
        if request.sample_id in ("toy-5", "toy-11"):
            raise ValueError("this sample always fails")
        return "AB?"[int(request.key[:4], 16) % 3] + "\x00\u2028é" * 20

    task = toy_task()
    model = FakeModel(answer, batch=order["batch"])
    with terminable():
        evaluate(task, model, Path(order["data"]), Settings(max_failures=0.2, convention="lenient"), Path(order["runs"]))
    return steps.count


def main() -> None:
    """Obey orders from standard input until it ends."""
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, str(run(json.loads(line))).encode())
            except HarnessError as error:
                os.write(writing, f"! {error}".encode()[:4000])
            os._exit(0)
        os.close(writing)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        said = os.read(reading, 5000).decode("utf-8", "replace")
        os.close(reading)
        print(json.dumps({"killed": os.WIFSIGNALED(status), "said": said}), flush=True)


if __name__ == "__main__":
    main()
