"""From logits to a finished reply: which token comes next, when a reply ends, and what its text is.

Not here: batches. Greedy unless a temperature is set; a draw is then a hash of the request's key, its seed and the step, so
that a sampled reply, too, is the same in any company. A reply is cut before the earliest stop string, as the published code
does (LLaMA2-Accessory, ``MetaModel.generate``), and stripped of outer spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.types import FinishReason
from models.drawing import sample
from models.sphinx_x.inference.schedule import Prompt
from models.sphinx_x.template import STOP
from models.sphinx_x.tokenizer import Tokenizer

CLOSE = 1e-4
"""A lead, in logits, that float32 rounding might turn round; in a nano model replies differ by 3e-6 from batch to batch."""

CLOSE_ELSEWHERE = 1e-3
"""The same off the CPU, where matrix products of other sizes are summed in other orders; not measured, hence wide.

``riddle bench generate options.device=cuda`` measures what it has to cover."""


@dataclass(slots=True)
class Reply:
    """A reply as it grows; ``seconds`` is its share of the time that it was in the air."""

    prompt: Prompt
    ids: list[int] = field(default_factory=list)
    finished: FinishReason | None = None
    seconds: float = 0.0


class Replies:
    """Chooses and appends tokens, and reads the finished text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}

    def choose(self, logits: Tensor, replies: Sequence[Reply]) -> Tensor:
        """The next token of each reply from logits [n, vocabulary]: [n] ids."""
        tokens = logits.argmax(dim=-1)
        for row, reply in enumerate(replies):
            generation = reply.prompt.request.generation
            if generation.temperature > 0:
                tokens[row] = sample(logits[row], generation, reply.prompt.request.key, len(reply.ids))
        return tokens

    def append(self, reply: Reply, token: int) -> bool:
        """Add a token; returns whether the reply goes on."""
        reply.ids.append(token)
        if token in (self._tokenizer.eos, self._tokenizer.stop) or self._completes_stop(reply, token):
            reply.finished = "stop"
        elif len(reply.ids) >= reply.prompt.room:
            reply.finished = "length"
        return reply.finished is None

    def text(self, reply: Reply) -> str:
        """What was said before the earliest stop string, without outer spaces."""
        text = self._tokenizer.decode(reply.ids)
        for stop in _stops(reply):
            text = text.split(stop, 1)[0]
        return text.strip()

    def _completes_stop(self, reply: Reply, token: int) -> bool:
        """Whether the text now holds a stop string; the whole is decoded only where the last token can have completed one."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._tokenizer.decode([token])
        stops = _stops(reply)
        # a lone token may decode to a replacement character, or lose its space
        if not any(stop[-1] in piece or stop[-1] == " " for stop in stops) and "\ufffd" not in piece:
            return False
        text = self._tokenizer.decode(reply.ids)
        return any(stop in text for stop in stops)


def lead_of(device: torch.device) -> float:
    """The lead, in logits, below which a token's request is run once more on its own."""
    return CLOSE if device.type == "cpu" else CLOSE_ELSEWHERE


def close_calls(logits: Tensor, replies: Sequence[Reply]) -> list[int]:
    """The greedy replies whose best token leads by less than `lead_of` the device, by place; logits are [n, vocabulary]."""
    rivals = (logits > logits.amax(dim=-1, keepdim=True) - lead_of(logits.device)).sum(dim=-1)
    found = rivals.gt(1).nonzero()[:, 0].tolist()
    return [place for place in found if replies[place].prompt.request.generation.temperature <= 0]


def _stops(reply: Reply) -> list[str]:
    return [STOP, *(stop for stop in reply.prompt.request.generation.stop if stop)]
