"""Runs a command in a process of its own, and says what the system says of it at its end: CPU time and peak memory."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import HarnessError


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a process took, and the text that it wrote."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    said: str

    def row(self) -> dict[str, float]:
        """The numbers, rounded for a table."""
        return {"cpu_s": round(self.cpu_s, 2), "wall_s": round(self.wall_s, 2), "peak_mib": round(self.peak_mib, 1)}


def measured(arguments: Sequence[str], expected: str) -> Measured:
    """Run ``python ARGUMENTS``. Raises `HarnessError` with what it wrote if it fails or does not write ``expected``."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = os.posix_spawn(
            sys.executable,
            [sys.executable, *arguments],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)],
        )
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - begun
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if status != 0 or expected not in said:
        raise HarnessError(f"the measured process ended with status {status}:\n{said[-2000:]}")
    return Measured(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mib=peak_mib(usage), said=said)


def peak_mib(usage: resource.struct_rusage) -> float:
    """Return the peak memory of a process in MiB; the system counts in KiB, macOS in bytes."""
    return usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
