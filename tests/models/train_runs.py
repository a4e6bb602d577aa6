"""What the tests of training run in processes of their own."""

from __future__ import annotations

import os
import signal
from typing import Any

import torch

from models.sphinx_x.train.config import PretrainConfig, TrainConfig
from models.sphinx_x.train.run import train


def register() -> None:
    """Add variants whose heads can be shared by two processes."""
    from dataclasses import replace

    from models.sphinx_x import variants

    found: Any = variants.VARIANTS
    for small in (variants.MICRO, variants.MICRO_MOE):
        name = f"{small.name}_even"
        found[name] = replace(small, name=name, backbone=replace(small.backbone, kv_heads=2))


def mini(**changes: Any) -> None:
    """A few steps of nano's training on the micro variant."""
    from models.sphinx_x.train import run

    values: dict[str, Any] = {"variant": "micro", "batch": 4, "turns": 3, "chunks": 1, "steps": 4, "precision": "fp32"}
    values |= {"motley": 0.5, "hints": 0.3}
    values |= {"pretrain": PretrainConfig(steps=2, batch=4, lr=1e-3), "lr": 1e-3}
    run._LOG_EVERY = 1
    torch.manual_seed(0)
    train(TrainConfig(**(values | changes)))


def annotated(data: str, folder: str, die_after: int = 0, die_saving: int = 0, **changes: Any) -> None:
    """A run of the recipe on a mixture of `tests.models.annotated`; ``die`` kills the process after or while saving a step."""
    from pathlib import Path

    from models.sphinx_x.train import one_stage, snapshots, zero
    from tests.models.annotated import recipe

    register()
    zero.KEPT = 0  # the micro variants have nothing but weights as small as the norms of others
    write, row = snapshots._write, one_stage._Run._log

    def dying_write(folder: Path, *rest: Any) -> int:
        found = write(folder, *rest)
        if f"{die_saving:08}" in folder.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    def dying_log(run: Any, *rest: Any) -> None:
        row(run, *rest)
        if run.standing.step == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    snapshots._write, one_stage._Run._log = dying_write, dying_log  # type: ignore[method-assign]
    one_stage.train(recipe(Path(data), Path(folder), **changes))
