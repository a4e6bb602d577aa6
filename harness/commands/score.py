"""``riddle score``: replies that were made elsewhere become a finished run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.catalog import Catalog
from harness.commands import eval as evaluation
from harness.commands.outcome import Outcome
from harness.commands.places import place_of
from harness.config import ScoreConfig
from harness.replies import score_replies

CONFIG = ScoreConfig

LEFT = ("missing", "extra", "duplicates")


def run(config: ScoreConfig) -> Outcome:
    """Score a file of replies; the result is that of a run, with how the file was read and joined under ``replies``."""
    (task,) = Catalog(task_dirs=config.task_dirs, plugins=config.plugins).find_tasks([config.task])
    place = place_of(task, config.data, config.paths, config.mini)
    result = score_replies(
        task,
        place.where,
        config.predictions,
        convention=config.convention,
        model_name=config.name,
        runs=config.runs,
        data_name=place.name,
        confidence=config.confidence,
        config={"task": config.task, "data": config.data, "predictions": config.predictions, "convention": config.convention},
    )
    return Outcome(({**evaluation.run_row(result), "replies": result.run["replies"]},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of `riddle eval`, the other metrics (not those by group), and how the replies were joined."""
    return "\n".join([evaluation.show(results), *(line for row in results for line in _account(row))])


def _account(row: Mapping[str, Any]) -> list[str]:
    replies = row["replies"]
    whole = [metric for metric in row["metrics"] if "/" not in metric["name"] and metric["name"] != row["primary"]]
    lines = [" · ".join(f"{one['name']} {evaluation.number(one['value'], one['unit'])}" for one in whole)] if whole else []
    lines += [f"{replies['n']} replies read as {replies['layout']} (field {replies['field']}), joined by {replies['joined_by']}"]
    for name in LEFT:
        left = replies[name]
        if left["n"]:
            more = ", ..." if left["n"] > len(left["first"]) else ""
            lines.append(f"{left['n']} {name}: {', '.join(left['first'])}{more}")
    return lines
