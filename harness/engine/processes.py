"""Workers that are processes of this machine: started afresh, told and heard through a pipe each.

A worker whose parent is gone ends with its next word. What it prints goes to standard error; ``LOCAL_RANK`` tells its model which
of several GPUs is its own.
"""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from harness.engine.worker import Chunk, Died, Message, Order, work

GRACE_S = 5.0
"""So long a process that was told to end may take."""


class Processes:
    """Starts and hears processes (`harness.engine.crew.Workers`)."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._running: dict[int, tuple[BaseProcess, Connection]] = {}
        self._end = weakref.finalize(self, _end_all, self._running)

    def start(self, number: int) -> None:
        """Start a worker. Files and threads of this process are not inherited."""
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_main, args=(number, self._order, theirs), name=f"riddle-worker-{number}")
        process.start()
        theirs.close()
        self._running[number] = (process, ours)

    def give(self, number: int, chunk: Chunk) -> None:
        """Send requests to a worker."""
        with suppress(OSError):  # it is dead, which is heard next
            self._running[number][1].send(chunk)

    def heard(self) -> Iterator[tuple[int, Message]]:
        """Wait for a word of a worker."""
        ours = {connection: number for number, (_, connection) in self._running.items()}
        for connection in wait(list(ours)):
            yield from self._words(ours[connection], connection)  # type: ignore[index, arg-type]

    def _words(self, number: int, connection: Connection) -> Iterator[tuple[int, Message]]:
        try:
            while True:
                yield number, connection.recv()
                if not connection.poll():
                    return
        except (EOFError, OSError):
            process, _ = self._running.pop(number)
            connection.close()
            process.join(GRACE_S)
            yield number, Died(_ended(process))

    def close(self) -> None:
        """Kill all workers: what they have answered is stored, and nothing else of theirs is worth waiting for."""
        self._end()


def _end_all(running: dict[int, tuple[BaseProcess, Connection]]) -> None:
    for process, connection in running.values():
        connection.close()
        process.kill()
    for process, _ in running.values():
        process.join(GRACE_S)
        with suppress(ValueError):  # still there: the system takes its time
            process.close()
    running.clear()


def _ended(process: BaseProcess) -> str:
    code = process.exitcode
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _main(number: int, order: Order, connection: Connection) -> None:
    """Be a worker until there is no more work, or no parent."""
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    os.environ["LOCAL_RANK"] = str(number)
    lock = threading.Lock()

    def send(message: Message) -> None:
        with lock:
            connection.send(message)

    with suppress(EOFError, OSError):
        work(order, connection.recv, send)
