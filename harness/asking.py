"""Has a model asked what a run still lacks: the generate phase, with all that it is given, and the folder it is done in.

Used by the one process of a run (`harness.run`) and by each of several that share one (`harness.shares`). Not here: what is
planned (`harness.plan`), how it is asked (`harness.engine`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from harness import keys, results
from harness.engine.collect import Collector
from harness.engine.guard import stopping
from harness.engine.retry import Backoff
from harness.engine.stream import Exchange
from harness.errors import DatasetError
from harness.model import LoglikelihoodModel, Model
from harness.names import as_name
from harness.plan import Planned, Settings, Source, check, convention_of, plan
from harness.progress import Progress
from harness.rescore import allowed_failures
from harness.store import Elsewhere, Store
from harness.task import Task
from harness.types import Failure, Request, Response

RUNS = Path("runs")


def run_folder(task: Task, model: Model, data: str, settings: Settings, runs: Path = RUNS, data_name: str = "") -> Path:
    """Return the folder of a run, ``<runs>/<model>/<task>[@<data name>]/<fingerprint>``.

    ``data`` is the data's fingerprint. Failure limits, workers, confidence and convention have no part in the name.
    """
    return folder_of(runs, model.name, task.name, data_name, identity(task, model, data, settings))


def folder_of(runs: Path, model: str, task: str, data_name: str, identity: Mapping[str, Any]) -> Path:
    """Return the folder below ``runs`` of a model's replies to a task, named by what they are made of."""
    where = f"{task}@{data_name}" if data_name else task
    return runs / as_name(model) / as_name(where) / keys.run_fingerprint(identity)


def identity(task: Task, model: Model, data: str, settings: Settings) -> dict[str, Any]:
    """Return all that makes two runs the same run."""
    return {
        "model": model.fingerprint,
        "task": [task.name, task.version],
        "data": data,
        "prompt": settings.prompt,
        "generation": asdict(settings.applied_to(task.generation)),
        "kind": settings.kind,
        "control": settings.control,
        "limit": settings.limit,
        **({"frames": dict(settings.frames)} if settings.frames else {}),
    }


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who is asked what, and how: checked as soon as it is made, and nothing is begun.

    Attributes:
        task: the benchmark.
        model: what answers.
        data: the data folder, or the files themselves.
        settings: everything else that is chosen.
        runs: the root of all run folders; replies in other runs below it are reused.
        data_name: distinguishes runs on other data than the official ones (``mini``).
        progress: shows how it goes.
        command: the command that repeats this call, for messages that say how to go on.
        sleep: waits before retries.

    Raises:
        ConfigError, CapabilityError: the model cannot be asked this, or not so.
    """

    task: Task
    model: Model
    data: Path | Sequence[Path]
    settings: Settings = field(default_factory=Settings)
    runs: Path = RUNS
    data_name: str = ""
    progress: Progress = field(default_factory=Progress)
    command: str = ""
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        check(self.task, self.settings, self.model.name, self.model.capabilities)

    @cached_property
    def source(self) -> Source:
        """The data as they lie there. Raises `DatasetError` if they are none of the task's."""
        return Source.find(self.task, self.data, self.settings.limit)

    @cached_property
    def fingerprint(self) -> str:
        """The data's fingerprint."""
        return self.source.fingerprint()

    @cached_property
    def folder(self) -> Path:
        """The run's folder (`run_folder`)."""
        return run_folder(self.task, self.model, self.fingerprint, self.settings, self.runs, self.data_name)

    @property
    def advice(self) -> str:
        """How a run that has stopped goes on, for errors."""
        return f"Go on with: {self.command}" if self.command else "The same command goes on where it stopped."

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder; what stops the work in it becomes an error that says how to go on (`stopping`)."""
        with stopping(self.folder, self.advice):
            self.folder.mkdir(parents=True, exist_ok=True)
            yield

    def count(self) -> int:
        """Return the number of samples. Raises `DatasetError` if there is none."""
        if n := self.source.count():
            return n
        raise DatasetError(f"{', '.join(map(str, self.source.where))}: no samples of {self.task.name} there")

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
