"""What a run needs to go on after a kill: weights, heads, optimiser, step and core-seconds spent, in one file.

Written to a partial file and renamed, so that a kill leaves the last whole state. Data order needs no state: it follows from
the seed and the step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.errors import ConfigError
from models.sphinx_x.train.step import TrainingModel

STATE = "state.pt"


@dataclass(slots=True)
class Progress:
    """How far a phase is: ``step`` done, ``spent`` core-seconds."""

    phase: str = "see"
    step: int = 0
    spent: float = 0.0
    total: float = 0.0
    """Core-seconds of all phases and of every start."""


def save_state(
    folder: Path, training: TrainingModel, optimizers: Sequence[torch.optim.Optimizer], progress: Progress, variant: str
) -> None:
    """Replace ``state.pt`` atomically."""
    partial = folder / f"{STATE}.partial"
    torch.save(
        {
            "variant": variant,
            "model": training.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "progress": [progress.phase, progress.step, progress.spent, progress.total],
        },
        partial,
    )
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(folder / STATE)


def load_state(
    folder: Path, training: TrainingModel, optimizers: Sequence[torch.optim.Optimizer], variant: str
) -> Progress | None:
    """Go back to the saved state, if there is one. Raises `ConfigError` if it belongs to another variant."""
    path = folder / STATE
    if not path.is_file():
        return None
    state = torch.load(path, weights_only=True)
    if state["variant"] != variant:
        raise ConfigError(f"{path}: holds variant {state['variant']}, not {variant}; choose another train.folder")
    training.load_state_dict(state["model"])
    phase, step, spent, total = state["progress"]
    for optimizer, values in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(values)
    return Progress(phase, step, spent, total)
