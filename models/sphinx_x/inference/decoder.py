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
from itertools import accumulate
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm
from transformers import PreTrainedModel

from models.sphinx_x.inference.attention import attend_both, attend_causally, repeats_heads
from models.sphinx_x.inference.layers import DecoderLayer
from models.sphinx_x.inference.ragged import Pool, Ragged, alike, runs
from models.sphinx_x.inference.rows import Part, Prefixes, Rows
from models.sphinx_x.inference.traffic import Traffic

Attend = Callable[[int, Tensor | None, Tensor], Tensor | None]
"""(layer, queries [N, H, D], keys and values [N, 2, K, D]) -> [N, H * D]; queries and keys are rotated.

It keeps the keys and values; without queries that is all it does."""

DENSE_CHUNK, SPARSE_CHUNK = 1280, 1600
"""Prefix tokens that run together on a CPU: more would leave its caches, and experts need more to have enough each."""

GPU_CHUNK = 16384
"""Prefix tokens that run together on a GPU: enough to fill a large GPU, and what they take between layers stays bounded."""

GPU_SCORES = 2**28
"""Attention scores of suffixes that are in memory together on a GPU (a GiB in float32, and some copies)."""

SPARE_CELLS = 16
"""Padding that suffixes may have on a CPU beside a quarter of their tokens, before they attend in parts: calls have a price."""


