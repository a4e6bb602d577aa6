"""``riddle data mini``: draws the small versions of the benchmarks in their official file layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from harness.commands.outcome import Outcome
from harness.commands.places import mini_root
from harness.commands.rooms import MINI, function
from harness.config import DataConfig

CONFIG = DataConfig


def run(config: DataConfig) -> Outcome:
    """Draw what is missing of the benchmarks asked for."""
    root = config.root or mini_root(config.paths, config.mini)
    named = {"benchmarks": config.benchmarks} if config.benchmarks else {}
    folders = function(MINI)(root, **named, **dataclasses.asdict(config.mini))
    return Outcome(tuple({"kind": "data", "benchmark": folder.name, "folder": str(folder)} for folder in folders))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the folders, one a line."""
    return "\n".join(result["folder"] for result in results)
