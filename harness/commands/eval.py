"""``riddle eval``: benchmarks × one model, each to a finished run folder. Several models are a multirun (``-m``)."""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.build import build, target_problems
from harness.catalog import Catalog
from harness.commands.engines import answering, share_line, share_of, share_row
from harness.commands.outcome import Outcome, Problem
from harness.commands.places import Place, place_of
from harness.commands.search import search_line
from harness.commands.spread import ALL, noted, spreads
from harness.commands.tables import table
from harness.config import EvalConfig
from harness.errors import CapabilityError, ConfigError, HarnessError, Interrupted
from harness.judging import UNSCORED
from harness.model import Model, shortcomings
from harness.plan import Settings, check
from harness.provenance import guarded_words
from harness.results import Result
from harness.task import Task

if TYPE_CHECKING:
    from harness.shares import Share

CONFIG = EvalConfig

_log = logging.getLogger("riddle.eval")

GO_ON = "all replies are stored; the same command with judge=openai, local or replay goes on from them"
"""What to do where nobody has judged."""


def run(config: EvalConfig) -> Outcome:
    """Evaluate one model on all benchmarks asked for; a benchmark that fails does not keep the others from being run.

    Raises:
        ConfigError, CapabilityError, DatasetError: named all together, before the first sample is asked.
    """
    tasks, settings = _checked(config)
    share = share_of(config.engine, os.environ)
    with answering(config) as model:
        if lacking := list(shortcomings(model)):
            raise ConfigError("\n".join(f"model: {one}" for one in lacking))
        return _run(config, tasks, settings, model, share)


def _run(config: EvalConfig, tasks: Sequence[Task], settings: Settings, model: Model, share: Share | None) -> Outcome:
    judge = _judge(config, tasks)
    _check_all(tasks, settings, model)
    places = [place_of(task, config.data, config.paths, config.mini) for task in tasks]
    if config.dry:
        from harness.commands.dry import preview

        return Outcome(tuple(preview(task, model, place, settings) for task, place in zip(tasks, places, strict=True)))
    if len(tasks) > 1:
        _log.info("%s is loaded once for %d benchmarks: %s", model.name, len(tasks), ", ".join(task.name for task in tasks))
    results: list[dict[str, Any]] = []
    problems = []
    for task, place in zip(tasks, places, strict=True):
        try:
            rows = _rows(task, model, judge, place, settings, config, share)
            results += rows
            problems += list(unscored(task, rows, GO_ON))
        except Interrupted as error:
            problems.append(Problem.of(error, task.name))
            break
        except (HarnessError, OSError) as error:
            if config.debug:
                traceback.print_exc()
            problems.append(Problem.of(error, task.name, exit=1))
    return Outcome(tuple(results), tuple(problems))


def settings_of(config: EvalConfig) -> Settings:
    """Return what the engine is told, from what the command was told."""
    decoding = {name: value for name, value in dataclasses.asdict(config.decoding).items() if value is not None}
    frames = {name: value for name, value in dataclasses.asdict(config.frames).items() if value is not None}
    return Settings(
        limit=config.limit,
        seed=config.seed,
        prompt=config.prompt,
        convention="official" if config.convention == ALL else config.convention,
        generation=decoding,
        frames=frames,
        control=config.control,
        kind=config.kind,
        max_failures=config.max_failures,
        fresh=config.fresh,
        confidence=config.confidence,
        **{name: getattr(config.engine, name) for name in ("workers", "window", "retries", "timeout_s", "reuse")},
    )


def run_row(result: Result) -> dict[str, Any]:
    """Return what the JSON document holds of a finished run."""
    run, primary = result.run, result.metric()
    return {
        "kind": "run",
        "model": run["model"]["name"],
        "task": run["task"]["name"],
        "version": run["task"]["version"],
        "data": run["data"]["name"],
        "control": run.get("control", "none"),
        "convention": result.convention,
        "judge": None if result.judge is None else result.judge["name"],
        "primary": result.primary,
        "value": primary.value,
        "low": primary.low,
        "high": primary.high,
        "confidence": run["confidence"],
        "unit": primary.unit,
        "n": result.n,
        "failed": result.failed,
        "unparsed": result.unparsed,
        "missing": result.missing,
        "truncated": result.truncated,
        "reused": result.reused,
        "usage": None if result.usage is None else dict(result.usage),
        "metrics": [metric.record() for metric in result.metrics],
        "folder": str(result.folder),
    }


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the primary metrics, their spread over all conventions, or the previews of a dry run."""
    previews = [result for result in results if result["kind"] == "preview"]
    if previews:
        from harness.commands.dry import shown

        return "\n\n".join(shown(preview) for preview in previews)
    if results[0].get("of_all"):
        return spreads(results)
    shares = [share_line(one) for one in results if one["kind"] == "share"]
    searches = [search_line(one) for one in results if one["kind"] == "search"]
    runs = [one for one in results if one["kind"] == "run"]
    return "\n".join([*([result_table(runs)] if runs else []), *searches, *shares])


def result_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a row a finished run: its primary metric with interval, its counts, and where its samples are."""
    levels = " or ".join(sorted({f"{result['confidence'] * 100:g} %" for result in results}))
    head = ["model", "task", "metric", "value", f"{levels} interval", "n", "failed", "unparsed", "samples"]
    return table(head, [list(_cells(result)) for result in results], right=("value", "n", "failed", "unparsed"))


