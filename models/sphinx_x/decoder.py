"""A lean forward pass over transformers' Llama and Mixtral weights for many questions behind few shared prefixes.

Not here: what is asked, when a reply ends, and how batches are made (``engine``, ``schedule``). The choice a reader may
question is that this file exists at all: in a small model transformers' bookkeeping per token costs more than its arithmetic,
and its caches hold a copy of the picture's keys and values for every question on it. Here linear layers see packed tokens
without any padding, and attention reads a picture's keys and values once for all of its questions. Tested equal to transformers'
own forward pass. On a GPU the same code runs eagerly, without graphs or static shapes, and has not been timed there.

Letters in shapes: G groups (prefixes), Q slots (questions) a group, T new columns, P prefix columns, S own columns, N tokens
packed, H heads, K key-value heads, R = H / K, D channels a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention
from transformers import PreTrainedModel

from models.sphinx_x.layers import DecoderLayer

Attend = Callable[[int, Tensor | None, Tensor, Tensor], Tensor | None]
"""(layer, queries [N, H, D], keys [N, K, D], values [N, K, D]) -> [N, H * D]; queries and keys are rotated.

It keeps the keys and values; without queries that is all it does."""

DENSE_CHUNK, SPARSE_CHUNK = 1280, 1600
"""Prefix tokens that run together on a CPU: more would leave its caches, and experts need more to have enough each."""

ROOM = 32
"""Own columns for replies at first; doubled whenever they are full, since most replies end early."""


@dataclass(frozen=True, slots=True)
class Ragged:
    """Where packed tokens lie in a padded table of rows and columns; both indices are None if every cell is taken.

    Attributes:
        tokens: for each cell the token in it, or token 0 where there is none: [rows * columns].
        cells: for each token its cell: [N].
    """

    columns: int
    tokens: Tensor | None = None
    cells: Tensor | None = None

    @staticmethod
    def of(lengths: Sequence[int], columns: int, device: torch.device, *, right: bool = False) -> Ragged:
        """Rows of these lengths, aligned left or right."""
        if all(length == columns for length in lengths):
            return Ragged(columns)
        counts = torch.tensor(lengths, device=device)
        first = torch.arange(len(lengths), device=device) * columns + (columns - counts if right else 0)
        cells = torch.repeat_interleave(first - (counts.cumsum(0) - counts), counts)
        cells += torch.arange(len(cells), device=device)
        tokens = torch.zeros(len(lengths) * columns, dtype=torch.long, device=device)
        tokens[cells] = torch.arange(len(cells), device=device)
        return Ragged(columns, tokens, cells)

    def pad(self, packed: Tensor) -> Tensor:
        """[N, ...] -> [rows * columns, ...]; cells without a token repeat token 0."""
        return packed if self.tokens is None else packed.index_select(0, self.tokens)

    def pack(self, padded: Tensor) -> Tensor:
        """[rows * columns, ...] -> [N, ...]."""
        return padded if self.cells is None else padded.index_select(0, self.cells)


class Storage:
    """Memory that is taken once and handed out again and again, so that no batch pays for fresh pages."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._flat = torch.empty(0, dtype=dtype, device=device)

    def take(self, *shape: int) -> Tensor:
        """An uninitialised tensor of this shape; it overwrites what was handed out before."""
        size = torch.Size(shape).numel()
        if self._flat.numel() < size:
            self._flat = torch.empty(size + size // 4, dtype=self._flat.dtype, device=self._flat.device)
        return self._flat[:size].view(shape)


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Keys and values of what the questions of each group share: ``cache`` is [layers, 2, G, K, P, D]."""

    cache: Tensor
    lengths: tuple[int, ...]

    def first(self, place: int, count: int) -> Tensor:
        """A copy of keys and values of the first positions of one group: [layers, 2, K, count, D]."""
        return self.cache[:, :, place, :, :count].clone()


@dataclass(slots=True)
class Rows:
    """Questions in flight: G x Q slots, of which ``live`` hold one (slot = group * Q + place), in packed order.

    Attributes:
        own: what each slot has of its own, [layers, 2, G, K, Q, S, D]; suffixes end in the same column, replies go on from there.
        column: own columns filled so far.
        mask: 0 or -inf for every cached column, [G, 1, Q, 1, 1, P + S]; None if no column is padding.
        positions: rotary position of each live row's next token, [len(live)].
    """

    prefix: Tensor
    own: Tensor
    column: int
    mask: Tensor | None
    positions: Tensor
    live: list[int]
    slots: Ragged

    @property
    def shape(self) -> tuple[int, int]:
        """Groups and slots a group."""
        return self.own.shape[2], self.own.shape[4]


class Decoder:
    """Runs a causal language model of the Llama or Mixtral kind; all methods need ``torch.inference_mode``.

    The query, key and value weights of each layer (and gate and up of dense ones) become views of one matrix: one product
    instead of three, and no second copy.
    """

    def __init__(self, model: PreTrainedModel, *, whole: bool = False) -> None:
        """Take a model's weights; ``whole`` runs every token through the last layer, too, for those who watch the layers."""
        config: Any = model.config
        self._whole = whole
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.scale = self.head_dim**-0.5
        self.eps = float(config.rms_norm_eps)
        self.max_positions = int(config.max_position_embeddings)
        body: Any = model.model
        self._layers = [DecoderLayer(layer, self.eps) for layer in body.layers]
        self._norm: Tensor = body.norm.weight
        self._head: Tensor = cast(Any, model.lm_head).weight
        self._embeddings: Tensor = body.embed_tokens.weight
        self.device, self.dtype = self._head.device, self._head.dtype
        everywhere = torch.arange(self.max_positions, device=self.device)[None]
        cos, sin = body.rotary_emb(self._head[:1], everywhere)
        half = self.head_dim // 2
        self._cos = cos[0, :, None].detach()  # [positions, 1, D]
        self._sin = torch.cat([-sin[0, :, None, :half], sin[0, :, None, half:]], dim=-1).detach()
        self._chunk_tokens = SPARSE_CHUNK if self._layers[0].is_sparse else DENSE_CHUNK
        self._prefix_storage = Storage(self.dtype, self.device)
        self._own_storage = Storage(self.dtype, self.device)

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token ids -> [n, width]."""
        return self._embeddings[torch.tensor(ids, dtype=torch.long, device=self.device)]

    def logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states [N, width] -> float32 logits [N, vocabulary]."""
        return linear(rms_norm(hidden, self._norm.shape, self._norm, self.eps), self._head).float()

    def prefill(self, sequences: Sequence[Tensor]) -> Prefixes:
        """Run G prefixes and keep their keys and values (until the next call).

        Each is [length, width] embeddings, or the keys and values that `Prefixes.first` gave earlier, which are not run again.
        Prefixes of like length should stand together: so many as run together on a CPU are padded to the longest of them.
        """
        lengths = [sequence.shape[-2] for sequence in sequences]
        cache = self._prefix_storage.take(len(self._layers), 2, len(lengths), self.kv_heads, max(lengths), self.head_dim)
        new = [place for place, sequence in enumerate(sequences) if sequence.dim() == 2]
        for start, stop in _runs(new, lengths, self._chunk_tokens if self.device.type == "cpu" else sum(lengths)):
            self._prefill(sequences[start:stop], lengths[start:stop], cache[:, :, start:stop])
        for place, sequence in enumerate(sequences):
            if sequence.dim() > 2:
                cache[:, :, place, :, : lengths[place]] = sequence
            cache[:, :, place, :, lengths[place] :] = 0  # what is masked must still be a number
        return Prefixes(cache, tuple(lengths))

    def _prefill(self, sequences: Sequence[Tensor], lengths: Sequence[int], cache: Tensor) -> None:
        """Run some of the prefixes and write their keys and values to ``cache``, [layers, 2, sequences, K, P, D]."""
        groups, columns = len(lengths), max(lengths)
        cache = cache[..., :columns, :]
        table = Ragged.of(lengths, columns, self.device)

        def attend(layer: int, queries: Tensor | None, keys: Tensor, values: Tensor) -> Tensor | None:
            for index, part in enumerate((keys, values)):
                cache[layer, index].copy_(table.pad(part).view(groups, columns, self.kv_heads, -1).transpose(1, 2))
            if queries is None:
                return None
            asked = table.pad(queries).view(groups, columns, self.heads, -1).transpose(1, 2)
            # padding is on the right, where a causal mask hides it from every real token
            out = scaled_dot_product_attention(
                asked, cache[layer, 0], cache[layer, 1], is_causal=True, scale=self.scale, enable_gqa=self.heads != self.kv_heads
            )
            return table.pack(out.transpose(1, 2).reshape(groups * columns, -1))

        positions = torch.cat([torch.arange(length, device=self.device) for length in lengths])
        self._run(torch.cat(list(sequences)), positions, attend, wanted=())

    def extend(
        self, prefixes: Prefixes, suffixes: Sequence[Sequence[Sequence[int]]], wanted: Sequence[int]
    ) -> tuple[Rows, Tensor]:
        """Run the suffixes (at least one token each) of the questions of each group.

        Returns the rows, and the hidden states [len(wanted), width] of the suffix tokens at these places, all suffixes being
        counted through in the order given.
        """
        groups, slots = len(suffixes), max(len(group) for group in suffixes)
        lengths = [len(group[q]) if q < len(group) else 0 for group in suffixes for q in range(slots)]
        columns = max(lengths)
        starts = torch.tensor(prefixes.lengths, device=self.device).repeat_interleave(slots)
        own = self._own_storage.take(len(self._layers), 2, groups, self.kv_heads, slots, columns + ROOM, self.head_dim)
        live = [slot for slot, length in enumerate(lengths) if length]
        counts = torch.tensor(lengths, device=self.device)
        table = Ragged.of(lengths, columns, self.device, right=True)
        rows = Rows(
            prefix=prefixes.cache,
            own=own,
            column=0,
            mask=self._padding(prefixes, counts, columns, own.shape[5], (groups, slots)),
            positions=(starts + counts)[live],
            live=live,
            slots=self._slots(live, groups * slots),
        )
        offsets = torch.cat([torch.arange(length, device=self.device) for length in lengths if length])
        positions = torch.repeat_interleave(starts, counts) + offsets
        tokens = [token for group in suffixes for suffix in group for token in suffix]
        return rows, self._advance(rows, self.embed(tokens), positions, table, wanted)

    def step(self, rows: Rows, tokens: Tensor) -> Tensor:
        """Append one token a live row, [len(live)] ids, and return the hidden states [len(live), width]."""
        hidden = self._advance(rows, self._embeddings[tokens], rows.positions, rows.slots)
        rows.positions = rows.positions + 1
        return hidden

    def retire(self, rows: Rows, keep: Sequence[int]) -> None:
        """Keep only these of the live rows (places in ``live``); memory is compacted once most slots are empty."""
        rows.live = [rows.live[place] for place in keep]
        rows.positions = rows.positions[torch.tensor(keep, device=self.device)]
        groups, slots = rows.shape
        members: dict[int, list[int]] = {}
        for slot in rows.live:
            members.setdefault(slot // slots, []).append(slot % slots)
        width = max(len(places) for places in members.values())
        if 2 * len(members) * width <= groups * slots:
            self._compact(rows, members, width)
            groups, slots = rows.shape
        rows.slots = self._slots(rows.live, groups * slots)

    def _compact(self, rows: Rows, members: dict[int, list[int]], width: int) -> None:
        """Copy the groups and slots that are still live to the front; empty slots repeat a live one."""
        group = torch.tensor(list(members), device=self.device)
        picked = [(places + [places[0]] * width)[:width] for places in members.values()]
        slot = torch.tensor(picked, device=self.device)  # [G', Q']
        filled = rows.own[..., : rows.column, :]
        small = filled.new_empty(*rows.own.shape[:2], len(members), self.kv_heads, width, *rows.own.shape[5:])
        # two index tensors apart from each other move to the front: [G', Q', layers, 2, K, column, D]
        small[..., : rows.column, :] = filled[:, :, group[:, None], :, slot].permute(2, 3, 0, 4, 1, 5, 6)
        rows.own = small
        rows.prefix = rows.prefix[:, :, group]
        if rows.mask is not None:
            rows.mask = rows.mask[group[:, None], :, slot].transpose(1, 2).contiguous()
        rows.live = [g * width + q for g, places in enumerate(members.values()) for q in range(len(places))]

    def _slots(self, live: Sequence[int], total: int) -> Ragged:
        """The table of one new column: which packed row sits in which slot."""
        if len(live) == total:
            return Ragged(1)
        cells = torch.tensor(live, device=self.device)
        tokens = torch.zeros(total, dtype=torch.long, device=self.device)
        tokens[cells] = torch.arange(len(live), device=self.device)
        return Ragged(1, tokens, cells)

    def _padding(self, prefixes: Prefixes, counts: Tensor, columns: int, room: int, shape: tuple[int, int]) -> Tensor | None:
        """Hide prefix columns beyond a group's own length and own columns before a suffix begins."""
        width = prefixes.cache.shape[4]
        if all(length == width for length in prefixes.lengths) and bool((counts == columns).all()):
            return None
        groups, slots = shape
        lengths = torch.tensor(prefixes.lengths, device=self.device).view(groups, 1, 1)
        hidden = torch.zeros(groups, slots, width + room, dtype=torch.bool, device=self.device)
        hidden[:, :, :width] = torch.arange(width, device=self.device) >= lengths
        before = torch.arange(columns, device=self.device) < (columns - counts).view(groups, slots, 1)
        hidden[:, :, width : width + columns] = before & (counts > 0).view(groups, slots, 1)
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(hidden, float("-inf"))
        return mask.view(groups, 1, slots, 1, 1, width + room)

    def _advance(
        self, rows: Rows, hidden: Tensor, positions: Tensor, table: Ragged, wanted: Sequence[int] | None = None
    ) -> Tensor:
        """Run new tokens of the rows: ``table.columns`` columns of padded slots, after the columns they have."""
        groups, slots = rows.shape
        columns, first = table.columns, rows.column
        last = first + columns
        if last > rows.own.shape[5]:
            _double(rows)
        rows.column = last
        width = rows.prefix.shape[4]
        mask = None if rows.mask is None else rows.mask[..., : width + last]
        if columns > 1:  # the causal triangle among the new columns
            ahead = torch.full((columns, width + last), float("-inf"), dtype=self.dtype, device=self.device)
            ahead = ahead.triu(width + first + 1)
            mask = ahead if mask is None else mask + ahead

        def attend(layer: int, queries: Tensor | None, keys: Tensor, values: Tensor) -> Tensor | None:
            for index, part in enumerate((keys, values)):
                new = table.pad(part).view(groups, slots, columns, self.kv_heads, -1).permute(0, 3, 1, 2, 4)
                rows.own[layer, index, ..., first:last, :] = new
            if queries is None:
                return None
            asked = table.pad(queries).view(groups, slots, columns, self.kv_heads, -1, self.head_dim)
            asked = asked.permute(0, 3, 1, 4, 2, 5).contiguous().mul_(self.scale)  # [G, K, Q, R, T, D]
            prefix, own = rows.prefix[layer], rows.own[layer, ..., :last, :]
            out = _attend_both(asked, prefix[0], prefix[1], own[0], own[1], mask)
            return table.pack(out.permute(0, 2, 4, 1, 3, 5).reshape(groups * slots * columns, -1))

        return self._run(hidden, positions, attend, wanted)

    def _run(self, hidden: Tensor, positions: Tensor, attend: Attend, wanted: Sequence[int] | None = None) -> Tensor:
        """All layers over packed tokens [N, width]; only the ``wanted`` ones (None: all) leave the last layer."""
        cos, sin = self._cos[positions], self._sin[positions]
        for index, layer in enumerate(self._layers):
            final = wanted is not None and index == len(self._layers) - 1 and not self._whole
            skipped = self.heads if final and not wanted else 0  # without a question only keys and values are needed
            mixed = layer.qkv.below(skipped * self.head_dim)(layer.norm_before_attention(hidden))
            mixed = mixed.view(len(hidden), -1, self.head_dim)
            queries, turned = self.heads - skipped, self.heads - skipped + self.kv_heads
            rotated = mixed[:, :turned]
            rotated = torch.addcmul(rotated * cos, rotated.roll(self.head_dim // 2, -1), sin)
            out = attend(index, rotated[:, :queries] if queries else None, rotated[:, queries:], mixed[:, turned:])
            if out is None:
                break
            if final and wanted:
                places = torch.tensor(wanted, device=self.device)
                hidden, out = hidden[places], out[places]
            hidden = layer.add_attention(hidden, out)
            hidden = layer.add_feed_forward(hidden)
        return hidden[torch.tensor(wanted, device=self.device)] if self._whole and wanted else hidden


def _runs(places: Sequence[int], lengths: Sequence[int], tokens: int) -> Iterator[tuple[int, int]]:
    """Cut sorted places into runs of neighbours, ``[start, stop)``, of about ``tokens`` cells in all when padded."""
    start = stop = longest = 0
    for place in places:
        longest = max(longest, lengths[place])
        if start < stop and (place > stop or longest * (place + 1 - start) > tokens):
            yield start, stop
            start, longest = place, lengths[place]
        elif start == stop:
            start = place
        stop = place + 1
    if start < stop:
        yield start, stop


def _double(rows: Rows) -> None:
    """Twice as many own columns."""
    more = rows.own.shape[5]
    rows.own = torch.cat([rows.own, torch.empty_like(rows.own)], dim=5)
    if rows.mask is not None:
        rows.mask = torch.nn.functional.pad(rows.mask, (0, more))


def _attend_both(
    asked: Tensor, prefix_keys: Tensor, prefix_values: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
) -> Tensor:
    """One softmax over a group's shared columns and each slot's own: asked and result are [G, K, Q, R, T, D].

    Shared keys and values are [G, K, P, D], own ones [G, K, Q, S, D], the mask broadcasts to [G, K, Q, R, T, P + S].
    """
    groups, heads, slots, repeats, columns, dim = asked.shape
    width = prefix_keys.shape[2]
    shared = asked.view(groups, heads, -1, dim) @ prefix_keys.transpose(-1, -2)
    single = asked.view(groups, heads, slots, -1, dim) @ keys.transpose(-1, -2)
    scores = torch.cat([shared.view(groups, heads, slots, repeats * columns, width), single], dim=-1)
    if mask is not None:
        scores = scores.view(groups, heads, slots, repeats, columns, -1).add_(mask).view(scores.shape)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(asked.dtype)
    out = (weights[..., :width].view(groups, heads, -1, width) @ prefix_values).view(asked.shape)
    return out.add_((weights[..., width:] @ values).view(asked.shape))