class Decoder:
    """Runs a causal language model of the Llama or Mixtral kind; all methods need ``torch.inference_mode``.

    The query, key and value weights of each layer (and gate and up of dense ones) become views of one matrix: one product
    instead of three, and no second copy.
    """

    def __init__(self, model: PreTrainedModel, *, whole: bool = False) -> None:
        """Take a model's weights; ``whole`` runs every token through the last layer, too, for those who watch the layers."""
        config: Any = model.config
        self._whole = whole
        self.head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        self.scale = self.head_dim**-0.5
        self.eps = float(config.rms_norm_eps)
        self.max_positions = int(config.max_position_embeddings)
        body: Any = model.model
        # not the configuration's numbers: of a model that is cut over processes, only some heads are here
        queries, keys = (getattr(body.layers[0].self_attn, name).weight for name in ("q_proj", "k_proj"))
        self.heads, self.kv_heads = len(queries) // self.head_dim, len(keys) // self.head_dim
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
        self._on_cpu = self.device.type == "cpu"
        on_cpu = SPARSE_CHUNK if self._layers[0].is_sparse else DENSE_CHUNK
        self._chunk_tokens = on_cpu if self._on_cpu else GPU_CHUNK
        self._pool = Pool(self.dtype, self.device)
        self.traffic = Traffic(0, 0)
        """What decoding steps have read so far."""

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token ids -> [n, width]."""
        return self._embeddings[torch.tensor(ids, dtype=torch.long, device=self.device)]

    def logits(self, hidden: Tensor) -> Tensor:
        """Final hidden states [N, width] -> float32 logits [N, vocabulary]."""
        return linear(rms_norm(hidden, self._norm.shape, self._norm, self.eps), self._head).float()

    def prefill(self, sequences: Sequence[Tensor]) -> Prefixes:
        """Run G prefixes and keep their keys and values.

        Each is [length, width] embeddings, or the keys and values that `Prefixes.first` gave earlier, which are not run again.
        Prefixes of like length should stand together: so many as run together are padded to the longest of them.
        """
        lengths = [sequence.shape[-2] for sequence in sequences]
        cache = self._pool.take(len(self._layers), 2, len(lengths), self.kv_heads, max(lengths), self.head_dim)
        new = [place for place, sequence in enumerate(sequences) if sequence.dim() == 2]
        for start, stop in runs(new, lengths, self._chunk_tokens):
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
        repeat = repeats_heads(self.device, self.dtype)

        def attend(layer: int, queries: Tensor | None, pairs: Tensor) -> Tensor | None:
            cache[layer] = table.pad(pairs).view(groups, columns, 2, self.kv_heads, -1).permute(2, 0, 3, 1, 4)
            if queries is None:
                return None
            asked = table.pad(queries).view(groups, columns, self.heads, -1).transpose(1, 2)
            # padding is on the right, where a causal mask hides it from every real token
            out = attend_causally(asked, cache[layer, 0], cache[layer, 1], self.scale, repeat=repeat)
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
        lengths = [[len(suffix) for suffix in group] for group in suffixes]
        rows = Rows.of(prefixes, lengths, self._pool)
        counts = torch.tensor([length for group in lengths for length in group], device=self.device)
        ends = counts.cumsum(0)
        # positions go on from each prefix: the last token of a suffix stands right before the row's next one
        positions = torch.repeat_interleave(rows.positions - ends, counts) + torch.arange(int(ends[-1]), device=self.device)
        tokens = [token for group in suffixes for suffix in group for token in suffix]
        parts = list(self._parts(rows, prefixes, lengths))
        return rows, self._run(self.embed(tokens), positions, self._attending(parts), wanted)

    def _parts(self, rows: Rows, prefixes: Prefixes, lengths: Sequence[Sequence[int]]) -> Iterator[Part]:
        """Cut the groups, whose suffixes have these lengths, into parts of similar ones."""
        first = 0
        most = None if self._on_cpu else GPU_SCORES // (self.heads * (rows.prefix.shape[4] + rows.column))
        for start, stop in alike(lengths, SPARE_CELLS if self._on_cpu else None, most):
            some, shared = lengths[start:stop], prefixes.lengths[start:stop]
            slots, columns, width = max(map(len, some)), max(map(max, some)), max(shared)
            rows.own[:, :, start:stop, ..., : rows.column - columns, :] = 0  # what is masked must still be a number
            padded = [group[q] if q < len(group) else 0 for group in some for q in range(slots)]
            mask: Tensor | None = None
            if rows.mask is not None and (min(padded) < columns or min(shared) < width):
                mask = rows.mask[start:stop, :, :slots, ..., : rows.prefix.shape[4] + rows.column]
                mask = torch.cat([mask[..., :width], mask[..., mask.shape[-1] - columns :]], dim=-1)
            if columns > 1:  # the causal triangle among the new columns
                ahead = torch.full((columns, width + columns), float("-inf"), dtype=self.dtype, device=self.device)
                mask = ahead.triu(width + 1) + (0 if mask is None else mask)
            yield Part(
                tokens=slice(first, first + sum(padded)),
                table=Ragged.of(padded, columns, self.device, right=True),
                prefix=rows.prefix[:, :, start:stop, :, :width],
                own=rows.own[:, :, start:stop, :, :slots, rows.column - columns : rows.column],
                mask=mask,
            )
            first += sum(padded)

    def step(self, flights: Sequence[Rows], tokens: Tensor) -> Tensor:
        """Append one token to each live row of all flights, and return the hidden states [rows, width].

        ``tokens`` are [rows] ids, flight by flight. All go through the linear layers together, and attend flight by flight.
        """
        stops = accumulate(len(rows.live) for rows in flights)
        parts = [rows.next_column(stop - len(rows.live)) for rows, stop in zip(flights, stops, strict=True)]
        self.traffic += Traffic(1, sum(part.nbytes for part in parts))
        positions = torch.cat([rows.positions for rows in flights])
        hidden = self._run(self._embeddings[tokens], positions, self._attending(parts))
        for rows in flights:
            rows.positions = rows.positions + 1
        return hidden

    def _attending(self, parts: Sequence[Part]) -> Attend:
        """New tokens attend to what is shared and to their own questions' columns, part by part."""

        def attend(layer: int, queries: Tensor | None, pairs: Tensor) -> Tensor | None:
            assert queries is not None  # the last tokens of suffixes are always wanted
            found = [self._attend_part(part, layer, queries[part.tokens], pairs[part.tokens]) for part in parts]
            return found[0] if len(found) == 1 else torch.cat(found)

        return attend

    def _attend_part(self, part: Part, layer: int, queries: Tensor, pairs: Tensor) -> Tensor:
        """Keep the new keys and values of one part and attend: [its tokens, H, D] -> [its tokens, H * D]."""
        table, own = part.table, part.own[layer]
        groups, slots = own.shape[1], own.shape[3]
        new = table.pad(pairs).view(groups, slots, table.columns, 2, self.kv_heads, -1)
        own[..., -table.columns :, :] = new.permute(3, 0, 4, 1, 2, 5)
        asked = table.pad(queries).view(groups, slots, table.columns, self.kv_heads, -1, self.head_dim)
        asked = asked.permute(0, 3, 1, 4, 2, 5).contiguous().mul_(self.scale)  # [G, K, Q, R, T, D]
        out = attend_both(asked, part.prefix[layer], own, part.mask)
        return table.pack(out.permute(0, 2, 4, 1, 3, 5).reshape(groups * slots * table.columns, -1))

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
            halves = rotated.roll(self.head_dim // 2, -1)
            rotated.mul_(cos).addcmul_(halves, sin)
            pairs = mixed[:, queries:].view(len(mixed), 2, self.kv_heads, self.head_dim)
            out = attend(index, mixed[:, :queries] if queries else None, pairs)
            if out is None:
                break
            if final and wanted:
                places = torch.tensor(wanted, device=self.device)
                hidden, out = hidden[places], out[places]
            hidden = layer.add_attention(hidden, out)
            hidden = layer.add_feed_forward(hidden)
        return hidden[torch.tensor(wanted, device=self.device)] if self._whole and wanted else hidden
