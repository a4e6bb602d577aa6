"""The baseline that always says the same: what a benchmark gives for no understanding at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Request, Response


class Constant:
    """Answers every request with ``reply``, unread."""

    kind = "baseline"

    def __init__(self, reply: str = "yes", *, name: str = "constant") -> None:
        self.name = name
        self.reply = reply
        self.fingerprint = hash_of(["constant", 1, reply])
        self.capabilities = Capabilities(images=True, several_images=True, video=True)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield the fixed reply for each request, in order."""
        return (Response(key=request.key, text=self.reply) for request in requests)
