"""Fewer experts a layer: which are kept, by chance, by name or by a criterion, and taking the others out of the model.

What is removed is gone: rows of the router and weights of the experts, so memory is saved, not only masked; over the experts that
are left the router's softmax is what it would be with the removed ones at minus infinity. Criteria:

- ``random``: a draw for every layer, or one for all (``same``). The paper draws "randomly in each layer" and names no seed.
- ``usage``, ``weight``: the experts that the fewest tokens chose, or with the least summed router weight, go; counted over the
  traces of finished runs (``inference.routing``).
- ``reconstruction``: of all subsets of n experts the one whose layer output is nearest to the full layer's on calibration prompts
  (Lu et al., Not All Experts are Equal, arXiv 2402.14800).
- ``similarity``: experts are not dropped but merged: average-linkage clusters of their mean outputs on calibration prompts,
  weights averaged by how many tokens chose each (after Chen et al., HC-SMoE, arXiv 2410.08589); the router stays, and points
  at clusters.

Calibration prompts are those of a finished run, so that its benchmark's answers play no part. Not here: what pruning costs in
score (``reports.studies.pruning``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from harness.errors import ConfigError
from harness.schema import read
from harness.traces import traces_path
from models.seeding import unit_of
from models.sphinx_x.anatomy import expert_parameters
from models.sphinx_x.inference.prompts import question
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer

log = logging.getLogger(__name__)

By = Literal["random", "usage", "weight", "reconstruction", "similarity"]

MOST_SUBSETS = 20_000
"""So many subsets of experts are tried a layer."""

Kept = tuple[tuple[int, ...], ...]
"""For each layer the numbers of the experts that stay."""


@dataclass(frozen=True, kw_only=True)
class PrunedExperts:
    """What the setting ``model.pruned_experts`` says; nothing is pruned without ``keep`` and ``remove``.

    Attributes:
        keep: experts that stay in every layer
        by: random, usage, weight, reconstruction or similarity (merges)
        seed: of the draw
        same: whether a draw takes the same numbers in all layers
        remove: instead of all others, the numbers to remove: a list for all layers, or a list of lists, one for each layer
        runs: finished runs: with traces for usage and weight, or whose prompts are the calibration set
        samples: calibration prompts
        tokens: calibration tokens a layer
    """

    keep: int | None = None
    by: By = "random"
    seed: int = 0
    same: bool = False
    remove: tuple[Any, ...] = ()
    runs: tuple[Path, ...] = ()
    samples: int = 32
    tokens: int = 1024

    def __bool__(self) -> bool:
        return self.keep is not None or bool(self.remove)


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What was done to a model: the experts left, and for merged ones the cluster of each expert, by layer."""

    kept: Kept
    clusters: Kept = ()

    def identity(self) -> list[Any]:
        """What a fingerprint needs of it."""
        return ["pruned", [list(layer) for layer in self.kept], [list(layer) for layer in self.clusters]]


def settings(values: Mapping[str, Any] | None) -> PrunedExperts:
    """Read the setting. Raises `ConfigError` naming what is unknown or ill-formed."""
    found = read(PrunedExperts, {key: value for key, value in (values or {}).items()}, "model.pruned_experts")
    if found.keep is not None and found.remove:
        raise ConfigError("model.pruned_experts: say keep or remove, not both")
    if found.by in ("usage", "weight", "reconstruction", "similarity") and found.keep is not None and not found.runs:
        needs = "traces (eval with model.trace_routing=true)" if found.by in ("usage", "weight") else "prompts to calibrate on"
        raise ConfigError(f"model.pruned_experts.by={found.by}: needs runs=[FOLDER,...], finished runs with {needs}")
    return found


