"""What a batch does at each step of `transformers`' generation: which token each row takes, what it weighs, and when it ends.

One object a batch, both a logits processor and a stopping criterion, so that rows with different settings run side by side:
greedy, drawn (`models.drawing`), or led along given tokens to weigh closed choices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from harness.types import FinishReason, Request
from models.drawing import sample
from models.hf.prompts import Prompt

CLOSE = 1e-3
"""A lead, in logits, that float32 rounding might turn round when a batch is put together differently."""


@dataclass(slots=True)
class Row:
    """One prompt of a batch and its reply as it grows.

    Attributes:
        path: the tokens that it is led along, for closed choices; None produces text.
        tails: the tokens of the closed choices.
        weighed: log-probabilities of the choices' next tokens, by what was said before them.
        close: whether a greedy choice was so close that rounding may have decided it.
    """

    request: Request
    prompt: Prompt
    path: tuple[int, ...] | None = None
    tails: tuple[tuple[int, ...], ...] = ()
    weighed: dict[tuple[int, ...], dict[int, float]] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    finished: FinishReason | None = None
    close: bool = False
    prompt_tokens: int = 0
    seconds: float = 0.0

    @property
    def room(self) -> int:
        """Most tokens that the row runs."""
        return self.request.generation.max_new_tokens if self.path is None else len(self.path) + 1

    def fresh(self) -> Row:
        """The same, before anything was said."""
        return Row(self.request, self.prompt, self.path, self.tails)


class Steering(LogitsProcessor, StoppingCriteria):
    """Steers one batch; ``exact`` looks out for close calls, ``ends`` are the tokens that end a reply."""

    def __init__(self, rows: Sequence[Row], ends: frozenset[int], decode: Callable[[list[int]], str], exact: bool) -> None:
        self._rows = rows
        self._ends = ends
        self._decode = decode
        self._exact = exact
        self._chosen = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Called twice a step: first with the logits of the next tokens, then with the tokens that were taken."""
        self._chosen = not self._chosen
        return self._choose(scores) if self._chosen else self._append(input_ids[:, -1].tolist(), input_ids.device)

    def _choose(self, scores: Tensor) -> Tensor:
        best = scores.amax(dim=-1, keepdim=True)
        rivals = (scores > best - CLOSE).sum(dim=-1).tolist() if self._exact else [1] * len(self._rows)
        for place, row in enumerate(self._rows):
            generation = row.request.generation
            if row.finished:
                continue
            if row.path is not None:
                self._weigh(row, scores[place])
                if len(row.ids) < len(row.path):
                    _take(scores[place], row.path[len(row.ids)])
            elif generation.temperature > 0:
                _take(scores[place], sample(scores[place], generation, row.request.key, len(row.ids)))
            elif rivals[place] > 1:
                row.close = True
        return scores

    def _weigh(self, row: Row, scores: Tensor) -> None:
        """Note the log-probabilities (nats) of the choices' next tokens."""
        before, step = tuple(row.ids), len(row.ids)
        said = scores.float().log_softmax(dim=-1)
        following = {tail[step] for tail in row.tails if tail[:step] == before and len(tail) > step}
        row.weighed[before] = {token: float(said[token]) for token in following}

    def _append(self, tokens: Sequence[int], device: torch.device) -> Tensor:
        for row, token in zip(self._rows, tokens, strict=True):
            if row.finished:
                continue
            row.ids.append(token)
            if row.path is None and (token in self._ends or self._stopped(row)):
                row.finished = "stop"
            elif len(row.ids) >= row.room:
                row.finished = "length"
        return torch.tensor([row.finished is not None for row in self._rows], device=device)

    def _stopped(self, row: Row) -> bool:
        stops = [stop for stop in row.request.generation.stop if stop]
        if not stops:
            return False
        text = self._decode(row.ids)
        return any(stop in text for stop in stops)


def _take(scores: Tensor, token: int) -> None:
    """Leave one token of a row's logits to choose, in place."""
    scores.fill_(float("-inf"))
    scores[token] = 0.0
