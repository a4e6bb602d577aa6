"""The generate phase: offers the model what is still to be asked, stores what comes back, stops when too much fails.

A request is not asked if its reply is stored in this run, stands in another run under the same root, or is being asked for
another sample. Of stored failures, those of media are kept (the key names the bytes, which will not change); all others are
asked again once in every invocation, since a server may be back or a model mended. A stored reply that lacks side records that
are wanted now (`harness.traces`) is asked for again, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.errors import RunStopped
from harness.plan import Planned
from harness.progress import Progress
from harness.scoring import score_stored
from harness.store import Elsewhere, Store, Stored
from harness.task import Convention
from harness.types import Failure, Request, Response, Sample

CAUSES_NAMED = 3


@dataclass
class Collector:
    """State of one generate phase; memory grows with what is in flight and what has failed, not with the samples.

    Attributes:
        planned: the samples with their requests, in order.
        store: this run's responses.
        elsewhere: other runs' responses, or None.
        convention: for the running score.
        allowed: so many failed requests are borne.
        traces: names of the side records that every reply must have.
        invalidate: called once, before the first response that is not stored yet is asked for or taken over.
        advice: how to go on, for the error when too many fail.
    """

    planned: Iterator[Planned]
    store: Store
    elsewhere: Elsewhere | None
    convention: Convention
    progress: Progress
    allowed: int
    invalidate: Callable[[], None]
    advice: str
    traces: Sequence[str] = ()
    asked: int = 0
    samples: int = 0
    reused: int = 0
    failures: dict[str, tuple[str, Failure]] = field(default_factory=dict)
    _open: dict[str, list[Sample]] = field(default_factory=dict)
    _changed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)  # a model may pull requests in threads of its own

    def requests(self) -> Iterator[Request]:
        """Yield what has to be asked, in the order of the samples, and note the order of all of them."""
        self.store.begin_plan()
        for position, one in enumerate(self.planned):
            self.samples += 1
            request = one.request
            self.store.plan(position, one.sample.id, request.key)
            if not self._joined(one) and not self._answered(one):
                self._keep_request(one)
                if one.failure is not None:
                    response = Response(key=request.key, finish_reason="error", failure=one.failure)
                    self._put(request, response)
                    self._show(request, Stored(response), [one.sample])
                elif not self._take_over(one):
                    with self._lock:
                        self._open[request.key] = [one.sample]
                    yield request
        self.store.commit()

    def record(self, request: Request, response: Response) -> None:
        """Store the response to a request that was asked. Raises `RunStopped` if too many have failed."""
        self.asked += 1
        self._put(request, response)
        with self._lock:  # stored before it leaves the open ones, so that a sample with the same request finds it
            samples = self._open.pop(request.key)
        self._show(request, Stored(response), samples)

    def _joined(self, one: Planned) -> bool:
        """Whether the same request is in flight for another sample; its response will serve both."""
        with self._lock:
            samples = self._open.get(one.request.key)
            if samples is not None:
                samples.append(one.sample)
        return samples is not None

    def _answered(self, one: Planned) -> bool:
        """Whether the run has a response that stands."""
        stored = self.store.get(one.request.key)
        if stored is None:
            return False
        failure = stored.response.failure
        if failure is not None and failure.kind != "media" and one.request.key not in self.failures:
            return False
        if failure is not None:
            self._count_failure(one.request, failure)
        elif not self.store.has_traces(one.request.key, self.traces):
            return False
        self._show(one.request, stored, [one.sample])
        return True

    def _take_over(self, one: Planned) -> bool:
        """Copy the reply of another run, if one has it."""
        found = self.elsewhere.find(one.request.key, self.traces) if self.elsewhere is not None else None
        if found is None:
            return False
        self.reused += 1
        self._put(one.request, found, reused=True)
        self._show(one.request, Stored(found, True), [one.sample])
        return True

    def _keep_request(self, one: Planned) -> None:
        if not self._changed:
            self._changed = True
            self.invalidate()
        self.store.add_request(one.request.key, one.sample.id, one.parts, one.request.generation)

    def _put(self, request: Request, response: Response, *, reused: bool = False) -> None:
        self.store.put(response, reused=reused)
        if response.failure is not None:
            self._count_failure(request, response.failure)

    def _show(self, request: Request, stored: Stored, samples: list[Sample]) -> None:
        rows = [score_stored(self.convention, sample, request.key, stored) for sample in samples]
        with self._lock:
            for row in rows:
                self.progress.scored(row, reused=stored.reused)

    def _count_failure(self, request: Request, failure: Failure) -> None:
        self.failures.setdefault(request.key, (request.sample_id, failure))
        if (count := len(self.failures)) > self.allowed:
            causes = [f"  {sample_id}: {one.kind}: {one.message}" for sample_id, one in self.failures.values()]
            first = "\n".join(causes[:CAUSES_NAMED])
            raise RunStopped(
                f"{count} samples have failed, more than the {self.allowed} that max_failures allows; the run stops.\n"
                f"First causes:\n{first}\nNothing that was stored is lost. {self.advice}"
            )
