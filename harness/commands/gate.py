"""``riddle gate``: blocks a checkpoint that got worse, by a test that knows noise from loss.

The verdict is the exit code, so here alone 1, 2 and 3 mean what they mean for a gate; whatever keeps a gate from being checked, a
wrong setting too, makes it invalid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands.outcome import INVALID, Outcome, Problem
from harness.commands.rooms import GATES, function
from harness.commands.tables import printable, table
from harness.config import GateConfig

CONFIG = GateConfig

VERDICT = "Verdict"
"""The kind of problem that is a gate's answer; any other makes it invalid."""


def run(config: GateConfig) -> Outcome:
    """Do what is asked (`GateConfig.what`); a verdict other than pass is a problem with the exit code of the verdict."""
    settings = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    result: dict[str, Any] = function(GATES[config.what])(**{name: settings[name] for name in SETTINGS[config.what]})
    if result.get("exit"):
        failing = [gate["task"] for gate in result["gates"] if gate["verdict"] == result["verdict"]]
        where = f": {', '.join(failing)}" if failing else ""
        return Outcome((result,), (Problem(VERDICT, f"{result['verdict']}{where}", exit=result["exit"]),))
    return Outcome((result,))


SETTINGS: Mapping[str, Sequence[str]] = {
    "check": ("policy", "candidate", "baseline", "name", "tags", "out"),
    "save": ("policy", "candidate", "name", "out"),
}
"""The settings that each kind of work takes."""


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
    head = ["", "benchmark", "metric", "baseline", "candidate", "difference", "p", "why"]
    rows = [[gate["verdict"], gate["task"], gate["metric"], *gate["shown"], "; ".join(gate["said"])] for gate in result["gates"]]
    yield table(head, rows, right=("baseline", "candidate", "p"))
    sides = (printable(str(result[side]["model"] or result[side]["named"])) for side in ("candidate", "baseline"))
    level = f"{100 * result['alpha']:g} %"
    yield f"\n{result['verdict']}: {' against '.join(sides)}; all of it fails by chance in at most {level} of cases"
    yield from (f"written: {path}" for path in result.get("files", ()))


def _saved(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"{result['file']}: {len(result['tasks'])} runs of {printable(result['model'])}, {result['samples']} samples"


SHOWN = {"gate": _gate, "baseline": _saved}
