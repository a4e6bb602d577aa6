"""Which examples each rank sees in which order, and how the learning rate goes: the authors' two rules.

After LLaMA2-Accessory, ``accessory/data/conversation/dataset.py`` (sampler) and ``accessory/util/lr_sched.py``. Examples of one
kind are pooled and sorted by length, so a global batch holds one kind and similar lengths. Not here: what an example is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def pools(kinds: Sequence[str], lengths: Sequence[int]) -> list[list[int]]:
    """Places of the examples of each kind, shortest first (equal ones in order), kinds in the order of their first example."""
    found: dict[str, list[int]] = {}
    for place, kind in enumerate(kinds):
        found.setdefault(kind, []).append(place)
    return [sorted(places, key=lambda place: lengths[place]) for places in found.values()]


@dataclass(frozen=True, kw_only=True)
class LengthGroupedSampler:
    """Order of examples for one rank.

    Each pool is cut into consecutive global batches; what does not fill one (the longest examples) is left out. Only the order
    of global batches is shuffled, by ``numpy.random.default_rng(seed + epoch)``.

    Attributes:
        pools: places of examples, as `pools` returns them.
        batch: examples in a micro-batch of one rank.
        ranks: data-parallel ranks; ``rank`` is this one.
        accumulate: micro-batches of an optimiser step.
    """

    pools: Sequence[Sequence[int]]
    batch: int
    ranks: int = 1
    rank: int = 0
    accumulate: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.batch, self.ranks, self.accumulate) < 1 or not 0 <= self.rank < self.ranks:
            raise ValueError(f"batch={self.batch}, accumulate={self.accumulate}, rank={self.rank} of {self.ranks}: out of range")

    @property
    def global_batch(self) -> int:
        """Examples of one optimiser step over all ranks."""
        return self.batch * self.ranks * self.accumulate

    @property
    def steps(self) -> int:
        """Optimiser steps of an epoch."""
        return sum(len(pool) // self.global_batch for pool in self.pools)

    def __len__(self) -> int:
        """Examples that one rank sees in an epoch."""
        return self.steps * self.batch * self.accumulate

    def epoch(self, number: int, skip: int = 0) -> list[int]:
        """Places that this rank sees in an epoch, in order, without the first ``skip`` of them."""
        size = self.global_batch
        steps = [pool[at : at + size] for pool in self.pools for at in range(0, len(pool) - size + 1, size)]
        order = list(range(len(steps)))
        np.random.default_rng(self.seed + number).shuffle(order)
        flat = [place for step in order for place in steps[step]]
        starts = range(self.rank * self.batch, len(flat), self.ranks * self.batch)
        return [place for start in starts for place in flat[start : start + self.batch]][skip:]


def learning_rate(epoch: float, *, peak: float, epochs: float, warmup: float, least: float = 0.0) -> float:
    """The learning rate at a (fractional) epoch: linear warm-up over ``warmup`` epochs, then a cosine down to ``least``."""
    if epoch < warmup:
        return peak * epoch / warmup
    progress = (epoch - warmup) / (epochs - warmup)
    return least + (peak - least) * 0.5 * (1.0 + math.cos(math.pi * progress))
