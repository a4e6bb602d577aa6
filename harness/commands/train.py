"""``riddle train``: hands settings to the training function that ``conf/train`` names, checked against its own dataclass."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from harness.build import resolve
from harness.commands.outcome import Outcome
from harness.config import TrainConfig
from harness.errors import ConfigError
from harness.schema import read

CONFIG = TrainConfig


def run(config: TrainConfig) -> Outcome:
    """Train, or go on training; the result names the folder of the finished model."""
    settings = dict(config.train)
    target = settings.pop("_target_", None)
    if target is None:
        raise ConfigError("train: names no training function; add _target_")
    train = resolve(str(target), config.plugins, "train")
    shape = typing.get_type_hints(train)["config"]
    try:
        checked = read(shape, settings)
    except ConfigError as error:
        raise ConfigError("\n".join(f"train.{problem}" for problem in str(error).splitlines())) from error
    return Outcome(({"kind": "model", "folder": str(train(checked))},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return where the models are."""
    return "\n".join(f"model: {result['folder']}" for result in results)
