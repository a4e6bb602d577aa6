"""From a request to the prompts that a SPHINX-X model reads: one for a reply, or one for each choice that is weighed.

Not here: pictures, of which only the number of positions is known here, and batches (``schedule``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from harness.types import Failure, Request, Text
from models.sphinx_x.inference.schedule import Prompt, group_of
from models.sphinx_x.template import STOP, answer_piece, open_prompt
from models.sphinx_x.tokenizer import Tokenizer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prompts:
    """Makes prompts of at most ``limit`` positions, replies included; ``cut``: the text of longer ones is cut, else they fail."""

    tokenizer: Tokenizer
    limit: int
    cut: bool

    def asked(self, request: Request) -> list[int]:
        """Ids of the start token and the text of a request that wants a reply."""
        return self.tokenizer.encode_prompt(question(request))

    def of_reply(self, request: Request, visual: int) -> list[Prompt] | Failure:
        """The one prompt of a request that wants a reply; its pictures take ``visual`` positions."""
        room = request.generation.max_new_tokens
        if room < 1:
            return Failure(kind="model", message=f"sample {request.sample_id}: max_new_tokens={room} leaves no reply")
        return self._fitted(request, self.asked(request), visual, room)

    def of_choices(self, request: Request, visual: int) -> list[Prompt] | Failure:
        """A prompt for each choice, with the choice as its reply."""
        if not request.choices:
            return Failure(kind="model", message=f"sample {request.sample_id}: has no choices to weigh")
        opened, asked = open_prompt(question(request)), self.asked(request)
        prompts: list[Prompt] = []
        for choice in request.choices:
            said = answer_piece(choice).removesuffix(STOP)
            ids = [asked[0], *self.tokenizer.encode(opened + said)]
            same = next((place for place, pair in enumerate(zip(asked, ids, strict=False)) if pair[0] != pair[1]), len(asked))
            found = self._fitted(request, ids, visual, 0, tail=max(1, len(ids) - same))
            if isinstance(found, Failure):
                return found
            prompts += found
        return prompts

    def _fitted(self, request: Request, ids: list[int], visual: int, room: int, *, tail: int = 0) -> list[Prompt] | Failure:
        """The prompt, if it leaves room for its reply; else a failure, or the prompt with its text cut from the left."""
        excess = visual + len(ids) + room - self.limit
        if excess > 0:
            problem = (
                f"sample {request.sample_id}: {visual} visual and {len(ids)} text tokens and {room} for the reply "
                f"exceed the model's {self.limit} positions"
            )
            if not self.cut or excess > len(ids) - tail - 2:
                return Failure(kind="length", message=problem)
            log.warning("%s; its text was cut by %d tokens from the left", problem, excess)
            ids = [ids[0], *ids[1 + excess :]]
        return [Prompt(request, tuple(ids), group_of(request), visual, room, tail)]


def question(request: Request) -> str:
    """All text parts, a line each; pictures always stand before them, as in training."""
    return "\n".join(part.text for part in request.parts if isinstance(part, Text))
