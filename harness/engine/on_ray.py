"""Workers that are actors of a Ray cluster, on this machine or many; needs the extra ``ray``.

Each actor is given the GPUs that it asks for. Media are read where the actor runs, so all machines see the same files.
"""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

from harness.engine.worker import Chunk, Died, Message, Order, Stopped, work
from harness.errors import ConfigError

WAIT_S = 1.0
"""So often the wait for a word looks up, for signals."""


class OnRay:
    """Starts and hears actors (`harness.engine.crew.Workers`).

    Args:
        order: the model.
        address: of a running cluster (``auto`` finds it); without one, one is started on this machine.
        cpus, gpus: that each actor holds.
    """

    def __init__(self, order: Order, address: str | None = None, cpus: float = 1, gpus: float = 0) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ModuleNotFoundError as error:
            raise ConfigError("engine=ray: Ray is not installed; pip install 'riddle-eval[ray]'") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            ray.init(address=address, include_dashboard=None if address else False, log_to_driver=False)
        self._order = order
        self._actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_concurrency=2, max_restarts=0)(Actor)
        self._actors: dict[int, Any] = {}
        self._taking: dict[Any, int] = {}

    def start(self, number: int) -> None:
        """Start an actor, wherever there is room."""
        actor = self._actors[number] = self._actor.remote(self._order)
        self._taking[actor.take.remote()] = number

    def give(self, number: int, chunk: Chunk) -> None:
        """Send requests to an actor."""
        self._actors[number].give.remote(chunk)

    def heard(self) -> Iterator[tuple[int, Message]]:
        """Wait for a word of an actor."""
        ready: list[Any] = []
        while not ready:
            ready, _ = self._ray.wait(list(self._taking), timeout=WAIT_S)
        for taken in ready:
            number = self._taking.pop(taken)
            try:
                messages = self._ray.get(taken)
            except self._ray.exceptions.RayError as error:
                yield number, Died(f"was lost ({type(error).__name__})")
                continue
            self._taking[self._actors[number].take.remote()] = number
            for message in messages:
                yield number, message

    def close(self) -> None:
        """End all actors, and the cluster if it was started here."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._taking.clear()
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()


class Actor:
    """A worker in a thread, so that it can be told and heard while it is at work."""

    def __init__(self, order: Order) -> None:
        self._in: queue.Queue[Chunk | None] = queue.Queue()
        self._out: queue.Queue[Message] = queue.Queue()
        threading.Thread(target=self._work, args=(order,), daemon=True).start()

    def give(self, chunk: Chunk) -> None:
        """Take requests."""
        self._in.put(chunk)

    def take(self) -> list[Message]:
        """Wait for something to say; return all that there is."""
        messages = [self._out.get()]
        while not self._out.empty():
            messages.append(self._out.get())
        return messages

    def _work(self, order: Order) -> None:
        try:
            work(order, self._in.get, self._out.put)
        except Exception as error:  # nobody else would hear of it
            self._out.put(Stopped("RunStopped", f"a worker fails: {type(error).__name__}: {error}"))
