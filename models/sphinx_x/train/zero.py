"""DeepSpeed's ZeRO as an engine of training: stage 2 shards optimiser states and gradients, stage 3 the language model as well.

Both stages need every process to do the same in the same order, while pictures differ from process to process: one has tiles
that are skipped, another a micro-batch without pictures. Stage 2 fills buckets with gradients as they arrive and sums buckets
position by position, without a look at what lies there, so `Objective.embeddings` lets them arrive alike. Stage 3 gathers
weights module by module and compares the order of modules over processes, so the visual part (encoders, projection, single
tokens), which is called as often as there are views, is kept whole between updates and out of its sight. The language model is
called once a micro-batch everywhere, its experts as one module. Not here: plain torch and its fully sharded data parallel
(``engines``).
"""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from harness.errors import ConfigError
from models.sphinx_x.train.engines import MOMENTS, WEIGHT, Read, adamw
from models.sphinx_x.train.objective import Objective
from models.sphinx_x.train.parallel import Grid
from models.sphinx_x.train.recipe import RecipeConfig

KEPT = 10**5
"""Weights of the language model with at most so many elements (norms) are not cut in stage 3 (DeepSpeed's own default)."""


class Zero2Engine:
    """Stage 2: each process keeps its share of the optimiser's states and of the gradients."""

    def __init__(self, objective: Objective, config: RecipeConfig, grid: Grid) -> None:
        deepspeed = find_deepspeed()
        if "MASTER_ADDR" not in os.environ:
            raise ConfigError("train.parallel.engine=deepspeed: start it with torchrun --nproc-per-node N, also for one process")
        self._world, self._rank, self.applied = grid.together.world, grid.together.rank, 0
        positions = {name: value.clone() for name, value in objective.model.language_model.named_buffers()}
        settings = deepspeed_config(config, grid)
        self._prepare(deepspeed, objective, config, settings)
        self._engine = deepspeed.initialize(
            model=objective,
            model_parameters=[weight for weight in objective.parameters() if weight.requires_grad],
            optimizer=adamw(objective, config),
            config=settings,
        )[0]
        for name, value in positions.items():  # DeepSpeed casts these too; rotary angles need all their digits
            owner, _, last = name.rpartition(".")
            setattr(objective.model.language_model.get_submodule(owner), last, value.to(grid.device))
        self.module = self._engine
        self._named = {name: weight for name, weight in objective.named_parameters() if weight.requires_grad}
        self._begin(0)

    def _prepare(self, deepspeed: Any, objective: Objective, config: RecipeConfig, settings: dict[str, Any]) -> None:
        """What precedes DeepSpeed's own start."""

    def _begin(self, applied: int) -> None:
        """Give AdamW its moments now: DeepSpeed links them to weights after the first group's update, when others have none."""
        zero: Any = self._engine.optimizer
        self._make_moments(zero.single_partition_of_fp32_groups, applied)
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()

    def _make_moments(self, flats: list[Tensor], applied: int) -> None:
        self.applied = applied
        for flat in flats:
            moments = {key: torch.zeros_like(flat) for key in MOMENTS}
            self._engine.optimizer.optimizer.state[flat] = {"step": torch.tensor(float(applied)), **moments}

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


class Zero3Engine(Zero2Engine):
    """Stage 3: each process keeps its share of the language model as well, and gathers a module when it is called."""

    def _prepare(self, deepspeed: Any, objective: Objective, config: RecipeConfig, settings: dict[str, Any]) -> None:
        """Cut the weights one by one, so that a device never holds all of them."""
        if config.precision == "bf16":
            for weight in objective.parameters():
                weight.data = weight.data.bfloat16()
        deepspeed.init_distributed()
        deepspeed.zero.Init(module=objective, config_dict_or_path=settings, dtype=next(objective.parameters()).dtype)
        place = torch.device(deepspeed.get_accelerator().current_device_name())
        for module in objective.modules():
            for name, value in module.named_buffers(recurse=False):
                setattr(module, name, value.to(place))
        self._objective = objective

    def _begin(self, applied: int) -> None:
        """Take the visual part out of DeepSpeed's sight, and give AdamW its moments."""
        zero: Any = self._engine.optimizer
        model = self._objective.model
        for name, weight in model.named_parameters():
            if not name.startswith("language_model.") and not weight.ds_persist:
                weight.ds_persist = True
                zero.persistent_parameters.append(weight)
        for module in _visual(model):
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        self._make_moments(zero.fp32_partitioned_groups_flat, applied)
        self._gather()

    def _gather(self) -> None:
        """Make whole what is kept whole: DeepSpeed cuts it for an update, and after one that overflowed leaves it so."""
        persistent = self._engine.optimizer.persistent_parameters
        persistent[0].all_gather(persistent)

    def update(self, lr: float) -> float:
        """Clip and update."""
        norm = super().update(lr)
        self._gather()
        return norm

    @torch.no_grad()
    def restore(self, read: Read, applied: int) -> None:
        """Take weights and moments back."""
        from deepspeed.utils import safe_set_local_fp32_param, safe_set_local_optimizer_state

        self._begin(applied)
        zero: Any = self._engine.optimizer
        zero._partition_all_parameters()
        for name, weight in self._named.items():
            share: Any = weight
            size, place = share.ds_tensor.numel(), share.ds_tensor.device
            safe_set_local_fp32_param(weight, share_of(read(name, WEIGHT), size, self._rank).to(place))
            for key in MOMENTS if applied else ():
                safe_set_local_optimizer_state(weight, share_of(read(name, key), size, self._rank).to(place), key)
        for number in range(len(zero.fp16_groups)):
            zero._reassign_or_swap_out_partitioned_parameters(number)
        self._gather()


def _visual(model: nn.Module) -> Iterator[nn.Module]:
    """All modules but the language model and the root."""
    for name, module in model.named_modules():
        if name and name.split(".")[0] != "language_model":
            yield module


def share_of(whole: Tensor, size: int, rank: int) -> Tensor:
    """The process's ``size`` elements of a flat tensor; the last process's are filled up with zeros."""
    own = whole.flatten()[rank * size : (rank + 1) * size]
    return pad(own, (0, size - len(own)))


def deepspeed_config(config: RecipeConfig, grid: Grid) -> dict[str, Any]:
    """DeepSpeed's own settings for a recipe; accumulation is steered by `ZeroEngine.backward`."""
    return {
        "train_micro_batch_size_per_gpu": config.micro,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": config.clip,
        "bf16": {"enabled": config.precision == "bf16"},
        "zero_allow_untested_optimizer": True,
        "zero_optimization": {
            "stage": config.parallel.zero,
            "overlap_comm": grid.device.type == "cuda",
            "contiguous_gradients": True,
            "reduce_bucket_size": 5e7,
            "stage3_param_persistence_threshold": KEPT,
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
