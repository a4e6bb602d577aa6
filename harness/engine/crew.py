"""Several workers as one model: hands requests out as they are asked for, and again where a worker dies.

A `Crew` is a model like any other, a function from a stream of requests to a stream of responses; what it answers is planned,
stored, retried and counted by the one process that runs the evaluation, and only that process writes. A worker that dies is
replaced. What it had in flight is asked again in halves, each by one worker alone, so that a request that kills its worker is
found, and fails, and no other does. No worker waits for another.

Not here: how workers are started and heard (`harness.engine.processes`, `harness.engine.on_ray`), what they do
(`harness.engine.worker`).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, Self

from harness import errors
from harness.engine.worker import Asks, Chunk, Died, Introduced, Logged, Message, Settled, Stopped
from harness.errors import ConfigError, HarnessError, RunStopped
from harness.keys import Kind
from harness.types import Failure, Request, Response

CHUNK = 16
"""Requests that are handed over at a time; a worker asks for the next before its model waits for them."""

DEATHS = 2
"""A request on which so many workers have died, alone with it, is given up."""

BARREN = 3
"""So many workers in a row may die before they have answered anything, each place; then the run stops."""

_log = logging.getLogger(__name__)


class Workers(Protocol):
    """How workers are started, told and heard; they are known by number."""

    def start(self, number: int) -> None:
        """Start a worker, in place of the one of that number that has died."""
        ...

    def give(self, number: int, chunk: Chunk) -> None:
        """Hand requests to a worker that has asked. One that is dead takes nothing; that is heard, not raised here."""
        ...

    def heard(self) -> Iterator[tuple[int, Message]]:
        """Wait until a worker says something; yield all that is there to hear."""
        ...

    def close(self) -> None:
        """End all workers, busy or not."""
        ...


@dataclass(frozen=True)
class Prices:
    """What a model costs (`harness.accounts`)."""

    prompt_price: float | None = None
    completion_price: float | None = None


@dataclass
class _Hand:
    """What the crew knows of one worker."""

    ready: bool = False
    asking: bool = False
    passing: Kind | None = None
    alone: bool = False
    out: dict[str, Request] = field(default_factory=dict)


class Crew:
    """A model that is several workers. Use it in a ``with`` statement, or `close` it."""

    def __init__(self, workers: Workers, n: int, chunk: int = CHUNK) -> None:
        """Start ``n`` workers and wait until the first has loaded its model.

        Raises:
            ConfigError, RunStopped: no worker can start.
        """
        self.workers, self.chunk = workers, chunk
        self.barren = 0
        self.hands = {number: _Hand() for number in range(n)}
        self._first: Introduced | None = None
        try:
            for number in self.hands:
                workers.start(number)
            while self._first is None:
                for number, message in workers.heard():
                    self.hear(number, message)
        except BaseException:
            workers.close()
            raise
        first = self._first
        self.name, self.fingerprint, self.capabilities = first.name, first.fingerprint, first.capabilities
        self.kind, self.traces, self.details = first.kind, first.traces, first.details
        self.limits = Prices(**first.prices)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers."""
        self.workers.close()

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request, in any order. Raises `RunStopped` if workers die without having answered."""
        return _Session(self, "generate", iter(requests)).responses()

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield responses whose ``logprobs`` weigh the choices. Raises `RunStopped` if workers die without having answered."""
        return _Session(self, "loglikelihood", iter(requests)).responses()

    def hear(self, number: int, message: Message) -> None:
        """Take note of what a worker says, as far as it concerns no request. Raises the error that a worker ends with."""
        hand = self.hands[number]
        if isinstance(message, Introduced):
            self._introduce(number, message)
        elif isinstance(message, Asks):
            hand.asking = True
        elif isinstance(message, Logged):
            logging.getLogger(message.name).log(message.level, "worker %d: %s", number, message.text)
        elif isinstance(message, Stopped):
            kind = getattr(errors, message.error, RunStopped)
            raise (kind if isinstance(kind, type) and issubclass(kind, HarnessError) else RunStopped)(message.message)
        elif isinstance(message, Died):
            self._replace(number, message)

    def _introduce(self, number: int, who: Introduced) -> None:
        first = self._first = self._first or who
        if who.fingerprint != first.fingerprint:
            raise ConfigError(
                f"worker {number} ({who.place}) has another model than the others: {who.name}, fingerprint {who.fingerprint}, "
                f"not {first.name}, {first.fingerprint}; see that all have the same weights and device"
            )
        self.hands[number].ready = True
        _log.info("worker %d: %s, model %s", number, who.place, who.name)

    def _replace(self, number: int, death: Died) -> None:
        """Start another worker. Raises `RunStopped` if too many have died without a word."""
        hand = self.hands[number]
        if not hand.ready or not hand.out:
            self.barren += 1
        if self.barren > BARREN * len(self.hands):
            raise RunStopped(f"workers die before they have answered anything, the last one {death.reason}; the run stops")
        _log.warning("worker %d is gone (%s) with %d requests in flight; it is replaced", number, death.reason, len(hand.out))
        self.hands[number] = _Hand()
        self.workers.start(number)


