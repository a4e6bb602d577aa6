"""Scores published cases as finished runs, and puts every number beside the one that the official scorer gave.

The path is that of ``riddle score`` (`harness.replies.score_conventions`). Not here: reading cases (`harness.cases`), which
number belongs to which metric (`harness.matching`), and the page that shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cases import Case
from harness.data.sources import layout_files
from harness.errors import ConfigError, DatasetError, HarnessError, ReplyError
from harness.matching import Match, Metrics, Rule, matches
from harness.metrics.aggregate import Estimate
from harness.replies import score_conventions
from harness.results import Result
from harness.task import Task

FindTask = Callable[[str], Task]
RAW = "raw_responses"


@dataclass(frozen=True, kw_only=True)
class Known:
    """How the cases of a benchmark are read.

    Attributes:
        numbers: which metric gives which number.
        annotations, predictions: the fields of the case that name the files.
    """

    numbers: tuple[Rule, ...] = ()
    annotations: str = "annotations"
    predictions: str = "predictions"


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """What became of a case: its numbers beside ours, or the problem that kept it from being scored.

    Attributes:
        account: how the replies were read and joined, by task.
        skipped: conventions that could not score these replies, and why.
    """

    case: Case
    matches: tuple[Match, ...] = ()
    account: Mapping[str, Mapping[str, Any]]
    skipped: tuple[str, ...] = ()
    problem: str = ""

    @property
    def failed(self) -> str:
        """Why this case is not reproduced to the digit; empty if it is."""
        wrong = [one for one in self.matches if one.ours is not None and one.held and not one.equal]
        if self.problem:
            return self.problem
        if wrong:
            first = f"{wrong[0].path}: {wrong[0].ours!r}, expected {wrong[0].expected!r}"
            return f"{len(wrong)} of {len(self.matches)} numbers differ, first {first}"
        if lacking := [one.path for one in self.matches if one.by_rule and one.held and one.ours is None]:
            return f"no metric for {', '.join(lacking)}"
        return "" if any(one.equal for one in self.matches) else "none of the expected numbers could be matched"


def reproduce(case: Case, find: FindTask, known: Mapping[str, Known], runs: Path, confidence: float) -> Reproduced:
    """Score a case under every convention that its numbers need, and match them; what cannot be scored is a problem, no error.

    Args:
        case: what to score.
        find: returns a task by name or raises `ConfigError`.
        known: by benchmark or family, how its cases are read and which metric gives which number.
        runs: the root of all run folders.
        confidence: of the intervals.
    """
    names = (case.benchmark, case.benchmark.rsplit("/")[-1], case.benchmark.split("/")[0])
    how = next((known[name] for name in names if name in known), Known())
    account: dict[str, Mapping[str, Any]] = {}
    skipped: list[str] = []
    try:
        own = _task(case, find)
        found: list[Metrics] = []
        for task in (own, *(find(name) for name in dict.fromkeys(rule.task for rule in how.numbers if rule.task))):
            wanted = [name for rule in how.numbers if (rule.task or own.name) == task.name for name in rule.convention]
            for result in _scored(case, task, how, wanted, runs, confidence, skipped):
                found.append(Metrics(task=task.name, convention=result.convention, estimates=tuple(_estimates(result))))
                account.setdefault(task.name, result.run["replies"])
    except HarnessError as error:
        return Reproduced(case=case, account=account, problem=str(error))
    paired = tuple(matches(case.expected, case.published, found, how.numbers))
    return Reproduced(case=case, matches=paired, account=account, skipped=tuple(skipped))


def _task(case: Case, find: FindTask) -> Task:
    """The task of a case's benchmark, whose name may stand behind a family's (``refcoco/refcoco_val``)."""
    names = dict.fromkeys((case.benchmark.rsplit("/")[-1], case.benchmark.replace("/", "_"), case.benchmark.split("/")[0]))
    for name in names:
        with suppress(ConfigError):
            return find(name)
    return find(next(iter(names)))


def _scored(
    case: Case, task: Task, how: Known, wanted: Sequence[str], runs: Path, confidence: float, skipped: list[str]
) -> Iterator[Result]:
    """Score a case by a task, under the conventions wanted or else all; some may be unable to."""
    graded = case.grades
    names = [name for name in dict.fromkeys(wanted) if name in task.conventions] or list(task.conventions)
    if graded:
        names = [name for name in names if task.conventions[name].judging] or names[:1]
    try:
        yield from _score(case, task, how, names, graded, runs, confidence)
    except DatasetError as error:
        problem = error
    else:
        return
    alone = 0
    for name in names if len(names) > 1 else ():
        try:
            yield from _score(case, task, how, [name], graded, runs, confidence)
            alone += 1
        except DatasetError as error:
            skipped.append(f"{name}: {error}")
    if not alone:
        raise problem


def _score(
    case: Case, task: Task, how: Known, names: Sequence[str], graded: Sequence[Path], runs: Path, confidence: float
) -> list[Result]:
    """Score a case under conventions; raw responses that hold their own annotations stand in where those do not fit."""
    fields = [(how.annotations, how.predictions)]
    if case.field(RAW) and how.annotations != RAW:
        fields.append((RAW, RAW))
    for number, (truths, replies) in enumerate(fields, start=1):
        try:
            return score_conventions(
                task,
                layout_files(task, case.files(truths)),
                case.files(replies),
                conventions=names,
                grades=tuple(graded),
                reply_field=case.field("prediction_field"),
                grade_field=case.field("correctness_field"),
                model_name=case.model,
                runs=runs,
                confidence=confidence,
            )
        except (DatasetError, ReplyError):
            if number == len(fields):
                raise
    raise AssertionError("unreachable")


def _estimates(result: Result) -> Iterator[Estimate]:
    """The metrics of a result, ``read`` with the replies from which an answer was read, and each run of a judge's grades.

    Of several runs there are all metrics, as ``run/1/total``, and the standard deviation of the primary one, as ``sd``.
    """
    yield from result.metrics
    primary = result.metric()
    yield replace(primary, name="read", n=result.n - result.unparsed)
    judge = result.judge or {}
    if "sd" in judge:
        yield replace(primary, name="sd", value=float(judge["sd"]), low=math.nan, high=math.nan)
    for number, run in enumerate(judge.get("each", ()), start=1):
        for one in (one for one in result.metrics if one.name in run):
            by = run[one.name] - one.value
            yield replace(one, name=f"run/{number}/{one.name}", value=run[one.name], low=one.low + by, high=one.high + by)
