"""Backward pass, gradients over processes, clipping and update, behind one interface: plain torch, or DeepSpeed's ZeRO.

Both keep fp32 master weights, and give and take their whole state by the names of weights, so that a checkpoint fits any number
of processes and either engine. Not here: the schedule and the data (``one_stage``), files (``snapshots``).
"""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from harness.errors import ConfigError
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
    return ZeroEngine(objective, config, grid)


def _adamw(objective: Objective, config: RecipeConfig) -> torch.optim.AdamW:
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
        self._optimizer = _adamw(objective, config)

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


class ZeroEngine:
    """DeepSpeed, ZeRO stage 2: each process keeps its share of the optimiser's states and of the gradients."""

    def __init__(self, objective: Objective, config: RecipeConfig, grid: Grid) -> None:
        deepspeed = find_deepspeed()
        self._world, self.applied = grid.together.world, 0
        positions = {name: value.clone() for name, value in objective.model.language_model.named_buffers()}
        self._engine = deepspeed.initialize(
            model=objective,
            model_parameters=[weight for weight in objective.parameters() if weight.requires_grad],
            optimizer=_adamw(objective, config),
            config=deepspeed_config(config, grid),
        )[0]
        for name, value in positions.items():  # DeepSpeed casts these too; rotary angles need all their digits
            owner, _, last = name.rpartition(".")
            setattr(objective.model.language_model.get_submodule(owner), last, value.to(grid.device))
        self.module = self._engine
        self._named = {name: weight for name, weight in objective.named_parameters() if weight.requires_grad}
        self._begin(0)

    def _begin(self, applied: int) -> None:
        """Give AdamW its moments now: DeepSpeed links them to weights after the first group's update, when others have none."""
        self.applied = applied
        zero: Any = self._engine.optimizer
        for flat in zero.single_partition_of_fp32_groups:
            moments = {key: torch.zeros_like(flat) for key in MOMENTS}
            zero.optimizer.state[flat] = {"step": torch.tensor(float(applied)), **moments}
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Add the gradients of a micro-batch; they are averaged over processes, so the loss is multiplied by their number."""
        self._engine.set_gradient_accumulation_boundary(last)
        self._engine.backward(loss * self._world, scale_wrt_gas=False)

    def update(self, lr: float) -> float:
        """Clip and update."""
        for group in self._engine.optimizer.param_groups:
            group["lr"] = lr
        self._engine.step()
        norm = float(self._engine.get_global_grad_norm())
        self.applied += int(math.isfinite(norm))
        return norm

    def state(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Weights and moments by name."""
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

        for name, weight in self._named.items():
            moments = {key: safe_get_full_optimizer_state(weight, key) for key in MOMENTS}
            yield name, {WEIGHT: safe_get_full_fp32_param(weight), **moments}

    @torch.no_grad()
    def restore(self, read: Read, applied: int) -> None:
        """Take weights and moments back."""
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

        self._begin(applied)
        for name, weight in self._named.items():
            whole = read(name, WEIGHT)
            weight.copy_(whole)
            safe_set_full_fp32_param(weight, whole.to(weight.device))
            for key in MOMENTS if applied else ():
                safe_set_full_optimizer_state(weight, read(name, key).to(weight.device), key)


def deepspeed_config(config: RecipeConfig, grid: Grid) -> dict[str, Any]:
    """DeepSpeed's own settings for a recipe; accumulation is steered by `ZeroEngine.backward`."""
    return {
        "train_micro_batch_size_per_gpu": config.micro,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.clip,
        "bf16": {"enabled": config.precision == "bf16"},
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": 2,
            "overlap_comm": grid.device.type == "cuda",
            "contiguous_gradients": True,
            "reduce_bucket_size": 5e7,
        },
        "steps_per_print": 10**9,
    }


def find_deepspeed() -> Any:
    """Import DeepSpeed so that nothing is compiled at the start.

    On a CPU it would build an operator for shared memory: minutes, and a process that is killed meanwhile leaves a lock that
    every later one waits for. Gloo does the same work without.

    Raises:
        ConfigError: it is not installed, or a build that was killed has left its lock.
    """
    if importlib.util.find_spec("deepspeed") is None:
        raise ConfigError("train.parallel.engine=deepspeed: is not installed; pip install 'riddle-eval[train-deepspeed]'")
    refuse_stale_locks()
    if not torch.cuda.is_available():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    if not torch.cuda.is_available():
        deepspeed.ops.__compatible_ops__ = {**deepspeed.ops.__compatible_ops__, "deepspeed_shm_comm": False}
    return deepspeed


LOCK_AGE_S = 1800
"""A lock older than this is nobody's: operators are compiled in minutes."""


def refuse_stale_locks(folder: Path | None = None) -> None:
    """Look for locks of operators that torch was compiling when its process was killed. Raises `ConfigError` naming them."""
    root = folder or Path(os.environ.get("TORCH_EXTENSIONS_DIR") or Path.home() / ".cache" / "torch_extensions")
    stale = [path for path in root.glob("**/lock") if time.time() - path.stat().st_mtime > LOCK_AGE_S]
    if stale:
        named = ", ".join(map(str, stale))
        raise ConfigError(f"{named}: left by a compilation that was killed, and would be waited for without end; remove it")
