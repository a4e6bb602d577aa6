"""Backward pass, gradients over processes, clipping and update, behind one interface; here in plain torch.

All engines keep fp32 master weights, and give and take their whole state by the names of weights, so that a checkpoint fits any
number of processes and any engine. Not here: DeepSpeed's ZeRO (``zero``), the schedule and the data (``one_stage``), files
(``snapshots``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from models.sphinx_x.train.objective import Objective
from models.sphinx_x.train.parallel import Grid
from models.sphinx_x.train.recipe import RecipeConfig

MOMENTS = ("exp_avg", "exp_avg_sq")
WEIGHT = "weight"
Read = Callable[[str, str], Tensor]
"""(name of a weight, ``weight`` or one of `MOMENTS`) -> the whole tensor, fp32."""


class Engine(Protocol):
    """What a training loop needs of an engine.

    Attributes:
        module: computes losses; ``applied`` updates were made.
    """

    module: Any
    applied: int

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Add the gradients of a micro-batch; ``last`` ends the step's."""
        ...

    def update(self, lr: float) -> float:
        """Clip and update; returns the gradient's norm before clipping. A norm that is not finite updates nothing."""
        ...

    def state(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Whole fp32 weight and moments of every trained weight; all processes must go through it."""
        ...

    def restore(self, read: Read, applied: int) -> None:
        """Take a state back."""
        ...


def build_engine(objective: Objective, config: RecipeConfig, grid: Grid) -> Engine:
    """The engine that the configuration names. Raises `ConfigError` if DeepSpeed is wanted and not there."""
    if config.parallel.engine != "deepspeed":
        return TorchEngine(objective, config, grid)
    from models.sphinx_x.train.zero import Zero2Engine, Zero3Engine

    return (Zero3Engine if config.parallel.zero == 3 else Zero2Engine)(objective, config, grid)


def adamw(objective: Objective, config: RecipeConfig) -> torch.optim.AdamW:
    """AdamW; biases and norms never decay. Weights cut over processes are a group of their own."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for weight in objective.parameters():
        if weight.requires_grad:
            groups.setdefault((weight.dim() < 2, isinstance(weight, DTensor)), []).append(weight)
    listed = [{"params": found, "weight_decay": 0.0 if plain else config.weight_decay} for (plain, _), found in groups.items()]
    return torch.optim.AdamW(listed, lr=config.lr, betas=config.betas, foreach=False)


class TorchEngine:
    """fp32 weights, whole or DTensors, under autocast; gradients are summed over the processes that share the batch."""

    def __init__(self, objective: Objective, config: RecipeConfig, grid: Grid) -> None:
        self.module = objective
        self.applied = 0
        self._clip, self._grid = config.clip, grid
        self._named = {name: weight for name, weight in objective.named_parameters() if weight.requires_grad}
        self._optimizer = adamw(objective, config)

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Add the gradients of a micro-batch."""
        loss.backward()  # type: ignore[no-untyped-call]

    def update(self, lr: float) -> float:
        """Sum, clip, update."""
        together = self._grid.together
        together.sum_gradients([weight for weight in self._named.values() if not isinstance(weight, DTensor)])
        gradients = [weight.grad for weight in self._named.values() if weight.grad is not None]
        for gradient in gradients:
            if isinstance(gradient, DTensor) and self._grid.shards is not None:
                gradient.mul_(together.world)  # fully sharded data parallel has averaged them
        norm = math.sqrt(sum(float(_whole(gradient.float().norm())) ** 2 for gradient in gradients))
        if math.isfinite(norm):
            for gradient in gradients:
                gradient.mul_(min(1.0, self._clip / (norm + 1e-6)))
            for group in self._optimizer.param_groups:
                group["lr"] = lr
            self._optimizer.step()
            self.applied += 1
        self._optimizer.zero_grad(set_to_none=True)
        return norm

    def state(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Weights and moments by name; moments are missing before the first update."""
        for name, weight in self._named.items():
            moments = {key: _whole(value) for key, value in self._optimizer.state[weight].items() if key in MOMENTS}
            yield name, {WEIGHT: _whole(weight.detach()), **moments}

    @torch.no_grad()
    def restore(self, read: Read, applied: int) -> None:
        """Take weights and moments back."""
        self.applied = applied
        for name, weight in self._named.items():
            weight.copy_(_like(read(name, WEIGHT), weight))
            if applied:
                moments = {key: _like(read(name, key), weight) for key in MOMENTS}
                self._optimizer.state[weight] = {"step": torch.tensor(float(applied)), **moments}


def _whole(value: Tensor) -> Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _like(value: Tensor, weight: Tensor) -> Tensor:
    """A whole tensor, on the device and cut as ``weight`` is."""
    value = value.to(weight.device).clone()
    return distribute_tensor(value, weight.device_mesh, weight.placements) if isinstance(weight, DTensor) else value
