"""Clock, memory and memory bandwidth of the device that a bench runs on.

Not here: what is measured (``bench``), and what decoding reads (``traffic``). On a CPU the clock is the process's CPU time and
memory is that of the process; on a GPU it is the wall clock around work that has ended there, and memory is what torch had
allocated. The choice a reader may question: a machine's bandwidth is that of a large copy in the same run, bytes read and
written counted both, and no number of a data sheet.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import torch

from harness.bench.process import peak_mib

COPY_BYTES = {"cpu": 64 * 2**20, "cuda": 2 * 2**30}
"""Bytes that are copied to measure bandwidth: far more than caches hold."""

COPIES = 10

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures work on one device."""

    device: torch.device

    @property
    def on_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.device.type == "cuda"

    @property
    def clock(self) -> str:
        """What seconds are called: ``cpu_`` goes before the unit where the process's CPU time counts."""
        return "" if self.on_gpu else "cpu_"

    def timed(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """The result and the seconds it took."""
        started = self._now()
        result = work()
        return result, self._now() - started

    def peaked(self, work: Callable[[], Result]) -> tuple[Result, float]:
        """The result and the peak in MiB: on a GPU of torch's allocations meanwhile, else of the process so far."""
        if not self.on_gpu:
            return work(), peak_mib(resource.getrusage(resource.RUSAGE_SELF))
        torch.cuda.reset_peak_memory_stats(self.device)
        return work(), torch.cuda.max_memory_allocated(self.device) / 2**20

    def bandwidth(self, size: int | None = None) -> float:
        """Bytes per second, read and written, of a copy of ``size`` bytes on the device; the median of `COPIES`."""
        count = size or COPY_BYTES[self.device.type]
        source = torch.randint(256, (count,), dtype=torch.uint8, device=self.device)
        target = torch.empty_like(source)
        target.copy_(source)
        seconds = median(self.timed(lambda: target.copy_(source))[1] for _ in range(COPIES))
        return 2 * count / max(seconds, 1e-9)

    def _now(self) -> float:
        if not self.on_gpu:
            return time.process_time()
        torch.cuda.synchronize(self.device)
        return time.perf_counter()


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least ``part`` of them do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(part * len(values)) - 1]
