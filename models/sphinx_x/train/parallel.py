"""Which process does what: groups that share the batch, groups that hold one language model, and that model's cut.

The cut is transformers' own (``tp_plan`` on DTensors, and its fully sharded data parallel beside it); nothing here communicates
by itself. Started by ``torchrun``; alone, everything here does nothing. Not here: gradients and updates (``engines``).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn

from harness.errors import ConfigError
from models.sphinx_x.model import SphinxX
from models.sphinx_x.train.recipe import ParallelConfig
from models.sphinx_x.train.together import Together


@dataclass(frozen=True, slots=True)
class Grid:
    """This process's place.

    Attributes:
        together: the processes that share the batch with it, ``tensor`` those that hold one language model.
        leads: whether it writes what all have in common; ``speaks`` whether it writes what its share of the batch gave.
        shards: the processes over which weights are sharded; None keeps them whole.
    """

    together: Together
    tensor: int
    device: torch.device
    leads: bool = True
    speaks: bool = True
    shards: Any = None

    @property
    def cut(self) -> bool:
        """Whether weights of the language model are DTensors."""
        return self.tensor > 1 or self.shards is not None

    @staticmethod
    def meet(parallel: ParallelConfig) -> Grid:
        """Meet the other processes, if there are any. Raises `ConfigError` if they cannot share the work in this way."""
        tensor = parallel.tensor
        world, local = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))
        if world % tensor:
            raise ConfigError(f"train.parallel.tensor={tensor}: does not divide {world} processes; start them with torchrun")
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if world == 1:
            return Grid(Together(device=device), tensor, device)
        if 1 < tensor < world and parallel.engine == "torch":
            raise ConfigError(f"train.parallel: {world // tensor} groups of {tensor} processes need engine=fsdp")
        if cuda:
            torch.cuda.set_device(device)
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if cuda else "gloo")
        rank = distributed.get_rank()
        group = shards = None
        if tensor > 1 or parallel.engine == "fsdp":
            mesh = distributed.init_device_mesh(device.type, (world // tensor, tensor), mesh_dim_names=("data", "tensor"))
            group = mesh["data"].get_group()
            shards = mesh["data"] if parallel.engine == "fsdp" and world > tensor else None
        together = Together(rank // tensor, world // tensor, group, device)
        return Grid(together, tensor, device, rank == 0, rank % tensor == 0, shards)

    def barrier(self) -> None:
        """Wait for all processes."""
        if distributed.is_initialized():
            distributed.barrier()


def cut_language_model(model: SphinxX, grid: Grid, scratch: Path) -> None:
    """Replace the language model by its part for this process, by transformers' plan for its kind.

    It passes through a folder, because loading is where transformers cuts.

    Raises:
        ConfigError: this version of transformers does not know such a cut.
    """
    try:
        from transformers.distributed import DistributedConfig

        plan: Any = DistributedConfig(tp_size=grid.tensor, fsdp_size=grid.together.world)
    except (ImportError, TypeError) as error:
        raise ConfigError(f"train.parallel.tensor={grid.tensor}: needs a newer transformers ({error})") from error
    language = model.language_model
    if grid.leads:
        shutil.rmtree(scratch, ignore_errors=True)
        language.save_pretrained(scratch)
    grid.barrier()
    kind: Any = type(language)
    model.language_model = kind.from_pretrained(scratch, distributed_config=plan, dtype=torch.float32)
    model.language_model.train()
    grid.barrier()
    if grid.leads:
        shutil.rmtree(scratch)


def shard(objective: nn.Module, frozen: nn.Module, grid: Grid) -> None:
    """Shard what is not of the language model too, and make the whole the root that gathers weights; ``frozen`` stays whole."""
    from torch.distributed.fsdp import fully_shard

    fully_shard(objective, mesh=grid.shards, reshard_after_forward=False, ignored_params=set(frozen.parameters()))
