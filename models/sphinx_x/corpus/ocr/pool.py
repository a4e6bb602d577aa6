"""Runs jobs in processes of their own, which may crash or hang without taking the others with them.

Each worker has a pipe and one job at a time, so nothing queues up in memory: a job is taken from the iterator only when a
worker is free. A worker reports each step of a job (a page); one that is silent for too long is ended, and a new one takes the
next job. Nothing is shared between workers that the end of one could damage, as a queue would be.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

Handler = Callable[[Any, Callable[[], None]], Any]
"""Does a job; calls its second argument after each step. A function of a module, since workers import it by name."""

START_S = 60.0
"""Seconds that a new process may take to start, beyond the limit of a step."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A job without a result, and why: ``took too long`` or ``crashed the parser``."""

    reason: str


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    job: Any = None
    since: float = 0.0


def run_jobs(
    handler: Handler, jobs: Iterable[Any], workers: int, limit_s: float, memory_mb: int = 0
) -> Iterator[tuple[Any, Any]]:
    """Yield (job, result) in the order in which jobs end; the result is a `Lost` if the worker died or was silent.

    Args:
        handler: does one job. An exception that it raises counts as a crash; handlers return what they expect to go wrong.
        jobs: what can be sent to another process; read as workers become free.
        workers: how many processes, at least 1.
        limit_s: seconds that one step of a job may take.
        memory_mb: address space of a worker, where the system can limit it; 0 for no limit.
    """
    context = multiprocessing.get_context("spawn")
    idle: list[_Worker] = []
    busy: list[_Worker] = []
    rest = iter(jobs)
    try:
        while True:
            while len(busy) < max(workers, 1) and (job := next(rest, None)) is not None:
                worker = idle.pop() if idle else _start(context, handler, memory_mb)
                _hand_over(worker, job)
                busy.append(worker)
            if not busy:
                return
            for worker, result in _results(busy, limit_s):
                job, worker.job = worker.job, None
                busy.remove(worker)
                if isinstance(result, Lost):
                    _end(worker)
                else:
                    idle.append(worker)
                yield job, result
    finally:
        for worker in [*idle, *busy]:
            _end(worker)


def _start(context: Any, handler: Handler, memory_mb: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, handler, memory_mb), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


def _hand_over(worker: _Worker, job: Any) -> None:
    worker.job, worker.since = job, time.monotonic() + START_S  # the worker itself starts the clock, when it takes the job
    with contextlib.suppress(OSError):  # the worker has died meanwhile; its closed pipe says so when it is read
        worker.pipe.send(job)


def _results(busy: list[_Worker], limit_s: float) -> Iterator[tuple[_Worker, Any]]:
    """Wait for something to happen, and yield the workers whose job has ended."""
    ends = min(worker.since for worker in busy) + limit_s
    ready = wait([worker.pipe for worker in busy], timeout=max(ends - time.monotonic(), 0.0))
    for worker in list(busy):
        if worker.pipe in ready:
            try:
                is_step, result = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(timeout=10)
                yield worker, Lost("crashed the parser")
                continue
            worker.since = time.monotonic()
            if not is_step:
                yield worker, result
        elif time.monotonic() >= worker.since + limit_s:
            yield worker, Lost("took too long")


def _end(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.join(timeout=10)


def _serve(pipe: Connection, handler: Handler, memory_mb: int) -> None:
    """Do jobs until the other end of the pipe is gone. Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(memory_mb)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send((True, None))
        result = handler(job, lambda: pipe.send((True, None)))
        pipe.send((False, result))


def _limit_memory(memory_mb: int) -> None:
    try:
        import resource
    except ImportError:  # a system without limits of this kind
        return
    if memory_mb:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = memory_mb << 20
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
