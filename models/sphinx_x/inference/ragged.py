"""Packed tokens in padded tables: where each lies, which rows to pad together, and the memory they are kept in.

Not here: what is computed of them (``decoder``). Everything is about lengths; nothing knows a layer or a head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


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


LOOSE = 4
"""Memory of a `Pool` is handed out for pieces down to this part of it."""


class Pool:
    """Memory that is handed out, given back, and handed out again, so that no batch pays for fresh pages.

    What waits here is never more than the largest piece so far. On a GPU nothing does: torch itself keeps what is let go there.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
        self._waiting: list[Tensor] = []  # flat, the longest waiting first
        self._largest = 0

    def take(self, *shape: int) -> Tensor:
        """An uninitialised tensor of this shape, contiguous, that nobody else has."""
        size = torch.Size(shape).numel()
        fitting = [place for place, flat in enumerate(self._waiting) if size <= flat.numel() <= LOOSE * size]
        if fitting:
            flat = self._waiting.pop(min(fitting, key=lambda place: self._waiting[place].numel()))
        else:
            flat = torch.empty(size if self._device.type == "cuda" else size + size // 4, dtype=self._dtype, device=self._device)
            self._largest = max(self._largest, flat.numel())
        return flat[:size].view(shape)

    def give(self, taken: Tensor) -> None:
        """Take back what was handed out, or a view of it: all that shares its memory may be overwritten from now on."""
        if self._device.type == "cuda":
            return
        self._waiting.append(torch.empty(0, dtype=self._dtype).set_(taken.untyped_storage()))
        while sum(flat.numel() for flat in self._waiting) > self._largest:
            del self._waiting[0]


def runs(places: Sequence[int], lengths: Sequence[int], tokens: int) -> Iterator[tuple[int, int]]:
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


def alike(lengths: Sequence[Sequence[int]], spare: int | None, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Cut groups of suffixes of these lengths into runs of neighbours, ``[start, stop)``, that need little padding.

    In a run every group has as many slots and every slot as many cells as the largest; more than a quarter of its tokens and
    ``spare`` cells (None: any number) stay empty in none, and none of several groups has more than ``most`` cells.
    """
    start = slots = longest = tokens = 0
    for place, group in enumerate(lengths):
        slots, longest, tokens = max(slots, len(group)), max(longest, *group), tokens + sum(group)
        cells = (place + 1 - start) * slots * longest
        padded = spare is not None and cells > 1.25 * tokens + spare
        if start < place and (padded or (most is not None and cells > most)):
            yield start, place
            start, slots, longest, tokens = place, len(group), max(group), sum(group)
    yield start, len(lengths)