def prune(model: SphinxX, tokenizer: Tokenizer, wanted: PrunedExperts) -> Pruned | None:
    """Prune a model in place; None if nothing is wanted. Fewer experts than active ones lower the active ones.

    Raises:
        ConfigError: the model is dense, a number does not fit it, or the runs do not hold what the criterion needs.
    """
    if not wanted:
        return None
    backbone = model.variant.backbone
    if not backbone.experts:
        raise ConfigError("model.pruned_experts: needs a sparse model; this one has no experts")
    if wanted.keep is not None and not 1 <= wanted.keep <= backbone.experts:
        raise ConfigError(f"model.pruned_experts.keep={wanted.keep}: this model has {backbone.experts} experts, one must stay")
    if wanted.by == "similarity" and not wanted.remove:
        pruned = _merge(model, tokenizer, wanted)
    else:
        pruned = Pruned(kept=_kept(model, tokenizer, wanted))
        for layer, kept in zip(_mixtures(model), pruned.kept, strict=True):
            _keep(layer, kept)
    least = min(len(kept) for kept in pruned.kept)
    if least < model.variant.backbone.active_experts:
        log.warning("%d experts a layer are kept, so as many are active, not %d", least, model.variant.backbone.active_experts)
        model.set_active_experts(least)
    model.kept_experts = pruned.kept
    return pruned


def sparsity(model: SphinxX, pruned: Pruned | None) -> dict[str, Any]:
    """What a run records of a sparse model: experts, active ones, and what pruning saved; empty for a dense one."""
    backbone = model.variant.backbone
    if not backbone.experts:
        return {}
    trained = int(getattr(model.language_model.config, "num_experts_per_tok", 0))  # not what is set later
    found = {"experts": backbone.experts, "layers": backbone.layers, "active_experts": backbone.active_experts}
    found |= {"trained_active_experts": trained}
    if pruned is None:
        return found
    left = sum(one.numel() for one in model.parameters())
    saved = saved_parameters(model, pruned)
    size = next(model.parameters()).element_size()
    kept = {"kept_experts": [list(layer) for layer in pruned.kept], "clusters": [list(layer) for layer in pruned.clusters]}
    return {**found, **kept, "parameters": left, "parameters_saved": saved, "bytes_saved": saved * size}


def saved_parameters(model: SphinxX, pruned: Pruned) -> int:
    """Parameters that are no longer there."""
    backbone = model.variant.backbone
    row = 0 if pruned.clusters else backbone.width
    return sum(backbone.experts - len(kept) for kept in pruned.kept) * (expert_parameters(backbone) + row)


def _mixtures(model: SphinxX) -> list[Any]:
    body: Any = model.language_model.model
    return [layer.mlp for layer in body.layers]


def _kept(model: SphinxX, tokenizer: Tokenizer, wanted: PrunedExperts) -> Kept:
    """Which experts stay, by layer."""
    backbone = model.variant.backbone
    if wanted.remove:
        return _left_of(wanted.remove, backbone.layers, backbone.experts)
    keep = backbone.experts if wanted.keep is None else wanted.keep
    if wanted.by == "random":
        return tuple(_drawn(backbone.experts, keep, wanted.seed, 0 if wanted.same else layer) for layer in range(backbone.layers))
    if wanted.by in ("usage", "weight"):
        load = load_of(wanted.runs, "count" if wanted.by == "usage" else "weight", (backbone.layers, backbone.experts))
        return tuple(tuple(sorted(np.argsort(-row, kind="stable")[:keep].tolist())) for row in load)
    return tuple(
        _nearest_subset(layer, inputs, keep)
        for layer, inputs in zip(_mixtures(model), calibration(model, tokenizer, wanted), strict=True)
    )


def _left_of(remove: Sequence[Any], layers: int, experts: int) -> Kept:
    """What stays when these numbers go. Raises `ConfigError` if they do not fit."""
    listed = [list(part) if isinstance(part, Sequence) else None for part in remove]
    gone: list[Any] = [list(remove)] * layers if None in listed else listed
    if len(gone) != layers or not all(type(one) is int and 0 <= one < experts for part in gone for one in part):
        raise ConfigError(
            f"model.pruned_experts.remove={list(remove)}: a list of numbers from 0 to {experts - 1}, or {layers} such lists"
        )
    if any(len(set(part)) >= experts for part in gone):
        raise ConfigError("model.pruned_experts.remove: one expert a layer must stay")
    return tuple(tuple(one for one in range(experts) if one not in part) for part in gone)


