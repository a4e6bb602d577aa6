"""The baseline that always says the same: what a benchmark gives for no understanding at all.

With ``opens_media`` it also decodes every picture and clip first, which makes it the load for measuring the engine's own
speed (``riddle bench engine``) and shows unreadable media as failures, as a real model would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.errors import MediaError
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Failure, Image, Request, Response, Video


class Constant:
    """Answers every request with ``reply``."""

    def __init__(self, reply: str = "yes", *, name: str = "constant", opens_media: bool = False) -> None:
        self.name = name
        self.reply = reply
        self.opens_media = opens_media
        self.fingerprint = hash_of(["constant", 1, reply, opens_media])
        self.capabilities = Capabilities(images=True, several_images=True, video=True)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield the fixed reply for each request, in order, or a failure of kind ``media``."""
        for request in requests:
            failure = _open_media(request) if self.opens_media else None
            if failure is None:
                yield Response(key=request.key, text=self.reply)
            else:
                yield Response(key=request.key, finish_reason="error", failure=failure)


def _open_media(request: Request) -> Failure | None:
    """Decode the request's pictures and frames, one at a time, and drop them."""
    from harness.data.video import read_frames

    from harness.data.media import open_image

    for part in request.parts:
        try:
            if isinstance(part, Image):
                open_image(part.source)
            elif isinstance(part, Video):
                read_frames(part.source, part.frames)
        except MediaError as error:
            return Failure(kind="media", message=str(error))
    return None
