"""``riddle controls``: what mini benchmarks give to a model without their pictures and to no model at all, kept for their cards.

A score says little without the score of whoever has not looked. So each benchmark is asked of the model three times, with its own
pictures, with grey ones (``blind``) and with another sample's (``swapped``), and answered without looking by a guess and by the
best constant reply. All are ordinary runs with the benchmark's own scoring; what came out goes into one file, which
``riddle ls task NAME`` shows.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.catalog import Catalog
from harness.commands import eval as asking
from harness.commands.outcome import STOPPED, Outcome, Problem
from harness.commands.places import place_of
from harness.commands.rooms import CHANCE, CONSTANT, CONTROLS, function
from harness.commands.spread import ALL
from harness.commands.tables import table
from harness.config import ControlsConfig
from harness.controls import Control
from harness.errors import ConfigError
from harness.results import read_json
from harness.task import Task

CONFIG = ControlsConfig

CANDIDATES = 8
"""So many of the commonest right replies are tried as constants."""

PICTURES: Mapping[str, Control] = {"with pictures": "none", "blind": "blind", "swapped": "swapped"}
"""The levels of the model by the control that gives them."""


def run(config: ControlsConfig) -> Outcome:
    """Measure all levels of each benchmark and keep those of the benchmarks that are complete.

    Raises:
        ConfigError: other data than the mini ones, several conventions, or settings that the levels themselves decide.
    """
    if tuple(config.data) != ("mini",) or config.dry or config.control != "none":
        raise ConfigError("riddle controls asks the mini benchmarks, with and without pictures: leave out data, dry and control")
    if config.convention == ALL:
        raise ConfigError("convention=all: a card shows the levels of one convention; name it")
    tasks = Catalog(task_dirs=config.task_dirs, plugins=config.plugins).find_tasks(config.benchmarks)
    levels: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    problems: list[Problem] = []
    for level, part in _runs(config, tasks):
        outcome = asking.run(part)
        problems += outcome.problems
        if outcome.exit in STOPPED:
            break
        for row in outcome.results:
            levels[row["task"]][level] = row
    complete = [task for task in tasks if len(levels[task.name]) > len(PICTURES) + 1 and not _failed(task, problems)]
    records = {task.name: _record(config, task, levels[task.name]) for task in complete}
    file = function(CONTROLS)(records, config.out) if records else None
    results = [{"kind": "controls", "task": name, "file": str(file), **record} for name, record in records.items()]
    return Outcome(tuple(results), tuple(problems))


def _runs(config: ControlsConfig, tasks: Sequence[Task]) -> Iterator[tuple[str, ControlsConfig]]:
    """Yield the name and the settings of each run: all benchmarks for the model and for chance, one for a constant."""
    every = dataclasses.replace(config, task=tuple(task.name for task in tasks), suite=None)
    for level, control in PICTURES.items():
        yield level, dataclasses.replace(every, control=control)
    yield "chance", dataclasses.replace(every, model={"_target_": CHANCE, "seed": config.seed})
    for task in tasks:
        for reply in _constants(config, task):
            yield f"always {reply!r}", dataclasses.replace(every, task=(task.name,), model={"_target_": CONSTANT, "reply": reply})


def _constants(config: ControlsConfig, task: Task) -> list[str]:
    """Return the replies that are right most often, by the benchmark's own answers."""
    from harness.plan import Source

    place = place_of(task, config.data, config.paths, config.mini)
    source = Source.find(task, place.where, config.limit)
    counted = Counter(task.ideal(sample) for sample in islice(source.samples(), config.limit))
    return [reply for reply, _ in counted.most_common(CANDIDATES)]


def _failed(task: Task, problems: Sequence[Problem]) -> bool:
    return any(problem.where == task.name for problem in problems)


def _record(config: ControlsConfig, task: Task, levels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is kept of one benchmark: how it was measured, and the levels, of the constants the best one only."""
    pictures = levels["with pictures"]
    about = read_json(Path(pictures["folder"]) / "run.json")
    best = (max if task.higher_is_better else min)(
        (name for name in levels if name.startswith("always ")), key=lambda name: levels[name]["value"]
    )
    kept = ("value", "low", "high", "n", "failed")
    return {
        "metric": pictures["primary"],
        "unit": pictures["unit"],
        "convention": pictures["convention"],
        "prompt": config.prompt,
        "version": task.version,
        "data": {"name": pictures["data"], "fingerprint": about["data"]["fingerprint"], **dataclasses.asdict(config.mini)},
        "seed": config.seed,
        "limit": config.limit,
        "model": {"name": about["model"]["name"], "fingerprint": about["model"]["fingerprint"]},
        "confidence": config.confidence,
        "levels": {name: {key: _plain(levels[name][key]) for key in kept} for name in (*PICTURES, "chance", best)},
    }


def _plain(number: float) -> float | None:
    """Return a number that JSON has a form for; None for one that is undefined, such as an interval of a single picture."""
    return number if math.isfinite(number) else None


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a line a benchmark with its levels, and where they are kept."""
    heads = ("with pictures", "blind", "swapped", "chance", "best constant", "which is")
    lines = [
        [result["task"], result["metric"], str(result["levels"]["blind"]["n"]), *cells(result).values(), [*result["levels"]][-1]]
        for result in results
    ]
    kept = "\n".join(dict.fromkeys(f"kept in {result['file']}" for result in results))
    return f"{table(['task', 'metric', 'n', *heads], lines, right=('n',))}\n\n{kept}"


def cells(record: Mapping[str, Any]) -> dict[str, str]:
    """Return each level of a kept record as people read it, value and interval."""
    from harness.commands.eval import number

    unit = record["unit"]
    return {
        name: f"{number(one['value'], unit)} [{number(one['low'], unit)}, {number(one['high'], unit)}]"
        for name, one in record["levels"].items()
    }
