"""``riddle gate``: blocks a checkpoint that got worse, by a test that knows noise from loss.

The verdict is the exit code, so here alone 1, 2 and 3 mean what they mean for a gate; whatever keeps a gate from being checked, a
wrong setting too, makes it invalid.
"""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.build import build
from harness.commands.outcome import INVALID, Outcome, Problem
from harness.commands.places import place_of
from harness.commands.rooms import GATES, function
from harness.commands.tables import printable, table
from harness.config import GateConfig
from harness.model import Model
from harness.plan import Settings
from harness.progress import progress_on
from harness.remote import is_url, local_runs

CONFIG = GateConfig

VERDICT = "Verdict"
"""The kind of problem that is a gate's answer; any other makes it invalid."""


def run(config: GateConfig) -> Outcome:
    """Do what is asked (`GateConfig.what`); a verdict other than pass is a problem with the exit code of the verdict."""
    sides = {"candidate": config.candidate, "baseline": config.baseline}
    here = {side: str(local_runs(word, config.paths.remote)) for side, word in sides.items() if word and is_url(word)}
    config = dataclasses.replace(config, **here)  # type: ignore[arg-type]  # both are texts
    if config.what == "check" and config.model:
        return _asked(config)
    return _outcome(_call("replay" if config.what == "check" and config.looks > 1 else config.what, config))


def _outcome(result: dict[str, Any]) -> Outcome:
    if not result.get("exit"):
        return Outcome((result,))
    named = [gate["task"] for gate in result["gates"] if gate["verdict"] == result["verdict"]]
    where = f": {', '.join(named)}" if named else ""
    return Outcome((result,), (Problem(VERDICT, f"{result['verdict']}{where}", exit=result["exit"]),))


def _call(work: str, config: GateConfig, **more: Any) -> dict[str, Any]:
    """Call a function of the gate with those of its settings that the command has."""
    made = function(GATES[work])
    known = {name: getattr(config, name) for name in inspect.signature(made).parameters if hasattr(config, name)}
    result: dict[str, Any] = made(**{**known, **more})
    return result


def _asked(config: GateConfig) -> Outcome:
    """Ask a model what the policy needs, in hash order, look by look, until the verdict is known."""
    wanted = _call("first_look", config)
    model: Model = build(config.model, config.plugins)
    folders: dict[str, Path] = {}
    result: dict[str, Any] = {}
    for look in range(config.looks):
        for name, limit in wanted.items():
            folders[name] = _grown(config, model, name, limit)
        result = _call("look", config, folders=list(folders.values()), look=look)
        wanted = result.pop("going_on")
        if not wanted:
            break
    return _outcome(result)


def _grown(config: GateConfig, model: Model, name: str, limit: int) -> Path:
    """Ask a benchmark's first samples in hash order; those of an earlier look are not asked again."""
    from harness.catalog import Catalog
    from harness.hashed import hashed
    from harness.run import evaluate

    task = Catalog(task_dirs=config.task_dirs, plugins=config.plugins).find_task(name)
    place = place_of(task, config.data, config.paths, config.mini)
    settings = Settings(limit=limit, seed=config.seed)
    shown = progress_on(sys.stderr, f"{model.name} on {name}")
    result = evaluate(
        hashed(task), model, place.where, settings, config.runs, data_name=f"{place.name}-hashed",
        config=dataclasses.asdict(config), progress=shown,
    )  # fmt: skip
    return result.folder


def invalid(outcome: Outcome) -> Outcome:
    """Give every problem that is no verdict, and did not stop the command from outside, the exit code of an invalid gate."""
    problems = (
        problem if problem.kind == VERDICT or problem.exit >= 128 else dataclasses.replace(problem, exit=INVALID)
        for problem in outcome.problems
    )
    return Outcome(outcome.results, tuple(problems))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the verdict and a line a benchmark; or what was kept."""
    return "\n\n".join("\n".join(SHOWN[result["kind"]](result)) for result in results)


def _gate(result: Mapping[str, Any]) -> Iterator[str]:
    looked = ["asked"] if result.get("looks", 1) > 1 else []
    head = ["", "benchmark", "metric", "baseline", "candidate", "difference", "p", *looked, "why"]
    rows = []
    for gate in result["gates"]:
        asked = [f"{gate['asked']} of {gate['of']}"] if looked else []
        rows.append([gate["verdict"], gate["task"], gate["metric"], *gate["shown"], *asked, "; ".join(gate["said"])])
    yield table(head, rows, right=("baseline", "candidate", "p", "asked"))
    sides = (printable(str(result[side]["model"] or result[side]["named"])) for side in ("candidate", "baseline"))
    if looked:
        yield f"\n{result['asked']} of {result['of']} samples asked, {result['looks']} looks planned"
    level = f"{100 * result['alpha']:g} %"
    yield f"\n{result['verdict']}: {' against '.join(sides)}; where nothing is lost, at most {level} of checks fail"
    yield from (f"written: {path}" for path in result.get("files", ()))


def _saved(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"{result['file']}: {len(result['tasks'])} runs of {printable(result['model'])}, {result['samples']} samples"


def _simulated(result: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        [one["task"], str(one["n"]), str(one["clusters"]), _percent(one["detected"]), _percent(one["passed"])]
        for one in result["benches"]
    ]
    yield table(
        ["benchmark", "units", "clusters", "loss seen", "loss passed"],
        rows,
        right=("units", "clusters", "loss seen", "loss passed"),
    )
    change = f"{result['churn']:.0%} of answers change, rho {result['rho']:g}, a loss is {result['loss']:g}"
    yield f"\n{result['draws']} candidates drawn: {change}"
    yield f"nothing lost, policy fails: {_percent(result['false_alarms'])} (alpha {result['alpha']:g})"
    for one in result["early"]:
        asked = f"{one['used']:.1%} of the samples asked"
        yield f"{result['looks']} looks, {one['situation']}: fails {_percent(one['fails'])}, {asked}"


def _percent(rate: Mapping[str, float]) -> str:
    return f"{rate['value']:.1%} [{rate['low']:.1%}, {rate['high']:.1%}]"


SHOWN = {"gate": _gate, "baseline": _saved, "simulation": _simulated}
