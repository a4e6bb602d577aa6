"""Prompts that were begun together, as their replies grow, and when the next ones join those in the air.

A step of decoding reads all weights, however few rows are left in it: so prompts that wait take the place of those that ended.
They do not go among the others' rows, which would mean to pad and copy caches, but fly beside them: a step runs the rows of all
flights through the linear layers together, and each flight attends by itself. Its calls are the price: in every layer about as
many as all else makes. Where calls take longer than weights (a small model on a large GPU, not timed) fewer steps then make up
for slower ones and little more; hence few flights, and none for few rows. On a CPU ``nano`` decodes faster with flights than
without. Nothing hangs on a clock, so that processes that share a model (``team``) decide alike. Not here: the steps
(``decoder``), and what is said (``replies``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.sphinx_x.inference.replies import Reply
from models.sphinx_x.inference.rows import Rows

MOST = 3
"""Flights in the air. Where replies have 2, 4, 8 or 64 tokens, 64 at a time, two save a third of the steps and three half."""

SHARE = 2
"""One part of so many of ``max_batch`` and of ``batch_tokens`` is free before prompts join, so that flights are few and full."""


@dataclass(slots=True)
class Flight:
    """Prompts that were begun together.

    Attributes:
        replies: of all prompts, in the order of the rows at first.
        prompts: positions that they took.
        live: places of the replies that go on, in the order of the live rows.
        tokens: what each of these said last, [live].
    """

    rows: Rows
    replies: Sequence[Reply]
    prompts: int
    live: list[int] = field(init=False)
    tokens: Tensor = field(init=False)
    _slots: int = field(init=False)

    def __post_init__(self) -> None:
        self.live = list(range(len(self.replies)))
        groups, slots = self.rows.shape
        self._slots = groups * slots

    @property
    def positions(self) -> int:
        """Positions of prompts that it still holds in memory, about."""
        groups, slots = self.rows.shape
        return self.prompts * groups * slots // self._slots

    def go_on(self, tokens: Tensor, goes_on: Sequence[bool]) -> None:
        """Each live reply has got a token, [live], and goes on or leaves; a flight without live ones has landed."""
        self.tokens = tokens
        if all(goes_on):
            return
        keep = [place for place, on in enumerate(goes_on) if on]
        self.live = [self.live[place] for place in keep]
        if keep:
            self.tokens = tokens[torch.tensor(keep, device=tokens.device)]
            self.rows.retire(keep)
        else:
            self.rows.release()


def room(flights: Sequence[Flight], max_batch: int, batch_tokens: int) -> tuple[int, int]:
    """Rows and positions of prompts that are free; none where it does not pay to board."""
    rows = max_batch - sum(len(flight.live) for flight in flights)
    tokens = batch_tokens - sum(flight.positions for flight in flights)
    pays = not flights or (len(flights) < MOST and rows * SHARE >= max_batch and tokens * SHARE >= batch_tokens)
    return (rows, tokens) if pays else (0, 0)
