"""``riddle study NAME``: what several finished runs say together on one question, as tables, figures, findings and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.commands.outcome import Outcome
from harness.commands.rooms import STUDY, function
from harness.config import StudyConfig

CONFIG = StudyConfig


def run(config: StudyConfig) -> Outcome:
    """Write the study; the result holds its files and its findings.

    Raises:
        ResultError: there are no runs, or they do not hold what the study needs.
    """
    built = function(STUDY)(
        config.study,
        config.runs,
        config.out,
        config.task,
        seed=config.seed,
        draws=config.draws,
        confidence=config.confidence,
    )
    findings = [asdict(one) for one in built.findings]
    files = [str(path) for path in built.paths]
    return Outcome(({"kind": "study", "study": config.study, "index": str(built.index), "files": files, "findings": findings},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return each hypothesis with its verdict and the sentence behind it, and where the page is."""
    return "\n".join(
        "\n".join(
            [*(f"{one['verdict']}: {one['hypothesis']}\n  {one['text']}" for one in result["findings"]), "", result["index"]]
        )
        for result in results
    )
