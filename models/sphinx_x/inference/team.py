"""One model over several processes of this machine, each with a share of the language model (``cut``).

The first is the process that the harness runs in; it starts the others, each on a device of its own. All run the same engine on
the same requests, which the first passes on as it takes them from the stream, so batches are the same everywhere and nothing
else has to be told; the first decides on each next token. The others end when the first does, and the first stops its run when
one of the others dies. Not here: models over several machines.
"""

from __future__ import annotations

import os
import signal
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any, Literal, Protocol

import torch
from torch.distributed import FileStore, ProcessGroupGloo  # type: ignore[attr-defined]

from harness.errors import ConfigError, RunStopped
from harness.types import Request, Response
from models.sphinx_x import pruning
from models.sphinx_x.assembly import Assembled, Computing
from models.sphinx_x.inference.cut import ALONE, Share
from models.sphinx_x.inference.engine import Engine, EngineOptions

Verb = Literal["generate", "loglikelihood"]

PATIENCE = timedelta(minutes=10)
"""So long a process waits for another in the middle of a layer."""


class Serving(Protocol):
    """What answers: an engine, or a team of them."""

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """One response a request."""
        ...

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Weights of each request's choices."""
        ...

    def prompt_tokens(self, request: Request) -> int:
        """Positions of a prompt."""
        ...


@dataclass(frozen=True)
class Order:
    """What each process builds; the fields are settings of `models.sphinx_x.plugin.SphinxXModel`."""

    folder: Path
    how: Computing
    options: EngineOptions
    variant: str | None = None
    active_experts: int | None = None
    pruned_experts: Mapping[str, Any] | None = None
    expert_cache: int | None = None

    def build(self, share: Share = ALONE) -> tuple[Assembled, Engine]:
        """Load and place a model, or this process's share of one, and put the engine on it.

        Raises:
            ConfigError: the settings do not fit the folder or each other.
        """
        experts = (self.active_experts, self.pruned_experts, self.expert_cache)
        built = Assembled.load(self.folder, *experts, dtype=self.how.arithmetic, share=share)
        if self.variant not in (None, built.model.variant.name):
            raise ConfigError(f"model.weights={self.folder}: holds variant {built.model.variant.name}, not {self.variant}")
        built.place(self.how)
        return built, Engine(built.model, built.tokenizer, self.options, share)

    def check_cut(self, world: int) -> None:
        """Raise `ConfigError` if something is set that does not go with a model cut over so many processes."""
        pruned = pruning.settings(self.pruned_experts)
        rivals = {"dtype=int8": self.how.dtype == "int8", "pruned_experts": pruned, "expert_cache": self.expert_cache}
        for name, given in rivals.items():
            if given:
                raise ConfigError(f"model.tensor_parallel={world}: does not go with model.{name}; leave one of them out")

    def on(self, device: torch.device) -> Order:
        """The same on another device."""
        return replace(self, how=replace(self.how, device=device))


def asked(order: Order, devices: Sequence[torch.device]) -> tuple[Assembled, Serving]:
    """A model on one device or cut over several, and what answers for it."""
    if len(devices) == 1:
        return order.build()
    team = Team(order, devices)
    return team.built, team


