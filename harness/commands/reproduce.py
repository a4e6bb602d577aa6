"""``riddle reproduce``: published replies become runs like any other, and every number stands beside that of the official scorer.

Exit 0 only if every case could be scored and every number that was matched is the expected one, to the digits that this has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.catalog import Catalog
from harness.commands.outcome import Outcome, Problem
from harness.commands.rooms import REPRODUCTIONS, function
from harness.commands.tables import table
from harness.config import ReproduceConfig

CONFIG = ReproduceConfig


def run(config: ReproduceConfig) -> Outcome:
    """Score all cases and write the page; the results hold a case each."""
    from harness.cases import find_cases
    from harness.reproduce import Known, Reproduced, reproduce
    from harness.schema import read

    catalog = Catalog(task_dirs=config.task_dirs, plugins=config.plugins)
    known = {name: read(Known, how, f"known.{name}") for name, how in config.known.items()}
    done: list[Reproduced] = []
    for case in find_cases(config.cases):
        done.append(reproduce(case, catalog.find_task, known, config.runs, config.confidence))
        if config.output == "text":
            sys.stderr.write(f"{case.label}: {done[-1].failed or 'equal'}\n")
    rows: list[dict[str, Any]] = [_row(one) for one in done]
    if config.out is not None:
        function(REPRODUCTIONS)(done, config.out, title=config.title, confidence=config.confidence)
        rows = [{**row, "page": str(config.out)} for row in rows]
    return Outcome(tuple(rows), tuple(Problem("Difference", one.failed, one.case.label) for one in done if one.failed))


def _row(one: Any) -> dict[str, Any]:
    return {
        "kind": "reproduction",
        "benchmark": one.case.benchmark,
        "model": one.case.model,
        "failed": one.failed,
        "equal": sum(match.equal for match in one.matches),
        "matched": sum(match.ours is not None for match in one.matches),
        "expected": len(one.case.expected),
        "numbers": [asdict(match) for match in one.matches],
        "skipped": list(one.skipped),
    }


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each leading number, ours beside the official scorer's, and how many of all are equal."""
    head = ["benchmark", "model", "number", "riddle", "official scorer", "equal"]
    lines = [table(head, [cells for result in results for cells in _lines(result)], right=("riddle", "official scorer"))]
    for result in results:
        counts = f"{result['equal']} equal, {result['matched']} matched, {result['expected']} expected"
        lines.append(f"{result['benchmark']} {result['model']}: {counts}")
    return "\n".join(lines + [f"page: {one}" for one in dict.fromkeys(result.get("page") for result in results) if one])


def _lines(result: Mapping[str, Any]) -> Iterator[list[str]]:
    for one in result["numbers"]:
        if one["ours"] is not None and (one["headline"] or (one["held"] and not one["equal"])):
            equal = "yes" if one["equal"] else "no" if one["held"] else "cannot be"
            yield [result["benchmark"], result["model"], one["path"], f"{one['ours']:.7g}", f"{one['expected']:.7g}", equal]
