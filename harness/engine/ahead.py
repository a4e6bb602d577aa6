"""Work on the next few items in threads while the caller is busy with the present one.

The window is what bounds memory: no more than ``window`` results wait, however long the stream is. Threads serve, because
the work (reading files, hashing, decoding pictures) leaves the interpreter lock alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item], work: Callable[[Item], Result], *, workers: int = 2, window: int = 32) -> Iterator[Result]:
    """Yield ``work(item)`` for each item in order, computing up to ``window`` of them ahead in ``workers`` threads.

    ``items`` is advanced in the caller's thread only. ``workers=0`` does the work when it is asked for. An exception of
    ``work`` is raised where its result would have been.
    """
    if workers == 0:
        for item in items:
            yield work(item)
        return
    source = iter(items)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    try:
        waiting: deque[Future[Result]] = deque(pool.submit(work, item) for item in islice(source, window))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(source, 1))
            yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
