"""What runs in a worker of a crew: one model, asked what is handed over, and what worker and crew say to each other.

A worker asks for work when its model wants some, so that no more is handed over than is worked on. An empty chunk ends a pass
(the model may wait for more before it answers what it has), None ends the worker. Not here: how words travel
(`harness.engine.processes`, `harness.engine.on_ray`) and who gets which work (`harness.engine.crew`).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from harness.accounts import prices_of
from harness.engine.stream import Exchange
from harness.errors import HarnessError
from harness.keys import Kind
from harness.model import Capabilities, LoglikelihoodModel, Model, shortcomings
from harness.provenance import plain
from harness.types import Request, Response


@dataclass(frozen=True, kw_only=True)
class Order:
    """Which model a worker loads: a configuration's ``_target_`` with its arguments, and the packages it may come from."""

    model: Mapping[str, Any]
    plugins: tuple[str, ...] = ()

    def build(self) -> Model:
        """Load the model. Raises `ConfigError` if it cannot be, or is none."""
        from harness.build import build
        from harness.catalog import admit
        from harness.errors import ConfigError

        admit(self.plugins)
        model: Model = build(self.model, self.plugins)
        if lacking := list(shortcomings(model)):
            raise ConfigError("\n".join(f"model: {one}" for one in lacking))
        return model


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests for a worker; none of them ends a pass."""

    kind: Kind
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class Introduced:
    """A worker's first word: what its model is (`harness.model.Model`), and which process it is."""

    name: str
    fingerprint: str
    capabilities: Capabilities
    kind: str
    traces: tuple[str, ...]
    details: Mapping[str, Any]
    prices: Mapping[str, float | None]
    place: str


@dataclass(frozen=True, slots=True)
class Asks:
    """A worker wants more, or to hear that there is no more."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The response that settles a request."""

    response: Response


@dataclass(frozen=True, slots=True)
class Logged:
    """A line for the run's log."""

    level: int
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A worker's last word: an error that ends the run, by the name of its class."""

    error: str
    message: str


@dataclass(frozen=True, slots=True)
class Died:
    """What is heard of a worker that is gone without a word."""

    reason: str


Message = Introduced | Asks | Settled | Logged | Stopped | Died


@dataclass
class _Pass:
    """The requests of one pass, asked for chunk by chunk."""

    ask: Callable[[], Chunk | None]
    chunk: Chunk | None
    requests: list[Request] = field(default_factory=list)

    def __iter__(self) -> Iterator[Request]:
        while self.chunk is not None and self.chunk.requests:
            yield from self.chunk.requests
            self.chunk = self.ask()


def work(order: Order, receive: Callable[[], Chunk | None], send: Callable[[Message], None], *, log: bool = True) -> None:
    """Load the model and answer what is received until that is None; the run's errors are the last thing that is sent.

    ``log`` sends what is logged, too; not for a worker in the crew's own process.
    """

    def ask() -> Chunk | None:
        send(Asks())
        return receive()

    with _log_sent(send) if log else nullcontext():
        try:
            model = order.build()
            send(introduction(model))
            while (chunk := ask()) is not None:
                one = _Pass(ask, chunk)
                Exchange(
                    _call(model, chunk.kind), lambda _, response: send(Settled(response)), kind=chunk.kind, forward=True
                ).run(one)
                if one.chunk is None:
                    return
        except HarnessError as error:
            send(Stopped(type(error).__name__, str(error)))


def introduction(model: Model) -> Introduced:
    """Say what a run records of a model."""
    return Introduced(
        name=model.name,
        fingerprint=model.fingerprint,
        capabilities=model.capabilities,
        kind=getattr(model, "kind", "model"),
        traces=tuple(getattr(model, "traces", ())),
        details=plain(getattr(model, "details", {})),
        prices=prices_of(model),
        place=f"process {os.getpid()} on {socket.gethostname()}",
    )


def _call(model: Model, kind: Kind) -> Callable[[Iterable[Request]], Iterable[Response]]:
    return cast(LoglikelihoodModel, model).loglikelihood if kind == "loglikelihood" else model.generate


class _Sender(logging.Handler):
    """Sends what is logged to whoever keeps the run's log."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__(logging.INFO)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line, with its traceback."""
        self._send(Logged(record.levelno, record.name, self.format(record)))


@contextmanager
def _log_sent(send: Callable[[Message], None]) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("harness", "models")]
    handler = _Sender(send)
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