@dataclass
class _Session:
    """One call of the crew: a stream of requests until each has its response."""

    crew: Crew
    kind: Kind
    source: Iterator[Request]
    groups: deque[list[Request]] = field(default_factory=deque)
    deaths: Counter[str] = field(default_factory=Counter)
    exhausted: bool = False

    def responses(self) -> Iterator[Response]:
        """Yield the responses."""
        for hand in self.crew.hands.values():
            hand.out.clear()  # of a call that was given up
        while True:
            self._hand_out()
            if self.exhausted and not self.groups and not any(hand.out for hand in self.crew.hands.values()):
                return
            for number, message in self.crew.workers.heard():
                yield from self._take(number, message)

    def _hand_out(self) -> None:
        for number, hand in self.crew.hands.items():
            if hand.asking:
                self._serve(number, hand)

    def _serve(self, number: int, hand: _Hand) -> None:
        """Give a worker that asks a suspicious group, new requests, or the end of its pass; or let it wait."""
        if hand.passing and (hand.alone or hand.passing != self.kind):
            self._give(number, hand, [])
        elif self.groups and not hand.passing:
            hand.alone = True
            self._give(number, hand, self.groups.popleft())
        elif more := self._more():
            self._give(number, hand, more)
        elif hand.passing:
            self._give(number, hand, [])

    def _more(self) -> list[Request]:
        requests = [] if self.exhausted else list(islice(self.source, self.crew.chunk))
        self.exhausted = self.exhausted or not requests
        return requests

    def _give(self, number: int, hand: _Hand, requests: list[Request]) -> None:
        hand.asking = False
        hand.passing = self.kind if requests else None
        hand.alone = hand.alone and bool(requests)
        hand.out.update((request.key, request) for request in requests)
        self.crew.workers.give(number, Chunk(self.kind, tuple(requests)))

    def _take(self, number: int, message: Message) -> Iterator[Response]:
        hand = self.crew.hands[number]
        if isinstance(message, Settled):
            self.crew.barren = 0
            if hand.out.pop(message.response.key, None) is not None:
                yield message.response
            return
        self.crew.hear(number, message)
        if isinstance(message, Died):
            yield from self._suspect(list(hand.out.values()), message)

    def _suspect(self, requests: list[Request], death: Died) -> Iterator[Response]:
        """Set aside what a worker died with, in halves; yield the failure of a single request that has killed too often."""
        half = len(requests) // 2
        if half:
            self.groups += [requests[:half], requests[half:]]
        for request in requests if not half else ():
            self.deaths[request.key] += 1
            if self.deaths[request.key] < DEATHS:
                self.groups.append([request])
                continue
            what = f"every worker that is asked this dies; the last one {death.reason}"
            yield Response(key=request.key, finish_reason="error", failure=Failure("model", what))
