"""riddle's engine: asks models the questions of benchmarks, scores the replies as the benchmarks' authors do.

The names below are the public surface; everything else is internal to its module. They are imported when first used, so that
``import harness`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.catalog import find_task
    from harness.errors import HarnessError
    from harness.metrics.aggregate import Metric
    from harness.model import Capabilities, Model
    from harness.plan import Settings
    from harness.results import Result, load_results
    from harness.run import evaluate, score_run
    from harness.task import Card, Convention, Layout, Task
    from harness.types import Generation, Request, Response, Sample

__all__ = [
    "Capabilities",
    "Card",
    "Convention",
    "Generation",
    "HarnessError",
    "Layout",
    "Metric",
    "Model",
    "Request",
    "Response",
    "Result",
    "Sample",
    "Settings",
    "Task",
    "evaluate",
    "find_task",
    "load_results",
    "score_run",
]

_HOMES = {
    "catalog": ("find_task",),
    "errors": ("HarnessError",),
    "metrics.aggregate": ("Metric",),
    "model": ("Capabilities", "Model"),
    "plan": ("Settings",),
    "results": ("Result", "load_results"),
    "run": ("evaluate", "score_run"),
    "task": ("Card", "Convention", "Layout", "Task"),
    "types": ("Generation", "Request", "Response", "Sample"),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"harness.{module}"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
