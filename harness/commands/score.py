"""``riddle score``: replies made elsewhere become a run like any other, without a model and without the media."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import Catalog
from harness.commands.eval import result_table, run_row, unscored
from harness.commands.outcome import Outcome
from harness.commands.places import place_of
from harness.commands.spread import ALL, noted, spreads
from harness.config import ScoreConfig

CONFIG = ScoreConfig


def run(config: ScoreConfig) -> Outcome:
    """Score a file of replies; the result says how it was read and joined."""
    from harness.graded import REPLAY
    from harness.replies import score_conventions

    task = Catalog(task_dirs=config.task_dirs, plugins=config.plugins).find_task(config.task)
    place = place_of(task, config.data, config.paths, config.mini)
    names = tuple(task.conventions) if config.convention == ALL else (config.convention,)
    results = score_conventions(
        task,
        place.where,
        config.predictions,
        conventions=names,
        grades=config.grades,
        judge=str(config.judge["name"]) if config.judge.get("name") not in (None, "none") else REPLAY,
        model_name=config.name,
        runs=config.runs,
        data_name=place.name,
        confidence=config.confidence,
        config=dataclasses.asdict(config),
    )
    rows = [{**run_row(result), "replies": dict(result.run["replies"]), "grades": _grades(result.judge)} for result in results]
    problems = tuple(unscored(task, rows, "give what a judge has said of these replies: grades=FILE"))
    return Outcome(tuple(noted(task, rows)) if config.convention == ALL else tuple(rows), problems)


def _grades(judge: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the JSON document holds of stored grades; None where there are none."""
    return {name: judge[name] for name in ("grades", "runs", "sd", "unjudged")} if judge and "grades" in judge else None


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return all metrics of each run, or the spread over its conventions, and what became of the replies."""
    if results[0].get("of_all"):
        return f"{spreads(results)}\n\n{_account(results[0])}"
    return "\n\n".join(f"{result_table([result])}\n\n{_metrics(result)}\n\n{_account(result)}" for result in results)


def _metrics(result: Mapping[str, Any]) -> str:
    from harness.commands.eval import number
    from harness.commands.tables import table

    rows = [[one["name"], number(one["value"], one["unit"]), str(one["n"])] for one in result["metrics"]]
    return table(["metric", "value", "n"], rows, right=("value", "n"))


def _account(result: Mapping[str, Any]) -> str:
    replies = result["replies"]
    lines = [f"{replies['n']} replies read as {replies['layout']} (field {replies['field']}), joined by {replies['joined_by']}"]
    if silent := result["missing"] - replies["missing"]["n"]:
        lines.append(f"{silent} without a text, which count as missing")
    if stated := replies.get("as_logged"):
        lines.append(f"as logged: {', '.join(f'{name} {value:.4f}' for name, value in stated.items())}")
    return "\n".join([*lines, *_left_over(replies), *_graded(result)])


def _graded(result: Mapping[str, Any]) -> Iterator[str]:
    from harness.commands.eval import number

    if grades := result.get("grades"):
        values = ", ".join(number(value, result["unit"]) for value in grades["runs"])
        spread = f", standard deviation {number(grades['sd'], result['unit'])}" if len(grades["runs"]) > 1 else ""
        yield f"grades joined by {grades['grades']['joined_by']}: {result['primary']} {values}{spread}"
        if grades["unjudged"]:
            yield f"{grades['unjudged']} replies without a grade that can be read"


def _left_over(replies: Mapping[str, Any]) -> Iterator[str]:
    for name in ("missing", "extra", "duplicates"):
        found = replies[name]
        if found["n"]:
            more = ", ..." if found["n"] > len(found["first"]) else ""
            yield f"{found['n']} {name}: {', '.join(map(str, found['first']))}{more}"
