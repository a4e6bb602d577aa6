"""What the tests of training run in processes of their own."""

from __future__ import annotations

from typing import Any

import torch

from models.sphinx_x.train.config import PretrainConfig, TrainConfig
from models.sphinx_x.train.run import train


def mini(**changes: Any) -> None:
    """A few steps of nano's training on the micro variant."""
    from models.sphinx_x.train import run

    values: dict[str, Any] = {"variant": "micro", "batch": 4, "turns": 3, "chunks": 1, "steps": 4, "precision": "fp32"}
    values |= {"pretrain": PretrainConfig(steps=2, batch=4, lr=1e-3), "lr": 1e-3}
    run._LOG_EVERY = 1
    torch.manual_seed(0)
    train(TrainConfig(**(values | changes)))
