"""The mini benchmarks: small versions of real ones, drawn by the mini world, written in the official file layouts.

Not a task: this package defines nothing that can be run. It writes the files which the real task's own reader reads, so that
every adapter runs end to end on any machine. What is asked is only ever about evaluation content of the world; `EVAL_TEMPLATES`
holds every sentence that is used.
"""

from __future__ import annotations

from tasks.mini.sizes import DEFAULT_N, Size
from tasks.mini.wordings import EVAL_TEMPLATES
from tasks.mini.writing import BENCHMARKS, benchmark_of, write

__all__ = ["BENCHMARKS", "DEFAULT_N", "EVAL_TEMPLATES", "Size", "benchmark_of", "write"]
