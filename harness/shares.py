"""One run by several processes that do not talk to one another: ranks of torchrun, jobs of a cluster, or one after another.

Each does a share, the slices of the requests that fall to it, and then those of processes that are gone or have not begun; what
it is answered goes into a file of its own. Nobody waits: who finds all slices finished, merges, scores and records
(`harness.run`); the others leave. If nobody does, because one was killed, the same command goes on, as a share, as a run by one
process, or cut in another number of shares, with the same result.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from harness import parts
from harness.asking import Asking
from harness.engine.guard import logging_to
from harness.errors import ConfigError, InUse
from harness.parts import SLICES, Claims
from harness.plan import Planned
from harness.results import Result
from harness.run import Evaluation
from harness.store import Reader, RunLock, Store

FEW = 16
"""At least so many slices of others are taken at a time: all samples are planned anew each time."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """The share of one of ``of`` processes, counted from 0.

    Raises:
        ConfigError: there is no such share.
    """

    index: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.of <= SLICES:
            raise ConfigError(f"engine.shards={self.of}: must be between 1 and {SLICES}")
        if not 0 <= self.index < self.of:
            raise ConfigError(f"engine.shard={self.index}: must be between 0 and {self.of - 1}, below engine.shards")

    @property
    def slices(self) -> list[int]:
        """The slices that fall to it."""
        return list(range(self.index, SLICES, self.of))


def evaluate_share(share: Share, whole: Evaluation) -> Result | None:
    """Do one process's share of a run, and if nothing else is left the rest of it.

    Returns:
        The result, or None if other processes are still at work: the last of them has it.

    Raises:
        ConfigError: ``settings.fresh``, which would forget what the other processes have done; else as `evaluate`.
    """
    if whole.settings.fresh:
        raise ConfigError("fresh=true: one of several processes cannot forget what the others do; remove the run's folder")
    with whole.opened():
        if len(parts.finished(whole.folder)) < SLICES:
            with whole.progress:
                _work(share, whole)
        if len(parts.finished(whole.folder)) < SLICES:
            return None
    try:
        return whole.complete()
    except InUse:  # another one has found the same, and is at it
        return None


def _work(share: Share, asking: Asking) -> None:
    """Do the slices of the share, then whatever nobody works on."""
    n = asking.count()
    part = parts.own_part(asking.folder)
    done: set[int] = set()
    with RunLock(part), logging_to(part), Claims(asking.folder) as claims:
        _log.info("share %d of %d: task %s, model %s", share.index, share.of, asking.task.name, asking.model.name)
        while wanted := _claimed(share, claims, asking.folder):
            asked = _answer(wanted, asking, part, n)
            done |= wanted
            parts.finish(part, sorted(done))
            claims.free()
            _log.info("%d of %d slices done, %d requests asked", len(done), SLICES, asked)


def _claimed(share: Share, claims: Claims, run: Path) -> set[int]:
    """Claim what is to be done next: of the own slices all that are free, else some of the others', for others may still come."""
    while True:
        done = parts.finished(run)
        claimed = {number for number in share.slices if number not in done and claims.claim(number)}
        if not claimed:
            left = [number for number in reversed(range(SLICES)) if number not in done]
            free = (number for number in left if claims.claim(number))
            claimed = set(islice(free, max(FEW, len(left) // share.of)))
        wanted = claimed - parts.finished(run)
        if wanted or not claimed:  # else what was free has just been finished by others
            return wanted
        claims.free()


def _answer(slices: set[int], asking: Asking, part: Path, n: int) -> int:
    """Have the requests of these slices answered into this process's part; return how many were asked."""
    with parts.left_by_others(asking.folder) as others:
        store = Store(part, alone=True)
        try:
            return asking.generate(store, _lacking(slices, asking, others), n).asked
        finally:
            store.close()


def _lacking(slices: set[int], asking: Asking, others: Sequence[Reader]) -> Iterator[Planned]:
    """The samples in these slices whose requests have no response that stands."""
    traces = getattr(asking.model, "traces", ())
    for one in asking.planned():
        if parts.slice_of(one.request) in slices and not any(_stands(reader, one.request.key, traces) for reader in others):
            yield one


def _stands(reader: Reader, key: str, traces: Sequence[str]) -> bool:
    stored = reader.get(key)
    if stored is None or (stored.response.failure is not None and stored.response.failure.kind != "media"):
        return False
    return stored.response.failure is not None or reader.has_traces(key, traces)
