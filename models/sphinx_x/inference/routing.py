"""Which experts the tokens of each request went to, recorded while the engine answers.

A request's trace ``routing`` has a row for each layer, expert and kind of token (``modality``: ``image`` with the number of its
view, 0 the global one, ``prompt``, ``generated``) that met: ``count``, how many tokens chose the expert, and ``weight``, the
sum of their router weights (over the chosen experts of a token they sum to 1). Rows of count 0 are left out. The trace
``routing_tokens`` has a row for each layer, token and chosen expert. The last token of a reply is never run, so it has no rows;
the start token counts as prompt. Experts bear the numbers they were trained under, whatever was pruned.

A trace is of its request alone: what questions on one picture share is run once and counted for each of them, also where it was
run for an earlier batch; so batches, caches and resumption change nothing (where two experts tie within rounding, a token may
fall either way). What differs from an untraced run is that prompts pass the whole last layer, where they would stop at its keys
and values. Not here: what the numbers mean (``reports.studies.routing``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from transformers import PreTrainedModel

from harness.traces import packed
from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.inference.kept import Kept
from models.sphinx_x.inference.rows import Prefixes, Rows

TRACE, TOKENS = "routing", "routing_tokens"

Detail = Literal["none", "counts", "tokens"]

MODALITIES = ("image", "prompt", "generated")

KEPT_BYTES = 128 * 2**20
"""Memory that the routes of pictures may take."""

LEAST_WEIGHT = 1e-30
"""A chosen expert's weight is at least this, so that above 0 means chosen."""

Result = TypeVar("Result")


class TracingDecoder(Decoder):
    """A decoder that remembers the router weights of its last batch.

    Attributes:
        read: of the prefixes that were run (not those given as keys and values): [layers, N, experts], 0 where not chosen.
        own: the same of the suffixes, and then of each step.
    """

    def __init__(self, model: PreTrainedModel, names: Sequence[Sequence[int]]) -> None:
        """Watch the routers of a sparse model; ``names`` holds for each layer the numbers its experts were trained under."""
        super().__init__(model, whole=True)
        self._experts = 1 + max(name for layer in names for name in layer)
        self._names = torch.tensor([list(layer) for layer in names], device=self.device)  # [layers, experts there are]
        self._chosen: list[list[tuple[Tensor, Tensor]]] = [[] for _ in names]
        self._watching = False
        self.read, self.own = self._taken(), list[Tensor]()
        body: Any = model.model
        for layer, seen in zip(body.layers, self._chosen, strict=True):
            layer.mlp.gate.register_forward_hook(partial(self._note, seen))

    def _note(self, seen: list[tuple[Tensor, Tensor]], _module: object, _inputs: object, output: Sequence[Tensor]) -> None:
        if self._watching:  # transformers' own forward pass, which decides close calls, is none of ours
            seen.append((output[2], output[1]))

    def _watched(self, work: Callable[..., Result], *inputs: Any) -> tuple[Result, Tensor]:
        self._watching = True
        try:
            return work(*inputs), self._taken()
        finally:
            self._watching = False

    def _taken(self) -> Tensor:
        """What was noted since the last call: [layers, N, experts]."""
        if not self._chosen[0]:
            return torch.zeros(len(self._chosen), 0, self._experts, device=self.device)
        picked = torch.stack([torch.cat([chosen for chosen, _ in layer]) for layer in self._chosen])
        weights = torch.stack([torch.cat([weight for _, weight in layer]) for layer in self._chosen])
        for layer in self._chosen:
            layer.clear()
        named = self._names.gather(1, picked.flatten(1)).view(picked.shape)
        dense = weights.new_zeros(*picked.shape[:2], self._experts, dtype=torch.float32)
        return dense.scatter_add_(2, named, weights.float().clamp_min(LEAST_WEIGHT))

    def prefill(self, sequences: Sequence[Tensor]) -> Prefixes:
        """As `Decoder.prefill`; a new batch begins."""
        prefixes, self.read = self._watched(super().prefill, sequences)
        return prefixes

    def extend(
        self, prefixes: Prefixes, suffixes: Sequence[Sequence[Sequence[int]]], wanted: Sequence[int]
    ) -> tuple[Rows, Tensor]:
        """As `Decoder.extend`."""
        found, routes = self._watched(super().extend, prefixes, suffixes, wanted)
        self.own = [routes]
        return found

    def step(self, flights: Sequence[Rows], tokens: Tensor) -> Tensor:
        """As `Decoder.step`, of the last batch alone."""
        hidden, routes = self._watched(super().step, flights, tokens)
        self.own.append(routes)
        return hidden


@dataclass(frozen=True)
class Asked:
    """One group of a batch: what its questions share, and how long the rest of each is.

    Attributes:
        name: of its pictures; empty for text alone.
        views: view numbers of its visual positions, [visual].
        shared: positions of text that are shared, start token included.
        suffixes: tokens of each question that are its own.
        kept: whether start token and pictures were not run but taken from what was kept.
    """

    name: str
    views: Tensor
    shared: int
    suffixes: Sequence[int]
    kept: bool


@dataclass
class _Batch:
    """The prefixes of a batch and who owns which of its own tokens.

    Attributes:
        prefixes: router weights [layers, P, experts] of each group.
        groups: what was asked.
        stepped: which rows each step ran.
    """

    prefixes: list[Tensor]
    groups: Sequence[Asked]
    stepped: list[list[int]] = field(default_factory=list)


