"""One evaluation from a task, a model and data to a finished run folder: plan, generate, score, aggregate, record.

`evaluate` does all of it and goes on where an earlier process stopped; the phases after generation can be repeated on what is
stored, without a model (``harness.rescore``). A judge, where a task needs one, is a model too, and works between generation
and scoring (`harness.judged`). Several workers that one process hands out to are one model (`harness.engine.crew`). Processes
that do not talk to one another leave parts of a run (`harness.shares`), which are merged here before anything is asked.

A run's folder is named by what decides its replies (`harness.asking.identity`), so the same command finds it again. The
convention is not part of that: replies are scored by that of the first command (``result.json``), and by others beside it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import judged, parts, provenance, results
from harness.accounts import prices_of
from harness.asking import RUNS, Asking, run_folder
from harness.boxes import Frame
from harness.engine.collect import Collector
from harness.engine.guard import logging_to
from harness.errors import DatasetError, ResultError
from harness.judging import UNSCORED, named
from harness.model import Model
from harness.plan import Settings, convention_of
from harness.progress import Progress
from harness.rescore import allowed_failures, score_run, score_store, without_judge, words_of
from harness.results import Result
from harness.store import FILE, RunLock, Store
from harness.task import Task
from harness.traces import write_traces

__all__ = ["RUNS", "Evaluation", "Settings", "evaluate", "run_folder", "score_run"]

_log = logging.getLogger(__name__)


def evaluate(
    task: Task,
    model: Model,
    data: Path | Sequence[Path],
    settings: Settings | None = None,
    runs: Path = RUNS,
    *,
    judge: Model | None = None,
    data_name: str = "",
    config: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    command: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Result:
    """Ask a model a benchmark's questions, score its replies, and write the run folder.

    Args:
        task: the benchmark.
        model: what answers.
        data: the data folder, or the files themselves.
        settings: everything else that is chosen.
        runs: the root of all run folders; replies in other runs below it are reused.
        judge: reads the replies that the benchmark's rule cannot; without one, a benchmark that needs it is left unscored.
        data_name: distinguishes runs on other data than the official ones (``mini``).
        config: the resolved configuration, for ``run.json``; values named like secrets are dropped.
        progress: shows how it goes; nothing is shown without.
        command: the command that repeats this call, for messages that say how to go on.
        sleep: waits before retries.

    Raises:
        ConfigError, CapabilityError, DatasetError: before anything is asked.
        RunStopped: too many failures, disk full, or the folder is in use; Interrupted on Ctrl-C. What is stored stays.
    """
    evaluation = Evaluation(
        task=task,
        model=model,
        data=data,
        settings=settings or Settings(),
        runs=runs,
        judge=judge,
        data_name=data_name,
        config=config or {},
        progress=progress or Progress(),
        command=command,
        sleep=sleep,
    )
    return evaluation.complete()


@dataclass(frozen=True, kw_only=True)
class Evaluation(Asking):
    """One evaluation, with its phases as methods; the attributes are the arguments of `evaluate`."""

    judge: Model | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def complete(self) -> Result:
        """Do all phases that are left, alone in the run's folder."""
        with self.opened(), RunLock(self.folder), logging_to(self.folder), self.progress:
            return self._phases()

    @property
    def convention(self) -> str:
        """The convention that is asked for, by its own name."""
        return self.task.convention_named(self.settings.convention)

    def _phases(self) -> Result:
        started, clock = provenance.now(), time.monotonic()
        _log.info("run %s: task %s, model %s", self.folder, self.task.name, self.model.name)
        if self.settings.fresh:
            self._forget_all()
        self.progress.begin("plan")
        n = self.count()
        run = self._record_run(n, started)
        store = Store(self.folder)
        try:
            failures = parts.merge(self.folder, store)
            collector = self.generate(store, self.planned(), n, failures)
            if collector.samples != n:
                raise DatasetError(f"the data gave {n} samples, then {collector.samples}; do not change them during a run")
            generated = time.monotonic() - clock
            write_traces(self.folder, store)
            result = self._score(store, run)
        finally:
            store.close()
        parts.forget(self.folder)
        self._record_times(started, {"generate": generated, "score": time.monotonic() - clock - generated}, collector)
        _log.info("complete: %d samples, %d asked, %d reused, %d failed", n, collector.asked, collector.reused, result.failed)
        return result

    def _forget_all(self) -> None:
        results.forget(self.folder)
        for path in (*self.folder.glob(f"{FILE}*"), *self.folder.glob(f"{judged.FOLDER}/*/*")):
            path.unlink()
        parts.forget(self.folder)

    def _record_run(self, n: int, started: str) -> dict[str, Any]:
        """Write ``run.json``; a run that goes on keeps its first start and its convention."""
        convention = self.convention
        who = self._who(convention)
        try:
            before = results.read_json(self.folder / "run.json")
            started, convention = before["started"], before["convention"]
            if (self.folder / results.result_name()).exists() and before.get("judge", {}).get("name", UNSCORED) != UNSCORED:
                who = before["judge"]
        except (ResultError, KeyError):
            pass
        record = {
            "schema": results.SCHEMA,
            "model": self._about_model(),
            "task": described(self.task, self.model.capabilities.box_frame),
            "data": self.source.account(n, self.fingerprint, self.data_name),
            "convention": convention if convention in self.task.conventions else self.convention,
            **self._chosen(),
            **({} if who is None else {"judge": who}),
            "prices": prices_of(self.model),
            "config": provenance.plain(self.config),
            **provenance.surroundings(),
            "started": started,
        }
        results.write_json(self.folder / "run.json", record)
        return results.read_json(self.folder / "run.json")  # in the types that JSON has

    def _about_model(self) -> dict[str, Any]:
        """What ``run.json`` says of the model."""
        model = self.model
        kind = "baseline" if model.capabilities.needs_ideal else getattr(model, "kind", "model")
        details = {"details": told} if (told := provenance.plain(getattr(model, "details", {}))) else {}
        frame = {"box_frame": declared} if (declared := model.capabilities.box_frame) else {}
        return {"name": model.name, "fingerprint": model.fingerprint, "kind": kind, **frame, **details}

    def _chosen(self) -> dict[str, Any]:
        """What ``run.json`` says of the settings."""
        settings = self.settings
        return {
            "prompt": settings.prompt,
            "generation": asdict(settings.applied_to(self.task.generation)),
            "kind": settings.kind,
            "control": settings.control,
            **({"frames": dict(settings.frames)} if settings.frames else {}),
            "seed": settings.seed,
            "limit": settings.limit,
            "max_failures": settings.max_failures,
            "confidence": settings.confidence,
        }

    def _who(self, name: str) -> dict[str, Any] | None:
        """Who judges under a convention, as ``run.json`` has it; None where the benchmark has no judge."""
        judging = convention_of(self.task, name).judging
        if judging is None or self.judge is None:
            return without_judge(self.task, name)
        return {"name": named(self.judge.name, judging.prompt), "fingerprint": self.judge.fingerprint}

    def _score(self, store: Store, run: Mapping[str, Any]) -> Result:
        """Score by the run's own convention, and by the one asked for if that is another; have the judge work before."""
        wanted = list(dict.fromkeys((run["convention"], self.convention)))
        for name in wanted:
            words = self._judged(store, run, name)
            result = score_store(self.folder, run, self.task, self.source, store, name, self.progress, words)
        return result

    def _judged(self, store: Store, run: Mapping[str, Any], name: str) -> Path | None:
        """Have what needs a judge judged; the folder of what was said. Without a judge, of what the run's own has said."""
        convention = convention_of(self.task, name)
        if self.judge is None or convention.judging is None:
            return words_of(self.folder, run, self.task, name)
        settings = self.settings
        suffix = results.suffix_of(run, name, self._who(name))
        panel = judged.Panel(
            judge=self.judge,
            convention=convention,
            judging=convention.judging,
            source=self.source,
            replies=store,
            run=self.folder,
            runs=self.runs if settings.reuse and not settings.fresh else None,
            progress=self.progress,
            allowed=allowed_failures(settings.max_failures, run["data"]["n"]),
            invalidate=lambda: (self.folder / results.result_name(suffix)).unlink(missing_ok=True),
            advice=self.advice,
            retries=settings.retries,
            seed=settings.seed,
            timeout_s=settings.timeout_s,
            sleep=self.sleep,
        )
        return panel.judge_all()

    def _record_times(self, started: str, seconds: Mapping[str, float], collector: Collector) -> None:
        path = self.folder / "timings.json"
        try:
            sessions = list(results.read_json(path)["sessions"])
        except (ResultError, KeyError, TypeError):
            sessions = []
        took = {name: round(value, 3) for name, value in seconds.items()}
        counts = {"samples": collector.samples, "asked": collector.asked, "reused": collector.reused}
        sessions.append({"started": started, "finished": provenance.now(), "seconds": took, **counts})
        results.write_json(path, {"schema": results.SCHEMA, "sessions": sessions})


def described(task: Task, frame: Frame | None = None) -> dict[str, Any]:
    """Return what ``run.json`` says of a task; ``frame`` is what the model declares."""
    conventions = {name: convention_of(task, name, frame) for name in task.conventions}
    return {
        "name": task.name,
        "version": task.version,
        "title": task.card.title,
        "unit": task.unit,
        "higher_is_better": task.higher_is_better,
        "frames": {name: one.frame for name, one in conventions.items() if one.frame},
        "card": asdict(task.card),
    }
