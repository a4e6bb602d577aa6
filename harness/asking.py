"""Has a model asked what a run still lacks: the generate phase, with all that it is given.

Used by the one process of a run (`harness.run`) and by each of several that share one (`harness.shares`). Not here: what is
planned (`harness.plan`), how it is asked (`harness.engine`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harness import results
from harness.engine.collect import Collector
from harness.engine.retry import Backoff
from harness.engine.stream import Exchange
from harness.model import LoglikelihoodModel, Model
from harness.plan import Planned, Settings, Source, convention_of, plan
from harness.progress import Progress
from harness.rescore import allowed_failures
from harness.store import Elsewhere, Store
from harness.task import Task
from harness.types import Failure, Request, Response


def how_to_go_on(command: str) -> str:
    """Say how a run that has stopped goes on; ``command`` repeats the call, if there is one."""
    return f"Go on with: {command}" if command else "The same command goes on where it stopped."


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who is asked what, and how.

    Attributes:
        folder: the run's folder.
        runs: the root of all run folders; replies in other runs below it are reused.
        advice: how to go on, for errors.
    """

    task: Task
    model: Model
    source: Source
    settings: Settings
    folder: Path
    runs: Path
    progress: Progress
    advice: str
    sleep: Callable[[float], None]

    def planned(self) -> Iterator[Planned]:
        """All samples with their requests, in order."""
        return plan(self.source, self.settings, self.model.fingerprint, self.model.capabilities.needs_ideal)

    def generate(
        self, store: Store, planned: Iterator[Planned], n: int, failures: Mapping[str, tuple[str, Failure]] | None = None
    ) -> Collector:
        """Have what is planned answered into ``store``; ``n`` is the run's number of samples, ``failures`` stand unasked."""
        settings, model = self.settings, self.model
        call: Callable[[Iterable[Request]], Iterable[Response]] = model.generate
        if settings.kind == "loglikelihood":
            call = cast(LoglikelihoodModel, model).loglikelihood
        with ExitStack() as stack:
            elsewhere = None
            if settings.reuse and not settings.fresh:
                elsewhere = stack.enter_context(Elsewhere(self.runs, self.folder, model.fingerprint))
            collector = Collector(
                planned=planned,
                store=store,
                elsewhere=elsewhere,
                convention=convention_of(self.task, settings.convention, model.capabilities.box_frame),
                progress=self.progress.begin("generate", n),
                allowed=allowed_failures(settings.max_failures, n),
                invalidate=lambda: results.forget(self.folder),
                advice=f"Mend the cause, or allow more with max_failures. {self.advice}",
                traces=getattr(model, "traces", ()),
                failures=dict(failures or {}),
            )
            backoff = Backoff(retries=settings.retries, seed=settings.seed)
            exchange = Exchange(
                call,
                collector.record,
                kind=settings.kind,
                backoff=backoff,
                sleep=self.sleep,
                timeout_s=settings.timeout_s,
                advice=self.advice,
            )
            exchange.run(collector.requests())
        return collector
