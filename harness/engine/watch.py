"""Ends the wait for a model that hangs, and tells SIGTERM from Ctrl-C.

A model's code runs in the main thread and may sleep for ever, where only a signal reaches it. So a thread of ours looks at the
clock, and a signal of ours raises `Hung` wherever the model stands. Code that does not even come back to Python (a deadlock in a
library) is left no choice: the process ends.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

from harness.errors import ConfigError, Terminated

SIGNAL = signal.SIGUSR2
GRACE_S = 10.0
"""So long a hanging model may take to let itself be interrupted."""


class Hung(BaseException):
    """Raised in the model's code when its time is up; no `Exception`, so that no model's error handling takes it for its own."""


class Watch:
    """Counts the seconds in which the model has the word; does nothing without a limit.

    Args:
        limit_s: so long the model may keep silent.
        last_words: called before the process ends, if the model cannot be interrupted; returns what to say.
        leave: ends the process with an exit code.
    """

    def __init__(self, limit_s: float | None, last_words: Callable[[], str], leave: Callable[[int], object] = os._exit) -> None:
        self.limit_s = limit_s
        self._last_words = last_words
        self._leave = leave
        self._deadline = math.inf
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        """Start to watch. Raises `ConfigError` outside of the main thread, which is the only one that signals reach."""
        if self.limit_s is not None:
            if threading.current_thread() is not threading.main_thread():
                raise ConfigError("timeout_s: a model can be interrupted in the main thread only; leave it out in other threads")
            self._before = signal.signal(SIGNAL, _raise_hung)
            self._thread = threading.Thread(target=self._look, args=(self.limit_s,), name="watch", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.limit_s is not None:
            self._ended.set()
            self._thread.join()
            signal.signal(SIGNAL, self._before)

    def model(self) -> None:
        """Say that the model has the word now, and all of its time."""
        if self.limit_s is not None:
            self._deadline = time.monotonic() + self.limit_s

    def engine(self) -> None:
        """Say that the engine has the word; its time is not counted."""
        self._deadline = math.inf

    def _look(self, limit_s: float) -> None:
        while not self._ended.wait(min(limit_s / 4, 1.0)):
            if time.monotonic() < self._deadline:
                continue
            signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)
            if not self._ended.wait(GRACE_S):
                sys.stderr.write(f"RunStopped: {self._last_words()} The model could not be interrupted; the process ends.\n")
                sys.stderr.flush()
                self._leave(1)
            return


def _raise_hung(number: int, frame: FrameType | None) -> None:
    raise Hung


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM raise `Terminated`, as Ctrl-C raises KeyboardInterrupt; unless somebody else handles or ignores it already."""
    mine, ours = os.getpid(), threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != mine:  # a worker that was forked from here ends as it would have
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
