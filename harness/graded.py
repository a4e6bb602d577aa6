"""Scores replies by what a judge has said of them elsewhere, once or in several runs of which the mean counts.

The words are read as a judge's would be (`harness.judging.Judging`), so any file of grades stands for the judge that gave them. A
reply without a word is unjudged, and counts as one whose word cannot be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import pstdev
from typing import Any

from harness.data.grades import Graded, read_grades
from harness.data.joining import join
from harness.data.replies import Reply, ReplyFile
from harness.errors import ConfigError
from harness.judging import UNJUDGED, needed, with_judge
from harness.metrics.aggregate import Estimate, Rows, aggregate
from harness.metrics.positions import with_positions
from harness.results import Result
from harness.scoring import score_judged, score_reply
from harness.store import Stored
from harness.task import Convention, Task
from harness.types import Response, Sample, Scored

REPLAY = "replay"
"""The judge's name as it stands in the files."""

NO_WORD = f"{UNJUDGED}: the file has no grade of this reply"


@dataclass(frozen=True, kw_only=True)
class Grades:
    """What was said of each sample's reply, and by whom.

    Attributes:
        words: of each sample, in order, an entry for each run; None where a run has none.
        judge: a name.
        runs: how often all was judged.
        account: how the files were read, for ``result.json``.
    """

    words: Sequence[Sequence[str | None]]
    judge: str
    runs: int
    account: Mapping[str, Any]

    @property
    def who(self) -> dict[str, Any]:
        """The judge as ``run.json`` names it."""
        mean = f", mean of {self.runs} runs" if self.runs > 1 else ""
        return {"name": f"{self.judge} (stored grades{mean})"}


def grades_of(
    task: Task,
    samples: Sequence[Sample],
    paths: Sequence[Path],
    judge: str,
    prompts: Callable[[Sample], Sequence[str]],
    field: str | None = None,
) -> Grades:
    """Read files of grades and give each sample its words.

    Files about the same samples are runs; files about others (a style, a sub-task) add up.

    Raises:
        ReplyError: a file cannot be read, or does not fit the benchmark.
    """
    words: list[list[str | None]] = [[] for _ in samples]
    rules: dict[str, None] = {}
    names: dict[str, None] = {}
    for path in paths:
        for graded in read_grades(path, field):
            file = ReplyFile(
                layout="grades", field="grade", replies=tuple(one.about for one in graded), first=graded[0].about.where
            )
            joined = join(samples, prompts, file, task.aligned_by)
            rules.setdefault(joined.rule)
            names.update(dict.fromkeys(one.judge for one in graded if one.judge))
            _hand_out(joined.replies, graded, words)
    account = {"files": [path.name for path in paths], "joined_by": ", ".join(rules)}
    named = " and ".join(names) or "a judge" if judge == REPLAY else judge
    return Grades(words=words, judge=named, runs=max(map(len, words)), account=account)


def _hand_out(replies: Sequence[Reply | None], graded: Sequence[Graded], words: Sequence[list[str | None]]) -> None:
    said = {id(one.about): one.words for one in graded}
    for own, reply in zip(words, replies, strict=True):
        own.extend(said[id(reply)] if reply is not None else ())


def check_judged(convention: Convention, name: str) -> None:
    """Raise `ConfigError` if a convention asks no judge."""
    if convention.judging is None:
        raise ConfigError(f"grades=...: convention {name!r} of this benchmark asks no judge; leave them out")


def score_graded(
    convention: Convention, sample: Sample, reply: str | None, words: Sequence[str | None], runs: int
) -> list[Scored]:
    """Score a reply once for each run of grades; what needs no judge is the same in all."""
    row = score_reply(with_judge(convention), sample, reply, missing=reply is None)
    if convention.judging is None or row.failed is not None or not needed(row.parsed):
        return [row] * runs
    judging = replace(convention.judging, read=convention.judging.stored or convention.judging.read)
    rows = []
    for number in range(runs):
        word = words[number] if number < len(words) else None
        stored = Stored(Response(key=f"grade {number}", text=word or ""))
        scored = score_judged(convention, judging, row, sample, (f"grade {number}", stored))
        rows.append(scored if word is not None else replace(scored, parsed=replace(scored.parsed, reason=NO_WORD)))
    return rows


def mean_row(rows: Sequence[Scored]) -> Scored:
    """One row for several runs: means of the scores, all answers, the first reason why one is missing."""
    if len(rows) == 1:
        return rows[0]
    scores = {name: sum(row.scores[name] for row in rows) / len(rows) for name in rows[0].scores}
    answers = [row.parsed.answer for row in rows]
    reason = next((row.parsed.reason for row in rows if row.parsed.reason), None)
    return replace(rows[0], scores=scores, parsed=replace(rows[0].parsed, answer=answers, reason=reason))


def mean_of_runs(result: Result, convention: Convention, by_run: Sequence[Sequence[Scored]], grades: Grades) -> Result:
    """Give each metric the mean of its values in the runs, with the interval moved along, and say the runs' own and their spread.

    The mean of the runs and the metric of the mean rows differ only where a metric is no mean, such as a rounded ratio.
    """
    confidence = result.run["confidence"]
    tables = list(map(Rows.of, by_run))
    runs = [
        {one.name: one.value for one in aggregate(rows, with_positions(convention.metrics, rows), confidence)} for rows in tables
    ]
    unjudged = sum((row.parsed.reason or "").startswith(UNJUDGED) for row in map(mean_row, zip(*by_run, strict=True)))
    values = [run[result.primary] for run in runs]
    told = {
        "grades": dict(grades.account),
        "runs": values,
        "sd": pstdev(values),
        "each": list(map(_finite, runs)),
        "unjudged": unjudged,
    }
    judge = {**grades.who, **told}
    metrics = tuple(_moved(one, sum(run[one.name] for run in runs) / len(runs)) for one in result.metrics)
    return replace(result, metrics=metrics, judge=judge)


def _moved(estimate: Estimate, value: float) -> Estimate:
    by = value - estimate.value
    return replace(estimate, value=value, low=estimate.low + by, high=estimate.high + by)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that have a value, as JSON has no other numbers."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
