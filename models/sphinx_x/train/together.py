"""Several processes train one model: each takes its share of a step's pictures, gradients are averaged before the update.

Started by ``torchrun --nproc-per-node N -m harness.cli train ...``; alone, everything here does nothing. Small models on CPUs
gain more from a second process than from a second thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from harness.errors import ConfigError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Together:
    """This process's number among ``world``."""

    rank: int = 0
    world: int = 1

    @staticmethod
    def join(batch: int) -> Together:
        """Meet the other processes, if there are any. Raises `ConfigError` if a batch cannot be shared out evenly."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return Together()
        if batch % world:
            raise ConfigError(f"train: a batch of {batch} pictures cannot be shared out evenly among {world} processes")
        if not distributed.is_initialized():
            distributed.init_process_group("gloo")
        return Together(distributed.get_rank(), world)

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def share(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """What of a step's items is this process's."""
        return items[self.rank :: self.world]

    def average_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replace every gradient by its mean over the processes; what has none anywhere counts as zero."""
        if self.world == 1:
            return
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.world
        for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def in_turn(self, make: Callable[[], _Item]) -> _Item:
        """Let the first process make something (and write it down) before the others do."""
        made = make() if self.leads else None
        if self.world > 1:
            distributed.barrier()
        return make() if made is None else made

    def total(self, number: float) -> float:
        """The sum over the processes."""
        if self.world == 1:
            return number
        value = torch.tensor(number, dtype=torch.float64)
        distributed.all_reduce(value)
        return float(value)
