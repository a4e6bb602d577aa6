"""Several processes train one model: each takes its share of a step's pictures, gradients are summed before the update.

Started by ``torchrun --nproc-per-node N -m harness.cli train ...``; alone, everything here does nothing. Small models on CPUs
gain more from a second process than from a second thread. Each process's losses are divided by the counts of the whole step, so
that N processes descend the same loss as one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from harness.errors import ConfigError

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Together:
    """This process's number among ``world``."""

    rank: int = 0
    world: int = 1
    group: Any = None
    """The processes that share a batch; None for all."""
    device: torch.device = torch.device("cpu")

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

    def sum_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replace every gradient by its sum over the processes; a weight without one in any process stays without.

        The sum is the gradient of the whole step, because every process divides its losses by what the whole step holds
        (`share_of`), not by what it holds itself.
        """
        if self.world == 1 or not weights:
            return
        used = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.uint8, device=self.device)
        distributed.all_reduce(used, op=distributed.ReduceOp.MAX, group=self.group)
        gradients = []
        for weight, some in zip(weights, used.tolist(), strict=True):
            if some:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                gradients.append(weight.grad)
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat, group=self.group)
        for gradient, whole in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(whole.view_as(gradient))

    def whole(self, counts: Tensor) -> Tensor:
        """Sum over the processes of something that carries no gradient; every process must call this alike."""
        if self.world == 1:
            return counts
        found = counts.detach().clone()
        distributed.all_reduce(found, group=self.group)
        return found

    def share_of(self, count: Tensor | float) -> Tensor | float:
        """Which part of the whole step's ``count`` (answers, labelled cells) is this process's; exactly 1 alone.

        A mean over this process's own, times this share, is its part of the mean over the whole step.
        """
        if self.world == 1:
            return 1.0
        own = torch.as_tensor(count, dtype=torch.float32, device=self.device)
        return own / self.whole(own).clamp(min=torch.finfo(torch.float32).tiny)

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
        return float(self.whole(torch.tensor(number, dtype=torch.float64, device=self.device)))

    def most(self, number: float) -> float:
        """The greatest over the processes."""
        if self.world == 1:
            return number
        value = torch.tensor(number, dtype=torch.float64, device=self.device)
        distributed.all_reduce(value, op=distributed.ReduceOp.MAX, group=self.group)
        return float(value)


ALONE = Together()
"""One process by itself."""