def _drawn(experts: int, keep: int, seed: int, layer: int) -> tuple[int, ...]:
    """The numbers with the lowest hashes: of one seed, fewer are a subset of more."""
    order = sorted(range(experts), key=lambda expert: unit_of("prune", seed, str(layer), expert))
    return tuple(sorted(order[:keep]))


def load_of(runs: Sequence[Path], column: Literal["count", "weight"], shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """Tokens or router weights of each layer and expert, summed over the traces of runs: [layers, experts].

    Raises:
        ConfigError: a run has no traces, or they are of another model.
    """
    from pyarrow import parquet

    total = np.zeros(shape)
    for folder in runs:
        path = traces_path(folder, "routing")
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; evaluate with model.trace_routing=true first")
        table = parquet.read_table(path, columns=["layer", "expert", column])
        layer, expert, value = (table[name].to_numpy() for name in ("layer", "expert", column))
        if len(layer) and (layer.max() >= shape[0] or expert.max() >= shape[1]):
            raise ConfigError(f"{path}: of a model with more than {shape[0]} layers of {shape[1]} experts")
        np.add.at(total, (layer, expert), value)
    return total


@torch.inference_mode()
def calibration(model: SphinxX, tokenizer: Tokenizer, wanted: PrunedExperts) -> list[Tensor]:
    """What each layer's mixture of experts reads on the calibration prompts: [tokens, width] a layer.

    Raises:
        ConfigError: the runs hold no prompts.
    """
    from models.sphinx_x.inference.pictures import Pictures

    seen: list[list[Tensor]] = [[] for _ in _mixtures(model)]
    hooks = [
        layer.gate.register_forward_hook(lambda _module, inputs, _output, own=own: own.append(inputs[0].flatten(0, -2)))
        for layer, own in zip(_mixtures(model), seen, strict=True)
    ]
    pictures = Pictures(model, threads=0, batch=1)
    for request in stored_requests(wanted.runs, wanted.samples):
        sequence = model.splice(pictures.alone(request), tokenizer.encode_prompt(question(request)))
        model(sequence[None], use_cache=False, logits_to_keep=1)
    for hook in hooks:
        hook.remove()
    found = [torch.cat(own) for own in seen]
    stride = max(1, len(found[0]) // wanted.tokens)
    return [inputs[::stride] for inputs in found]


def stored_requests(runs: Sequence[Path], count: int) -> list[Any]:
    """The first prompts of finished runs, in equal parts. Raises `ConfigError` if there are none."""
    from harness.data.media import from_locator
    from harness.store import Reader
    from harness.types import FramePlan, Generation, Image, Request, Text, Video

    def part(one: Mapping[str, Any]) -> Text | Image | Video:
        if "text" in one:
            return Text(one["text"])
        source = from_locator(one["locator"])
        return Video(source, FramePlan(**one["frames"])) if "video" in one else Image(source)

    found: list[Request] = []
    for number, folder in enumerate(runs):
        with Reader(folder) as reader:
            keys = dict.fromkeys(key for _, key, _ in reader.planned())
            for key in list(keys)[: (count + number) // len(runs)]:
                asked = reader.request(key)
                if asked is not None:
                    parts = tuple(part(one) for one in asked["parts"])
                    found.append(Request(key=key, sample_id=asked["sample_id"], parts=parts, generation=Generation()))
    if not found:
        raise ConfigError(f"{', '.join(map(str, runs))}: no stored prompts to calibrate on")
    return found


def _outputs(layer: Any, inputs: Tensor) -> Tensor:
    """What every expert makes of every token: [experts, tokens, width]."""
    found = []
    for up, down in zip(layer.experts.gate_up_proj, layer.experts.down_proj, strict=True):
        gate, value = linear(inputs, up).chunk(2, dim=-1)
        found.append(linear(silu(gate) * value, down))
    return torch.stack(found).float()


def _mixed(outputs: Tensor, logits: Tensor, subset: Sequence[int], active: int) -> Tensor:
    """The layer's output with only a subset of experts: [tokens, width]."""
    weights, chosen = logits[:, list(subset)].float().softmax(dim=-1).topk(min(active, len(subset)), dim=-1)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    numbers = torch.tensor(list(subset), device=chosen.device)[chosen]
    picked = outputs[numbers, torch.arange(outputs.shape[1], device=chosen.device)[:, None]]
    return (weights[..., None] * picked).sum(dim=1)


@torch.inference_mode()
def _nearest_subset(layer: Any, inputs: Tensor, keep: int) -> tuple[int, ...]:
    """The subset with the least squared error of the layer's output. Raises `ConfigError` if there are too many to try."""
    experts = len(layer.gate.weight)
    if comb(experts, keep) > MOST_SUBSETS:
        raise ConfigError(f"model.pruned_experts.by=reconstruction: {keep} of {experts} experts are too many subsets to try")
    outputs, logits = _outputs(layer, inputs), linear(inputs, layer.gate.weight)
    full = _mixed(outputs, logits, range(experts), layer.gate.top_k)
    return min(
        combinations(range(experts), keep),
        key=lambda subset: float((_mixed(outputs, logits, subset, layer.gate.top_k) - full).square().sum()),
    )


def _keep(layer: Any, kept: Sequence[int]) -> None:
    """Take the other experts out of one layer."""
    rows = torch.tensor(kept, device=layer.gate.weight.device)
    layer.gate.weight = nn.Parameter(layer.gate.weight.detach()[rows], requires_grad=False)
    for name in ("gate_up_proj", "down_proj"):
        setattr(layer.experts, name, nn.Parameter(getattr(layer.experts, name).detach()[rows], requires_grad=False))
    layer.gate.num_experts = layer.experts.num_experts = len(kept)


class ClusterRouter(nn.Module):
    """A router whose choices are translated into clusters of merged experts; two choices may meet in one."""

    def __init__(self, gate: nn.Module, clusters: Sequence[int]) -> None:
        super().__init__()
        self.gate = gate
        self.register_buffer("clusters", torch.tensor(clusters), persistent=False)

    @property
    def top_k(self) -> int:
        """Experts a token is routed to."""
        return int(self.gate.top_k)  # type: ignore[arg-type]

    @top_k.setter
    def top_k(self, count: int) -> None:
        self.gate.top_k = count  # type: ignore[assignment]

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of all experts [N, experts], weights and clusters of the chosen ones [N, k]."""
        logits, weights, chosen = self.gate(hidden)
        return logits, weights, self.clusters[chosen]  # type: ignore[index]


@torch.inference_mode()
def _merge(model: SphinxX, tokenizer: Tokenizer, wanted: PrunedExperts) -> Pruned:
    """Merge the experts of every layer into ``keep`` clusters; a cluster bears the number of its first expert."""
    from scipy.cluster.hierarchy import cut_tree, linkage

    kept: list[tuple[int, ...]] = []
    clusters: list[tuple[int, ...]] = []
    for layer, inputs in zip(_mixtures(model), calibration(model, tokenizer, wanted), strict=True):
        means = _outputs(layer, inputs).mean(dim=1).cpu().numpy()
        labels = cut_tree(linkage(means, "average"), n_clusters=wanted.keep)[:, 0].tolist()
        first = {label: labels.index(label) for label in dict.fromkeys(labels)}
        chosen = layer.gate(inputs)[2]
        usage = torch.bincount(chosen.flatten(), minlength=len(labels)).float().clamp_min(1e-6)
        order = list(first)
        for name in ("gate_up_proj", "down_proj"):
            weights = getattr(layer.experts, name).detach()
            merged = torch.stack([_average(weights, usage, [e for e, own in enumerate(labels) if own == one]) for one in order])
            setattr(layer.experts, name, nn.Parameter(merged, requires_grad=False))
        layer.experts.num_experts = len(order)
        clusters.append(tuple(order.index(label) for label in labels))
        layer.gate = ClusterRouter(layer.gate, clusters[-1])
        kept.append(tuple(first.values()))
    return Pruned(kept=tuple(kept), clusters=tuple(clusters))


def _average(weights: Tensor, usage: Tensor, members: Sequence[int]) -> Tensor:
    """Mean of the members' weights, weighted by usage."""
    share = (usage[members] / usage[members].sum()).to(weights)
    return (weights[members] * share.view(-1, *[1] * (weights.dim() - 1))).sum(dim=0)
