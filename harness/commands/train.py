"""``riddle train``: hands settings to the training function that ``conf/train`` names, checked against its own dataclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.build import resolve
from harness.commands.outcome import Outcome
from harness.commands.rooms import call
from harness.config import TrainConfig
from harness.errors import ConfigError

CONFIG = TrainConfig


def run(config: TrainConfig) -> Outcome:
    """Train, or go on training; the result names the folder of the finished model."""
    settings = dict(config.train)
    target = settings.pop("_target_", None)
    if target is None:
        raise ConfigError("train: names no training function; add _target_")
    train = resolve(str(target), config.plugins, "train")
    return Outcome(({"kind": "model", "folder": str(call(train, settings, "train"))},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return where the models are."""
    return "\n".join(f"model: {result['folder']}" for result in results)