class Tracer:
    """Makes the traces of batches that a `TracingDecoder` runs."""

    def __init__(self, decoder: TracingDecoder, views: int, tokens: bool) -> None:
        """Trace with this decoder pictures of so many views; ``tokens`` adds the choices of every token."""
        self._decoder = decoder
        self._views = views
        self._tokens = tokens
        self._kept = Kept(KEPT_BYTES)
        self._batch = _Batch([], [])

    def knows(self, name: str) -> bool:
        """Whether the routes of these pictures are at hand, so that they need not be run again."""
        return name in self._kept

    def begin(self, groups: Sequence[Asked]) -> None:
        """Take over the prefixes that were just run; those of ``kept`` groups were run before."""
        lengths = [0 if group.kept else group.shared + len(group.views) for group in groups]
        runs = torch.split(self._decoder.read, lengths, dim=1)
        held = [self._kept.get(group.name) if group.kept else None for group in groups]  # before any is dropped for a new one
        prefixes = [run if known is None else known for run, known in zip(runs, held, strict=True)]
        for group, run, known in zip(groups, runs, held, strict=True):
            if known is None and len(group.views):
                self._kept.put(group.name, run[:, : 1 + len(group.views)].clone())
        self._batch = _Batch(prefixes, groups)

    def step(self, rows: Sequence[int]) -> None:
        """Note which rows (counted through the questions of the batch) the next step runs."""
        self._batch.stepped.append(list(rows))

    def traces(self) -> Iterator[dict[str, bytes]]:
        """Yield the traces of the batch's questions, in order; it is over now."""
        own = torch.cat(self._decoder.own, dim=1)
        owner, kind = self._own_tokens()
        owners = sum(len(group.suffixes) for group in self._batch.groups)
        counts = _summed(own, owner, kind, owners, self._views + 2)
        group_of = torch.tensor([place for place, group in enumerate(self._batch.groups) for _ in group.suffixes])
        shared = torch.cat([
            _summed(routes, torch.zeros(routes.shape[1], dtype=torch.long), self._prefix_kinds(group), 1, self._views + 2)
            for routes, group in zip(self._batch.prefixes, self._batch.groups, strict=True)
        ])  # fmt: skip
        tables = self._counted(counts + shared[group_of])
        for place, table in enumerate(tables):
            more = {TOKENS: self._listed(place, int(group_of[place]), own, owner, kind)} if self._tokens else {}
            yield {TRACE: table, **more}

    def _prefix_kinds(self, group: Asked) -> Tensor:
        """Kinds of the tokens of a prefix: start token, pictures, shared text."""
        prompt = torch.tensor([self._views])
        return torch.cat([prompt, group.views, prompt.expand(group.shared - 1)])

    def _own_tokens(self) -> tuple[Tensor, Tensor]:
        """Row and kind of every token after the prefixes, in the order they were run."""
        lengths = torch.tensor([length for group in self._batch.groups for length in group.suffixes])
        stepped = torch.tensor([row for rows in self._batch.stepped for row in rows], dtype=torch.long)
        owner = torch.cat([torch.repeat_interleave(torch.arange(len(lengths)), lengths), stepped])
        kind = torch.full_like(owner, self._views)
        kind[len(owner) - len(stepped) :] += 1
        return owner, kind

    def _counted(self, counts: Tensor) -> Iterator[bytes]:
        """Tables of [owners, kinds, layers, experts, count and weight]."""
        found = counts.cpu().numpy()
        owner, kind, layer, expert = np.nonzero(found[..., 0])
        values = found[owner, kind, layer, expert]
        ends = np.searchsorted(owner, np.arange(len(found) + 1))
        for start, stop in pairwise(ends.tolist()):
            part = slice(start, stop)
            yield packed({
                "layer": layer[part].astype(np.int16),
                "expert": expert[part].astype(np.int16),
                **self._named(kind[part]),
                "count": values[part, 0].astype(np.int32),
                "weight": values[part, 1].astype(np.float32),
            })  # fmt: skip

    def _listed(self, place: int, group: int, own: Tensor, owner: Tensor, kind: Tensor) -> bytes:
        """Table of the choices of one question's tokens."""
        mine = owner == place
        routes = torch.cat([self._batch.prefixes[group], own[:, mine.to(own.device)]], dim=1).cpu().numpy()
        kinds = torch.cat([self._prefix_kinds(self._batch.groups[group]), kind[mine]]).numpy()
        layer, position, expert = np.nonzero(routes)
        return packed({
            "layer": layer.astype(np.int16),
            "position": position.astype(np.int32),
            **self._named(kinds[position]),
            "expert": expert.astype(np.int16),
            "weight": routes[layer, position, expert],
        })  # fmt: skip

    def _named(self, kinds: np.ndarray[Any, Any]) -> Mapping[str, Any]:
        """Columns ``modality`` and ``view`` (-1 but for images) of kinds of tokens."""
        codes = np.clip(kinds - self._views + 1, 0, 2).astype(np.int8)
        view = np.where(kinds < self._views, kinds, -1).astype(np.int16)
        return {"modality": pa.DictionaryArray.from_arrays(codes, list(MODALITIES)), "view": view}


def _summed(routes: Tensor, owner: Tensor, kind: Tensor, owners: int, kinds: int) -> Tensor:
    """Tokens and router weights by owner and kind: [owners, kinds, layers, experts, 2] of routes [layers, N, experts]."""
    values = torch.stack([routes.gt(0).to(routes.dtype), routes], dim=-1).transpose(0, 1)
    total = values.new_zeros(owners * kinds, *values.shape[1:])
    total.index_add_(0, (owner * kinds + kind).to(values.device), values)
    return total.view(owners, kinds, *values.shape[1:])
