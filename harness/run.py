"""One evaluation from a task, a model and data to a finished run folder: plan, generate, score, aggregate, record.

`evaluate` does all of it and goes on where an earlier process stopped; `score_run` repeats the phases after generation on what
is stored, without a model. A judge, where a task needs one, is a model too, and works between generation and scoring
(`harness.judged`).

A run's folder is named by what decides its replies (`identity`), so the same command finds it again. The convention is not
part of that: replies are scored by the convention of the first command (``result.json``), and by others beside it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from harness import judged, keys, provenance, results
from harness.engine.collect import CAUSES_NAMED, Collector
from harness.engine.guard import logging_to, stopping
from harness.engine.retry import Backoff
from harness.engine.stream import Exchange
from harness.errors import ConfigError, DatasetError, ResultError, RunStopped
from harness.judging import RULE, UNJUDGED, UNSCORED, named
from harness.model import LoglikelihoodModel, Model
from harness.names import as_name
from harness.plan import Settings, Source, check, convention_of, plan
from harness.progress import Progress
from harness.results import Result
from harness.scoring import score_all
from harness.store import FILE, Elsewhere, Reader, RunLock, Store
from harness.task import Task
from harness.types import Request, Response, Scored

if TYPE_CHECKING:
    from harness.metrics.aggregate import Estimate

__all__ = ["Settings", "evaluate", "run_folder", "score_run"]

RUNS = Path("runs")

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
    settings = settings or Settings()
    check(task, settings, model.name, model.capabilities)
    source = Source.find(task, [data] if isinstance(data, Path) else list(data), settings.limit)
    fingerprint = source.fingerprint()
    folder = run_folder(task, model, fingerprint, settings, runs, data_name)
    run = _Run(
        task=task,
        model=model,
        source=source,
        settings=settings,
        folder=folder,
        runs=runs,
        judge=judge,
        progress=progress or Progress(),
        advice=f"Go on with: {command}" if command else "The same command goes on where it stopped.",
        sleep=sleep,
    )
    with stopping(folder, run.advice), ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(RunLock(folder))
        stack.enter_context(logging_to(folder))
        stack.enter_context(run.progress)
        return run.complete(fingerprint, data_name, config or {})


def run_folder(task: Task, model: Model, data: str, settings: Settings, runs: Path = RUNS, data_name: str = "") -> Path:
    """Return the folder of a run, ``<runs>/<model>/<task>[@<data name>]/<fingerprint>``.

    ``data`` is the data's fingerprint. Failure limits, workers, confidence and convention have no part in the name.
    """
    where = f"{task.name}@{data_name}" if data_name else task.name
    return runs / as_name(model.name) / as_name(where) / keys.run_fingerprint(identity(task, model, data, settings))


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
    }


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One call of `evaluate`, with its phases as methods."""

    task: Task
    model: Model
    source: Source
    settings: Settings
    folder: Path
    runs: Path
    judge: Model | None
    progress: Progress
    advice: str
    sleep: Callable[[float], None]

    def complete(self, fingerprint: str, data_name: str, config: Mapping[str, Any]) -> Result:
        """Do all phases. ``fingerprint`` is that of the data."""
        started, clock = provenance.now(), time.monotonic()
        _log.info("run %s: task %s, model %s", self.folder, self.task.name, self.model.name)
        if self.settings.fresh:
            self._forget_all()
        self.progress.begin("plan")
        n = self.source.count()
        if n == 0:
            raise DatasetError(f"{', '.join(map(str, self.source.where))}: no samples of {self.task.name} there")
        run = self._record_run(n, fingerprint, data_name, config, started)
        store = Store(self.folder)
        try:
            collector = self._generate(store, n)
            generated = time.monotonic() - clock
            result = self._score(store, run)
        finally:
            store.close()
        self._record_times(started, {"generate": generated, "score": time.monotonic() - clock - generated}, collector)
        _log.info("complete: %d samples, %d asked, %d reused, %d failed", n, collector.asked, collector.reused, result.failed)
        return result

    def _forget_all(self) -> None:
        results.forget(self.folder)
        for path in (*self.folder.glob(f"{FILE}*"), *self.folder.glob(f"{judged.FOLDER}/*/*")):
            path.unlink()

    def _record_run(self, n: int, fingerprint: str, data_name: str, config: Mapping[str, Any], started: str) -> dict[str, Any]:
        """Write ``run.json``; a run that goes on keeps its first start and its convention."""
        task, settings = self.task, self.settings
        convention = settings.convention
        who = self._who(convention)
        try:
            before = results.read_json(self.folder / "run.json")
            started, convention = before["started"], before["convention"]
            if (self.folder / results.result_name()).exists() and before.get("judge", {}).get("name", UNSCORED) != UNSCORED:
                who = before["judge"]
        except (ResultError, KeyError):
            pass
        kind = "baseline" if self.model.capabilities.needs_ideal else getattr(self.model, "kind", "model")
        record = {
            "schema": results.SCHEMA,
            "model": {"name": self.model.name, "fingerprint": self.model.fingerprint, "kind": kind},
            "task": described(task),
            "data": {
                "name": data_name,
                "layout": self.source.layout.name,
                "fingerprint": fingerprint,
                "n": n,
                "paths": [str(path.absolute()) for path in self.source.where],
            },
            "convention": convention if convention in task.conventions else settings.convention,
            "prompt": settings.prompt,
            "generation": identity(task, self.model, fingerprint, settings)["generation"],
            "kind": settings.kind,
            "control": settings.control,
            "seed": settings.seed,
            "limit": settings.limit,
            "max_failures": settings.max_failures,
            "confidence": settings.confidence,
            **({} if who is None else {"judge": who}),
            "config": provenance.plain(config),
            "versions": provenance.versions(),
            "git": provenance.git(),
            "machine": provenance.machine(),
            "started": started,
        }
        results.write_json(self.folder / "run.json", record)
        return results.read_json(self.folder / "run.json")  # in the types that JSON has

    def _generate(self, store: Store, n: int) -> Collector:
        """Have every sample answered."""
        settings, model = self.settings, self.model
        capabilities = model.capabilities
        call: Callable[[Iterable[Request]], Iterable[Response]] = model.generate
        if settings.kind == "loglikelihood":
            call = cast(LoglikelihoodModel, model).loglikelihood
        with ExitStack() as stack:
            elsewhere = None
            if settings.reuse and not settings.fresh:
                elsewhere = stack.enter_context(Elsewhere(self.runs, self.folder, model.fingerprint))
            collector = Collector(
                planned=plan(self.source, settings, model.fingerprint, capabilities.needs_ideal),
                store=store,
                elsewhere=elsewhere,
                convention=convention_of(self.task, settings.convention),
                progress=self.progress.begin("generate", n),
                allowed=allowed_failures(settings.max_failures, n),
                invalidate=lambda: results.forget(self.folder),
                advice=f"Mend the cause, or allow more with max_failures. {self.advice}",
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
        if collector.samples != n:
            raise DatasetError(f"the data gave {n} samples, then {collector.samples}; do not change them during a run")
        return collector

    def _who(self, name: str) -> dict[str, Any] | None:
        """Who judges under a convention, as ``run.json`` has it; None where the benchmark has no judge."""
        judging = convention_of(self.task, name).judging
        if judging is None or self.judge is None:
            return without_judge(self.task, name)
        return {"name": named(self.judge.name, judging.prompt), "fingerprint": self.judge.fingerprint}

    def _score(self, store: Store, run: Mapping[str, Any]) -> Result:
        """Score by the run's own convention, and by the one asked for if that is another; have the judge work before."""
        wanted = list(dict.fromkeys((run["convention"], self.settings.convention)))
        for name in wanted:
            words = self._judged(store, run, name)
            result = score_store(self.folder, run, self.task, self.source, store, name, self.progress, words)
        return result

    def _judged(self, store: Store, run: Mapping[str, Any], name: str) -> Path | None:
        """Have what needs a judge judged; the folder of what was said. Without a judge, of what the run's own has said."""
        convention = convention_of(self.task, name)
        if self.judge is None or convention.judging is None:
            return _words_of(self.folder, run, self.task, name)
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


def described(task: Task) -> dict[str, Any]:
    """Return what ``run.json`` says of a task."""
    return {
        "name": task.name,
        "version": task.version,
        "title": task.card.title,
        "unit": task.unit,
        "higher_is_better": task.higher_is_better,
        "frames": {name: one.frame for name, one in task.conventions.items() if one.frame},
        "card": asdict(task.card),
    }


def without_judge(task: Task, name: str) -> dict[str, Any] | None:
    """Say what stands for a judge under a convention where there is none; None where the benchmark has no judge."""
    judging = convention_of(task, name).judging
    return None if judging is None else {"name": RULE if judging.rule else UNSCORED}


def allowed_failures(share: float, n: int) -> int:
    """Return how many of n samples may fail: the share, rounded down, but one always (unless the share is 0)."""
    return max(int(share * n), 1) if share > 0 else 0


def score_run(
    folder: Path, convention: str | None = None, *, task: Task | None = None, data: Sequence[Path] | None = None
) -> Result:
    """Score the stored responses of a complete run anew, without a model.

    Args:
        folder: the run folder.
        convention: the run's own unless given; another one adds ``result.<convention>.json``.
        task: found by its name in the catalog unless given.
        data: where the annotations are now; where they were unless given.

    Raises:
        ResultError: the run is incomplete, or was made with another version of the task.
        DatasetError: the data are not those of the run.
    """
    run = results.read_json(folder / "run.json")
    if task is None:
        from harness.catalog import find_task

        task = find_task(run["task"]["name"])
    if task.version != run["task"]["version"]:
        raise ResultError(
            f"{folder}: made with version {run['task']['version']} of {task.name}, this is version {task.version}; evaluate again"
        )
    name = convention or run["convention"]
    convention_of(task, name)
    where = list(data) if data is not None else [Path(path) for path in run["data"]["paths"]]
    source = Source.find(task, where, run["limit"])
    if source.fingerprint() != run["data"]["fingerprint"]:
        raise DatasetError(f"{', '.join(map(str, where))}: not the data of the run {folder}; name those with data=")
    with stopping(folder, "Give the command again."), RunLock(folder), logging_to(folder), Reader(folder) as store:
        if store.count("plan") != run["data"]["n"]:
            raise ResultError(f"{folder}: the run is incomplete, {store.count()} of {run['data']['n']} samples have responses")
        return score_store(folder, run, task, source, store, name, words=_words_of(folder, run, task, name))


def _words_of(folder: Path, run: Mapping[str, Any], task: Task, name: str) -> Path | None:
    """Where the words of the run's own judge lie for a convention; None if there are none."""
    judging, who = convention_of(task, name).judging, run.get("judge", {})
    if judging is None or "fingerprint" not in who:
        return None
    found = judged.folder_of(folder, who["name"].rpartition(", prompt ")[0], who["fingerprint"], judging.prompt)
    return found if found.is_dir() else None


def score_store(
    folder: Path,
    run: Mapping[str, Any],
    task: Task,
    source: Source,
    store: Reader,
    name: str,
    progress: Progress | None = None,
    words: Path | None = None,
) -> Result:
    """Score, aggregate and record one convention of a run whose responses are all stored; ``words`` holds the judge's."""
    progress = progress or Progress()
    convention = convention_of(task, name)
    allowed = allowed_failures(run["max_failures"], run["data"]["n"])
    unjudged: set[str] = set()

    def rows() -> Iterator[Scored]:
        progress.begin(f"score ({name})", run["data"]["n"])
        for row in _bounded(score_all(convention, source.samples(), store.planned(), verdicts), allowed):
            progress.scored(row)
            if (row.parsed.reason or "").startswith(UNJUDGED) or (row.failed or "").startswith("judge: "):
                unjudged.add(row.sample_id)
            yield row

    with ExitStack() as stack:
        verdicts = stack.enter_context(judged.verdicts_of(words)).of_sample if words else None
        who = judged.account(words) if words else without_judge(task, name)
        suffix = results.suffix_of(run, name, who)
        (folder / results.result_name(suffix)).unlink(missing_ok=True)
        results.write_scores(folder / results.scores_name(suffix), rows)
    if words:
        who = {**(who or {}), "unjudged": len(unjudged)}
    result = aggregated(folder, run, task, name, reused=store.reused(), judge=who)
    result.write()
    return result


def aggregated(
    folder: Path, run: Mapping[str, Any], task: Task, name: str, reused: int = 0, judge: Mapping[str, Any] | None = None
) -> Result:
    """Compute the metrics of a convention from the rows in the folder; nothing is written."""
    from harness.metrics.aggregate import Rows, aggregate

    convention = convention_of(task, name)
    rows = Rows.read(folder / results.scores_name(results.suffix_of(run, name, judge)))
    try:
        metrics = aggregate(rows, convention.metrics, run["confidence"])
    except KeyError as error:
        raise ConfigError(f"task {task.name!r}, convention {name!r}: a metric has {error.args[0]}") from error
    flags = rows.flags
    unscored = judge is not None and judge["name"] == UNSCORED
    answered = ~(flags["failed"] | flags["missing"])
    return Result(
        folder=folder,
        run=run,
        n=rows.n,
        failed=int(flags["failed"].sum()),
        unparsed=int((flags["unparsed"] & answered).sum()),
        missing=int(flags["missing"].sum()),
        truncated=int(flags["truncated"].sum()),
        reused=reused,
        convention=name,
        primary=convention.primary,
        metrics=tuple(_told(one, one.unit or task.unit, unscored) for one in metrics),
        judge=judge,
    )


def _told(estimate: Estimate, unit: str, unscored: bool) -> Estimate:
    """Give an estimate its unit, and where nobody has judged the reason why it has no value."""
    method = f"undefined: {UNSCORED}" if unscored and math.isnan(estimate.value) else estimate.method
    return replace(estimate, unit=unit, method=method)


def _bounded(rows: Iterable[Scored], allowed: int) -> Iterator[Scored]:
    """Pass rows on; stop where the scorer, failing by itself, pushes the failures above what is allowed."""
    causes: list[str] = []
    for row in rows:
        if row.failed is not None:
            causes.append(f"  {row.sample_id}: {row.failed}")
            if row.failed.startswith("score: ") and len(causes) > allowed:
                first = "\n".join(causes[:CAUSES_NAMED])
                raise RunStopped(f"the scorer fails on over {allowed} samples. First causes:\n{first}\nAll replies are stored.")
        yield row
