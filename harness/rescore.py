"""Scores what a run folder stores: its replies, by one convention, into rows, metrics and ``result.json``. No model is asked.

`score_run` does so for a complete run found on disk, `score_store` for one that has just been generated. Asking the model and
the judge is ``harness.run``'s and ``harness.judged``'s work.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import judged, results
from harness.accounts import usage
from harness.engine.collect import CAUSES_NAMED
from harness.engine.guard import logging_to, stopping
from harness.errors import ConfigError, DatasetError, ResultError, RunStopped
from harness.judging import RULE, UNJUDGED, UNSCORED
from harness.plan import Source, convention_of
from harness.progress import Progress
from harness.results import Result
from harness.scoring import score_all
from harness.store import Reader, RunLock
from harness.task import Task
from harness.types import Scored

if TYPE_CHECKING:
    from harness.metrics.aggregate import Estimate


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
        return score_store(folder, run, task, source, store, name, words=words_of(folder, run, task, name))


def words_of(folder: Path, run: Mapping[str, Any], task: Task, name: str) -> Path | None:
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
    convention = convention_of(task, name, run["model"].get("box_frame"))
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
    result = replace(result, usage=usage(store, run.get("prices")))
    result.write()
    return result


def aggregated(
    folder: Path, run: Mapping[str, Any], task: Task, name: str, reused: int = 0, judge: Mapping[str, Any] | None = None
) -> Result:
    """Compute the metrics of a convention from the rows in the folder; nothing is written."""
    from harness.metrics.aggregate import Rows, aggregate
    from harness.metrics.positions import with_positions

    convention = convention_of(task, name)
    rows = Rows.read(folder / results.scores_name(results.suffix_of(run, name, judge)))
    try:
        metrics = aggregate(rows, with_positions(convention.metrics, rows), run["confidence"])
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
