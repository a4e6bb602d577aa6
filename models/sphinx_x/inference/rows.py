"""Questions in flight: the keys and values that they share and that each has of its own, and the memory these lie in.

Not here: how they are computed and attended to (``decoder``), and when a question ends (``flights``). Letters in shapes are those
of ``decoder``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.sphinx_x.inference.ragged import Pool, Ragged

ROOM = 32
"""Own columns for replies at first; doubled whenever they are full, since most replies end early."""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Keys and values of what the questions of each group share: ``cache`` is [layers, 2, G, K, P, D]."""

    cache: Tensor
    lengths: tuple[int, ...]

    def first(self, place: int, count: int) -> Tensor:
        """A copy of keys and values of the first positions of one group: [layers, 2, K, count, D]."""
        return self.cache[:, :, place, :, :count].clone()


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring groups whose new tokens attend together, padded to ``table.columns`` new columns a slot.

    Attributes:
        tokens: where theirs lie among all new tokens.
        table: how those fill the padded slots, G x Q rows.
        prefix: keys and values they share, [layers, 2, G, K, P, D].
        own: their own ones up to the new columns, these included, [layers, 2, G, K, Q, S, D].
        mask: 0 or -inf, broadcast to [G, K, Q, R, T, P + S]; None if nothing is hidden.
    """

    tokens: slice
    table: Ragged
    prefix: Tensor
    own: Tensor
    mask: Tensor | None

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values, padding included."""
        return self.prefix.nbytes + self.own.nbytes