class Team:
    """A model on these devices, one process each; it serves one stream at a time."""

    def __init__(self, order: Order, devices: Sequence[torch.device]) -> None:
        """Start the other processes and build all shares. Raises `ConfigError` with the words of one that could not."""
        order.check_cut(len(devices))
        self._others: dict[Connection, BaseProcess] = {}
        self._meeting = tempfile.TemporaryDirectory(prefix="riddle-team-")
        self._end = weakref.finalize(self, _end_all, self._others, self._meeting)
        for number, device in enumerate(devices[1:], start=1):
            self._start(order.on(device), Share(number, len(devices)))
        self._share = Share(0, len(devices))
        try:
            self.built, self._engine = order.on(devices[0]).build(self._share)
            self._hear()
            _meet(self._share, devices[0], Path(self._meeting.name))
        except BaseException:
            self._end()
            raise

    def _start(self, order: Order, share: Share) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        told = (order, share, Path(self._meeting.name), torch.get_num_threads(), theirs)
        process = context.Process(target=_follow, args=told, name=f"riddle-share-{share.number}", daemon=True)
        process.start()
        theirs.close()
        self._others[ours] = process

    def _hear(self) -> None:
        """Wait until each of the others has built its share."""
        waiting = set(self._others)
        while waiting:
            for ours in waiting & set(wait(list(waiting))):
                try:
                    trouble = str(ours.recv())
                except EOFError:
                    trouble = self._trouble()
                if trouble:
                    raise ConfigError(f"model.tensor_parallel={self._share.world}: {trouble}")
                waiting.remove(ours)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield one response a request. Raises `RunStopped` if one of the other processes has ended."""
        return self._serve("generate", requests)

    def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield weights of each request's choices; errors are those of `generate`."""
        return self._serve("loglikelihood", requests)

    def prompt_tokens(self, request: Request) -> int:
        """Positions of a prompt."""
        return self._engine.prompt_tokens(request)

    def _serve(self, verb: Verb, requests: Iterable[Request]) -> Iterator[Response]:
        whole = False
        try:
            self._tell(verb)
            yield from getattr(self._engine, verb)(self._passed_on(requests))
            whole = True
        except (RuntimeError, OSError) as error:
            raise RunStopped(f"model.tensor_parallel={self._share.world}: {self._trouble() or error}") from error
        finally:
            if not whole:
                self._end()  # the others wait in the middle of a layer

    def _passed_on(self, requests: Iterable[Request]) -> Iterator[Request]:
        for request in requests:
            self._tell(request)
            yield request
        self._tell(None)

    def _tell(self, word: Verb | Request | None) -> None:
        if not self._end.alive:
            raise RunStopped("model: an earlier stream was left in its middle, which ended the other processes; build it anew")
        for ours in self._others:
            ours.send(word)

    def _trouble(self) -> str:
        """What the others last said, and who of them has ended; empty if all is well."""
        found: list[str] = []
        for ours, process in self._others.items():
            process.join(timeout=1)
            with suppress(EOFError, OSError):
                if ours.poll():
                    found.append(f"{process.name}: {ours.recv()!s}")
            if process.exitcode is not None:
                found.append(f"{process.name} has ended (exit code {process.exitcode})")
        return "; ".join(found)


def _end_all(others: Mapping[Connection, BaseProcess], meeting: tempfile.TemporaryDirectory[str]) -> None:
    for ours, process in others.items():
        ours.close()
        process.terminate()
    for process in others.values():
        process.join(timeout=5)
    meeting.cleanup()


def _meet(share: Share, device: torch.device, meeting: Path) -> None:
    """Let the processes meet, through a file: no port is opened for it."""
    store = FileStore(str(meeting / "store"), share.world)
    if device.type == "cuda":
        from torch.distributed import ProcessGroupNCCL  # builds for CPUs have none

        torch.cuda.set_device(device)
        options = ProcessGroupNCCL.Options()
        options._timeout = PATIENCE
        share.group = ProcessGroupNCCL(store, share.number, share.world, options)
    else:
        share.group = ProcessGroupGloo(store, share.number, share.world, PATIENCE)


def _follow(order: Order, share: Share, meeting: Path, threads: int, first: Connection) -> None:
    """What each of the other processes does: build its share, then answer along without being heard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it, too
    Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)  # sums must come out the same everywhere
    try:
        _, engine = order.build(share)
        first.send("")
        _meet(share, order.how.device, meeting)
        while True:
            verb: Verb = first.recv()
            for _ in getattr(engine, verb)(iter(first.recv, None)):
                pass
    except EOFError:  # the first process is through
        return
    except Exception as error:  # whatever it is, the first process tells the user
        first.send(f"{type(error).__name__}: {error}")


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
