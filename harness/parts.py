"""The parts of a run that several processes make without talking: a file of responses each, claims, and how they become one.

    <run>/claims                        empty; a byte's lock is a claim to a slice of the requests
    <run>/parts/<worker>/responses.sqlite   what one process was answered; nobody else ever writes it
                         lock, log.txt      as in a run folder
                         done.json          the slices that it has finished

A request belongs to one of `SLICES` slices, by its key, or by its media so that one process keeps the prefix of all questions on
a picture. Claims only save work: they are freed by the system when their process ends, however it does, and were two processes to
ask the same request, what they store is merged by key. Times, places and numbers of processes leave no trace in what is merged.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Self

from harness import results
from harness.errors import InUse
from harness.store import FILE, Reader, RunLock, Store
from harness.types import Failure, Request

SLICES = 256
"""Into how many slices the requests of a run are cut, whatever the number of workers: also the most workers of a run."""

FOLDER, CLAIMS, DONE = "parts", "claims", "done.json"

PATIENCE_S = 10.0
"""So long the one who merges waits for a process that is about to leave."""


def slice_of(request: Request) -> int:
    """Return the slice of a request."""
    return int.from_bytes(blake2b((request.group or request.key).encode(), digest_size=4).digest()) % SLICES


def own_part(run: Path) -> Path:
    """Make the folder of this process's part; its name is nobody else's."""
    stamp = f"{time.time_ns() // 1_000_000:x}"
    folder = run / FOLDER / f"{socket.gethostname()}.{os.getpid()}.{stamp}"
    folder.mkdir(parents=True)
    return folder


def parts(run: Path) -> list[Path]:
    """Return the folders of all parts, by name."""
    return sorted(path.parent for path in (run / FOLDER).glob(f"*/{FILE}"))


def finished(run: Path) -> set[int]:
    """Return the slices that some process has finished."""
    found: set[int] = set()
    for path in sorted((run / FOLDER).glob(f"*/{DONE}")):
        found.update(results.read_json(path)["slices"])
    return found


def finish(part: Path, slices: Sequence[int]) -> None:
    """Say which slices the process of this part has finished."""
    results.write_json(part / DONE, {"schema": results.SCHEMA, "slices": sorted(slices)})


class Claims:
    """The slices that this process has claimed; all are free again when it ends."""

    def __init__(self, run: Path) -> None:
        self._file: BinaryIO = (run / CLAIMS).open("a+b")
        self.held: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def claim(self, number: int) -> bool:
        """Claim a slice; False if another process has."""
        import fcntl

        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        self.held.add(number)
        return True

    def free(self) -> None:
        """Give all claims back."""
        import fcntl

        fcntl.lockf(self._file, fcntl.LOCK_UN, SLICES, 0)
        self.held.clear()


@contextmanager
def readable(part: Path) -> Iterator[Path]:
    """Yield the folder with a part's file as it can be read: a copy, if its process has died in the middle.

    A file that was closed has no journal beside it. One that was not is set right by whoever opens it next, so that is a copy.
    """
    if not (part / f"{FILE}-wal").exists():
        yield part
        return
    with tempfile.TemporaryDirectory(prefix="riddle-part-") as folder:
        for name in (FILE, f"{FILE}-wal"):
            shutil.copyfile(part / name, Path(folder, name))
        Store(Path(folder)).close()
        yield Path(folder)


@contextmanager
def left_by_others(run: Path) -> Iterator[list[Reader]]:
    """Open what stands in the run's own file and in the parts of processes that are gone."""
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader(run))] if (run / FILE).exists() else []
        for part in parts(run):
            if _left(part):
                readers.append(stack.enter_context(Reader(stack.enter_context(readable(part)))))
        yield readers


def _left(part: Path) -> bool:
    try:
        with RunLock(part):
            return True
    except InUse:
        return False


def merge(run: Path, store: Store) -> dict[str, tuple[str, Failure]]:
    """Put all parts into the run's own file, in the order of their names.

    Returns:
        If all slices are finished, what has failed in them by key, with its sample: it has been asked often enough. Else
        nothing: what has failed is asked once more, as in every new attempt.

    Raises:
        InUse: a process still works on a part.
    """
    found = parts(run)
    if not found:
        return {}
    failures: dict[str, tuple[str, Failure]] = {}
    with ExitStack() as stack:
        for part in found:
            stack.enter_context(_patient(part))
            folder = stack.enter_context(readable(part))
            store.absorb(folder / FILE)
    if len(finished(run)) == SLICES:
        failures.update(store.failed())
    return failures


def _patient(part: Path) -> RunLock:
    """Take a part from its process, which may be about to leave."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return RunLock(part)
        except InUse as error:
            if time.monotonic() > deadline:
                raise InUse(f"{error}; once it has ended, the same command goes on") from error
            time.sleep(0.05)


def forget(run: Path) -> None:
    """Remove the parts, once all that is in them is merged and scored."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)
