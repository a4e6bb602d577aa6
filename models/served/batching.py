"""Lets a model answer requests that come one by one and at once, through its own stream of requests.

One thread feeds the model. It waits for a first request, offers the model whatever has come by then as a stream that ends when
no more is waiting, and hands out the responses as they are ready: what arrives meanwhile makes the next stream. So a model that
batches does so here, and none needs to know of it. Equal requests that wait together are asked once.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.engine.retry import Backoff
from harness.engine.stream import Exchange
from harness.errors import RunStopped
from harness.model import Model
from harness.types import Failure, Request, Response

_log = logging.getLogger(__name__)

_END = None


class Full(Exception):
    """As many requests are waiting as may."""


@dataclass
class Batcher:
    """Answers for one model.

    Attributes:
        model: what answers.
        waiting: requests that may wait or be in work; more are refused.
        linger_s: after a first request, so long is waited for others to come along.
        streams: how many requests each stream held, for whoever wants to see that they were batched.
    """

    model: Model
    waiting: int = 256
    linger_s: float = 0.005
    streams: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._queue: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._asked: dict[str, list[asyncio.Future[Response]]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    async def answer(self, request: Request) -> Response:
        """Return the response to a request. Raises `Full` if too many wait."""
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        with self._lock:
            known = self._asked.get(request.key)
            if sum(map(len, self._asked.values())) >= self.waiting:
                raise Full
            self._asked.setdefault(request.key, []).append(future)
        if known is None:
            self._queue.put(request)
        return await future

    def close(self) -> None:
        """End the thread after what is in work."""
        self._queue.put(_END)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (first := self._queue.get()) is not _END:
            time.sleep(self.linger_s)
            taken: list[Request] = []
            exchange = Exchange(self.model.generate, self._settle, backoff=Backoff(retries=0))
            try:
                exchange.run(self._stream(first, taken))
            except RunStopped as error:  # the model has had enough: a budget is spent, a key refused
                failure = Failure("model", str(error))
            except Exception as error:
                _log.exception("the engine failed on %d requests", len(taken))
                failure = Failure("model", f"{type(error).__name__}: {error}")
            else:
                failure = Failure("model", "the model gave no response")
            for request in taken:
                self._settle(request, Response(key=request.key, finish_reason="error", failure=failure))
            self.streams = [*self.streams[-99:], len(taken)]

    def _stream(self, first: Request, taken: list[Request]) -> Iterator[Request]:
        """The first request and all that wait behind it."""
        request: Request | None = first
        while request is not _END:
            taken.append(request)
            yield request
            try:
                request = self._queue.get_nowait()
            except queue.Empty:
                return
        self._queue.put(_END)

    def _settle(self, request: Request, response: Response) -> None:
        """Hand a response to all who wait for it; a second one finds nobody."""
        with self._lock:
            waiting = self._asked.pop(request.key, [])
        for future in waiting:
            future.get_loop().call_soon_threadsafe(_deliver, future, response)


def _deliver(future: asyncio.Future[Response], response: Response) -> None:
    if not future.done():  # whoever asked may have gone
        future.set_result(response)