@dataclass(slots=True)
class Rows:
    """Questions in flight: G x Q slots, of which ``live`` hold one (slot = group * Q + place), in packed order.

    Attributes:
        prefix: what the slots of a group share, [layers, 2, G, K, P, D].
        own: what each slot has of its own, [layers, 2, G, K, Q, S, D]; suffixes end in the same column, replies go on from there.
        column: own columns filled so far.
        mask: 0 or -inf for every cached column, [G, 1, Q, 1, 1, P + S]; None if no column is padding.
        positions: rotary position of each live row's next token, [len(live)].
        pool: where the memory comes from and goes to.
    """

    prefix: Tensor
    own: Tensor
    column: int
    mask: Tensor | None
    positions: Tensor
    live: list[int]
    slots: Ragged
    pool: Pool

    @staticmethod
    def of(prefixes: Prefixes, lengths: Sequence[Sequence[int]], pool: Pool) -> Rows:
        """Rows for suffixes of these lengths (at least 1) behind each prefix; they take over the memory of the prefixes."""
        cache, shape = prefixes.cache, (len(lengths), max(map(len, lengths)))
        filled = [group[place] if place < len(group) else 0 for group in lengths for place in range(shape[1])]
        columns, live = max(filled), [slot for slot, length in enumerate(filled) if length]
        counts = torch.tensor(filled, device=cache.device)
        starts = torch.tensor(prefixes.lengths, device=cache.device).repeat_interleave(shape[1])
        return Rows(
            prefix=cache,
            own=pool.take(*cache.shape[:4], shape[1], columns + ROOM, cache.shape[5]),
            column=columns,
            mask=_padding(prefixes, counts, columns, shape),
            positions=(starts + counts)[live],
            live=live,
            slots=_column(live, len(filled), cache.device),
            pool=pool,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Groups and slots a group."""
        return self.own.shape[2], self.own.shape[4]

    def next_column(self, first: int) -> Part:
        """A column for one more token of each live row; these are the tokens from place ``first`` on."""
        if self.column == self.own.shape[5]:
            self._double()
        self.column += 1
        mask = None if self.mask is None else self.mask[..., : self.prefix.shape[4] + self.column]
        tokens = slice(first, first + len(self.live))
        return Part(tokens, self.slots, self.prefix, self.own[..., : self.column, :], mask)

    def retire(self, keep: Sequence[int]) -> None:
        """Keep only these of the live rows (places in ``live``); once most slots are empty the others move to less memory."""
        self.live = [self.live[place] for place in keep]
        self.positions = self.positions[torch.tensor(keep, device=self.own.device)]
        groups, slots = self.shape
        members: dict[int, list[int]] = {}
        for slot in self.live:
            members.setdefault(slot // slots, []).append(slot % slots)
        width = max(len(places) for places in members.values())
        if 2 * len(members) * width <= groups * slots:
            self._compact(members, width)
            groups, slots = self.shape
        self.slots = _column(self.live, groups * slots, self.own.device)

    def release(self) -> None:
        """Give the memory back: nothing of these rows, nor of their prefixes, may be used any more."""
        self.pool.give(self.prefix)
        self.pool.give(self.own)

    def _compact(self, members: dict[int, list[int]], width: int) -> None:
        """Move the groups and slots that are still live to memory of their own; empty slots repeat a live one."""
        group = torch.tensor(list(members), device=self.own.device)
        picked = [(places + [places[0]] * width)[:width] for places in members.values()]
        slot = torch.tensor(picked, device=self.own.device)  # [G', Q']
        shape = self.own.shape
        small = self.pool.take(*shape[:2], len(members), shape[3], width, *shape[5:])
        # two index tensors apart from each other move to the front: [G', Q', layers, 2, K, column, D]
        small[..., : self.column, :] = self.own[..., : self.column, :][:, :, group[:, None], :, slot].permute(2, 3, 0, 4, 1, 5, 6)
        self.own = self._moved(self.own, small)
        if len(members) < shape[2]:
            fewer = self.pool.take(*self.prefix.shape[:2], len(members), *self.prefix.shape[3:])
            torch.index_select(self.prefix, 2, group, out=fewer)
            self.prefix = self._moved(self.prefix, fewer)
        if self.mask is not None:
            self.mask = self.mask[group[:, None], :, slot].transpose(1, 2).contiguous()
        self.live = [g * width + q for g, places in enumerate(members.values()) for q in range(len(places))]

    def _double(self) -> None:
        """Twice as many own columns."""
        *before, columns, dim = self.own.shape
        longer = self.pool.take(*before, 2 * columns, dim)
        longer[..., :columns, :] = self.own
        self.own = self._moved(self.own, longer)
        if self.mask is not None:
            self.mask = torch.nn.functional.pad(self.mask, (0, columns))

    def _moved(self, old: Tensor, new: Tensor) -> Tensor:
        """The new one; the old one goes back to the pool."""
        self.pool.give(old)
        return new


def _column(live: Sequence[int], total: int, device: torch.device) -> Ragged:
    """The table of one new column: which packed row sits in which slot."""
    if len(live) == total:
        return Ragged(1)
    cells = torch.tensor(live, device=device)
    tokens = torch.zeros(total, dtype=torch.long, device=device)
    tokens[cells] = torch.arange(len(live), device=device)
    return Ragged(1, tokens, cells)


def _padding(prefixes: Prefixes, counts: Tensor, columns: int, shape: tuple[int, int]) -> Tensor | None:
    """Hide prefix columns beyond a group's own length and own columns before a suffix of ``counts`` [G x Q] tokens begins."""
    cache, device = prefixes.cache, prefixes.cache.device
    width = cache.shape[4]
    if all(length == width for length in prefixes.lengths) and bool((counts == columns).all()):
        return None
    groups, slots = shape
    lengths = torch.tensor(prefixes.lengths, device=device).view(groups, 1, 1)
    hidden = torch.zeros(groups, slots, width + columns + ROOM, dtype=torch.bool, device=device)
    hidden[:, :, :width] = torch.arange(width, device=device) >= lengths
    before = torch.arange(columns, device=device) < (columns - counts).view(groups, slots, 1)
    hidden[:, :, width : width + columns] = before & (counts > 0).view(groups, slots, 1)
    mask = torch.zeros(hidden.shape, dtype=cache.dtype, device=device).masked_fill_(hidden, float("-inf"))
    return mask.view(groups, 1, slots, 1, 1, hidden.shape[2])
