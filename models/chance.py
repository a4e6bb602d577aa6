"""The baseline that guesses: uniform over the choices of a closed question, nothing for an open one.

An open question gets an empty reply, which every parser counts as unparsed; no answer is invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Request, Response
from models.seeding import integer_of


class Chance:
    """Draws one of the request's choices by a hash of ``seed`` and the request's key."""

    kind = "baseline"

    def __init__(self, seed: int = 0, *, name: str = "chance") -> None:
        self.name = name
        self.seed = seed
        self.fingerprint = hash_of(["chance", 1, seed])
        self.capabilities = Capabilities(images=True, several_images=True, video=True)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield a guess for each request, in order."""
        for request in requests:
            choices = request.choices
            guess = choices[integer_of("chance", self.seed, request.key) % len(choices)] if choices else ""
            yield Response(key=request.key, text=guess)
