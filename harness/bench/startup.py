"""How long the command takes to answer, in units of a bare interpreter start on the same machine.

CPU seconds of child processes are measured, not wall time, so that other work on the machine hardly matters; bare starts and
commands alternate, so that what is left of it falls on both alike.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import HarnessError

LIMIT = 10.0
"""Bare interpreter starts that `--help` and `ls tasks` may take."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "riddle --help": ("--help",),
    "riddle ls tasks": ("ls", "tasks"),
    "riddle ls task NAME": ("ls", "task", "pope"),
}


def bench_startup(repeats: int = 15) -> list[dict[str, Any]]:
    """Return a row a command: median CPU milliseconds, wall milliseconds, and the ratio to a bare ``python -c pass``.

    Args:
        repeats: starts of each; the median is taken.
    """
    bare = [sys.executable, "-c", "pass"]
    programs = {name: [sys.executable, "-m", "harness.cli", *words] for name, words in COMMANDS.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("python -c pass", *programs)}
    for _ in range(repeats):
        times["python -c pass"].append(_timed(bare))
        for name, program in programs.items():
            times[name].append(_timed(program))
    unit = statistics.median(cpu for cpu, _ in times["python -c pass"])
    return [_row(name, measured, unit) for name, measured in times.items()]


def _row(name: str, measured: Sequence[tuple[float, float]], unit: float) -> dict[str, Any]:
    cpu = statistics.median(cpu for cpu, _ in measured)
    wall = statistics.median(wall for _, wall in measured)
    row = {"name": name, "cpu_ms": round(cpu * 1000, 1), "wall_ms": round(wall * 1000, 1), "bare_starts": round(cpu / unit, 1)}
    return {**row, "limit": LIMIT if name in COMMANDS else None, "ok": cpu / unit <= LIMIT if name in COMMANDS else None}


def _timed(program: Sequence[str]) -> tuple[float, float]:
    """Run a program to its end and return its CPU and wall seconds.

    Raises:
        HarnessError: it failed, so there is nothing to measure.
    """
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    if done.returncode:
        raise HarnessError(f"{' '.join(program[1:])} failed with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, ended - begun
