"""Experts that stay in their file and come into memory when a router calls them, for sparse models that do not fit.

A layer keeps the experts it used last, at most ``cache`` of them, and reads one at a time from the mapped file, in the file's
precision. What it computes is what transformers computes with all experts at hand, product by product and sum by sum, so no
answer depends on ``cache``: the batch is sorted by expert, and the sum over a token's experts runs in the router's order,
whatever the order in which experts are read. Layers have caches of their own, since a pass goes through the layers in turn and
would find nothing in a common one. Not here: taking experts out for good (``pruning``).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from harness.errors import ConfigError
from models.sphinx_x.model import SphinxX
from models.sphinx_x.sources import Safetensors

_EXPERTS = re.compile(r"language_model\.model\.layers\.\d+\.mlp\.experts\.\w+")


def is_expert(name: str) -> bool:
    """Whether a tensor holds the experts of a layer."""
    return _EXPERTS.fullmatch(name) is not None


@dataclass
class Account:
    """What the experts of all layers took so far: ``bytes`` in memory, ``most`` of them at any time, ``reads`` from the file."""

    bytes: int = 0
    most: int = 0
    reads: int = 0

    def add(self, size: int) -> None:
        """Count memory taken, or given back where negative."""
        self.bytes += size
        self.most = max(self.most, self.bytes)


Expert = tuple[Tensor, Tensor]
"""Gate and up stacked [2 * ffn, width], and down [width, ffn]."""


class OffloadedExperts(nn.Module):
    """In the place of a layer's experts in transformers; it has no parameters."""

    def __init__(self, source: Safetensors, prefix: str, cache: int, account: Account) -> None:
        """``prefix`` is the layer's name in the file, ``language_model.model.layers.3.mlp.experts``."""
        super().__init__()
        self._source, self._cache, self._account = source, cache, account
        self._names = tuple(f"{prefix}.{part}" for part in ("gate_up_proj", "down_proj"))
        self._held: OrderedDict[int, Expert] = OrderedDict()

    def forward(self, hidden: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """Tokens [N, width] with the numbers [N, k] and weights [N, k] of their experts -> [N, width]."""
        active = chosen.shape[1]
        numbers, order = torch.sort(chosen.reshape(-1))
        inputs = hidden[order // active]
        called, counts = torch.unique_consecutive(numbers, return_counts=True)
        ends = counts.cumsum(0).tolist()
        spans = {expert: (end - count, end) for expert, end, count in zip(called.tolist(), ends, counts.tolist(), strict=True)}
        out = torch.empty_like(inputs)
        for expert in self._in_turn(list(spans)):
            start, end = spans[expert]
            gate_up, down = self._expert(expert, hidden)
            gate, up = (inputs[start:end] @ gate_up.t()).chunk(2, dim=-1)
            out[start:end] = (silu(gate) * up) @ down.t()
        weighted = torch.empty_like(out)
        weighted[order] = out * weights.reshape(-1)[order, None]
        return weighted.view(len(hidden), active, -1).sum(dim=1)

    def _in_turn(self, called: Sequence[int]) -> list[int]:
        """Those in memory first, so that none of them makes way before it is used."""
        return sorted(called, key=lambda expert: expert not in self._held)

    def _expert(self, number: int, like: Tensor) -> Expert:
        """An expert's weights, from memory or the file, in the precision and on the device of ``like``."""
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        while len(self._held) >= self._cache:
            _, old = self._held.popitem(last=False)
            self._account.add(-_bytes(old))
            del old
        gate_up, down = (self._source.row(name, number).to(like.device, like.dtype) for name in self._names)
        self._held[number] = gate_up, down
        self._account.add(_bytes((gate_up, down)))
        self._account.reads += 1
        return gate_up, down


def _bytes(expert: Expert) -> int:
    return sum(part.nbytes for part in expert)


def offload(model: SphinxX, weights: Path, cache: int) -> Account:
    """Replace the experts of all layers, whatever is in them, by those of a file that keep ``cache`` a layer in memory.

    Raises:
        ConfigError: the model is dense, or the number is out of range.
    """
    backbone = model.variant.backbone
    if not 1 <= cache <= backbone.experts:
        raise ConfigError(f"model.expert_cache={cache}: this model has {backbone.experts or 'no'} experts a layer")
    source, account = Safetensors(weights), Account()
    language: Any = model.language_model
    for number, layer in enumerate(language.model.layers):
        layer.mlp.experts = OffloadedExperts(source, f"language_model.model.layers.{number}.mlp.experts", cache, account)
    return account