def _cells(row: Mapping[str, Any]) -> Iterator[str]:
    control = "" if row["control"] == "none" else f" ({row['control']})"
    data = f"@{row['data']}" if row["data"] else ""
    about = [*([] if row["convention"] == "official" else [row["convention"]]), *([row["judge"]] if row.get("judge") else [])]
    convention = f" ({'; '.join(about)})" if about else ""
    yield f"{row['model']}{control}"
    yield f"{row['task']}{data}"
    yield f"{row['primary']}{convention}"
    yield number(row["value"], row["unit"])
    yield interval(row)
    yield str(row["n"])
    yield str(row["failed"])
    yield str(row["unparsed"])
    yield row["folder"]


def interval(row: Mapping[str, Any]) -> str:
    """Write the interval of a run's primary metric; a missing one as a dash."""
    low, high = (number(row[end], row["unit"]) for end in ("low", "high"))
    return low if low == high == NONE else f"{low} – {high}"


NONE = "–"
"""Stands for a number that there is none of."""


def number(value: float | None, unit: str | None) -> str:
    """Write a value for people, with two decimals as papers do; nothing as a dash."""
    if value is None or value != value:
        return NONE
    return f"{value * 100 if unit == 'percent' else value:.2f}"


def _checked(config: EvalConfig) -> tuple[tuple[Task, ...], Settings]:
    """Return benchmarks and settings; raise one error for all names and settings that are wrong, the model's included."""
    problems = list(target_problems(config.model, config.plugins, "model"))
    tasks: tuple[Task, ...] = ()
    settings = None
    try:
        tasks = Catalog(task_dirs=config.task_dirs, plugins=config.plugins).find_tasks(config.benchmarks)
    except ConfigError as error:
        problems.append(str(error))
    try:
        settings = settings_of(config)
    except ConfigError as error:
        problems.append(str(error))
    if problems or settings is None:
        raise ConfigError("\n".join(problems))
    return tasks, settings


def _check_all(tasks: Sequence[Task], settings: Settings, model: Model) -> None:
    """Check every benchmark against settings and model before any is run; raise one error that names all problems."""
    found: list[HarnessError] = []
    for task in tasks:
        try:
            check(task, settings, model.name, model.capabilities)
        except (CapabilityError, ConfigError) as error:
            found.append(error)
    if found:
        kind = ConfigError if any(isinstance(error, ConfigError) for error in found) else CapabilityError
        raise kind("\n".join(map(str, found)))


def _judge(config: EvalConfig, tasks: Sequence[Task]) -> Model | None:
    """Build the judge that is asked for. Raises `ConfigError` if it is none, or a rule that a benchmark has not."""
    if "_target_" in config.judge:
        judge: Model = build(config.judge, config.plugins, "judge")
        if lacking := list(shortcomings(judge)):
            raise ConfigError("\n".join(f"judge: {one}" for one in lacking))
        return judge
    if config.judge.get("name") == "rule":
        for task in tasks:
            judging = task.conventions[config.convention].judging if config.convention in task.conventions else None
            if judging is not None and not judging.rule:
                raise ConfigError(f"judge=rule: {task.name} has no rule that could stand for its judge; say judge=openai or none")
    return None


def unscored(task: Task, rows: Sequence[Mapping[str, Any]], advice: str) -> Iterator[Problem]:
    """Yield a problem if replies are there and their score is not, because nobody has judged them."""
    if any(row["judge"] == UNSCORED for row in rows):
        yield Problem("Unscored", f"{UNSCORED}: {advice}", task.name)


def _rows(
    task: Task, model: Model, judge: Model | None, place: Place, settings: Settings, config: EvalConfig, share: Share | None
) -> Sequence[dict[str, Any]]:
    """Evaluate one benchmark; with ``convention=all``, score what is stored by its other conventions too."""
    result = _evaluate(task, model, judge, place, settings, config, share)
    if result is None:
        return [share_row(share, model.name, task.name)]
    if config.convention != ALL:
        return [run_row(result)]
    from harness.run import score_run

    others = [name for name in task.conventions if name != result.convention]
    scored = [result, *(score_run(result.folder, name, task=task, data=place.where) for name in others)]
    return noted(task, [run_row(one) for one in scored])


def _evaluate(
    task: Task, model: Model, judge: Model | None, place: Place, settings: Settings, config: EvalConfig, share: Share | None
) -> Result | None:
    """Evaluate one benchmark, or a share of it; None if other processes are still at work on theirs."""
    from harness.progress import progress_on
    from harness.run import Evaluation

    whole = Evaluation(
        task=task,
        model=model,
        data=place.where,
        settings=settings,
        runs=config.runs,
        judge=judge,
        data_name=place.name,
        config=dataclasses.asdict(config),
        progress=progress_on(sys.stderr, f"{model.name} on {task.name}"),
        command=_command(),
    )
    if share is None:
        return whole.complete()
    from harness.shares import evaluate_share

    return evaluate_share(share, whole)


def _command() -> str:
    """Return this command as it was typed, but for keys and passwords; Hydra rewrites ``sys.argv``."""
    words = sys.orig_argv
    return f"riddle {shlex.join(guarded_words(words[words.index('eval') :]))}" if "eval" in words else ""
