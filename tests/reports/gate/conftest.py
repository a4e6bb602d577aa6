"""Runs with known answers for gates: a string of ones and zeros a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reports.gate.check import GateReport, Places, check
from reports.gate.policy import policy_of
from tests.reports.conftest import Item, write_run

RIGHT = [float(i % 5 != 0) for i in range(200)]
"""160 of 200 right."""


def items(task: str, scores: list[float], **flags: Any) -> list[Item]:
    """One sample a score, each its own cluster; ``flags`` go to every wrong answer."""
    return [Item(id=f"{task}/{i}", score=x, **(flags if x == 0 else {})) for i, x in enumerate(scores)]


def worse(scores: list[float], by: int, gained: int = 0) -> list[float]:
    """Lose the first ``by`` right answers and gain the last ``gained`` wrong ones."""
    right = [i for i, x in enumerate(scores) if x == 1][:by]
    wrong = [i for i, x in enumerate(scores) if x == 0][len(scores) - sum(map(int, scores)) - gained :]
    return [0.0 if i in right else 1.0 if i in wrong else x for i, x in enumerate(scores)]


@pytest.fixture
def gate(tmp_path: Path) -> Any:
    """Write both runs of each benchmark and check them: ``gate({"pope": (a, b)}, margin=0.1)``."""

    def run(
        scores: Mapping[str, tuple[list[float], list[float]]], policy: Mapping[str, Any] | None = None,
        changes: Mapping[str, Any] | None = None, flags: Mapping[str, Any] | None = None,
        before: Mapping[str, Any] | None = None, **rule: Any,
    ) -> GateReport:  # fmt: skip
        root = tmp_path / f"gate{len(list(tmp_path.glob('gate*')))}"
        for task, (a, b) in scores.items():
            write_run(root / "a", "old", task, kind="replies", items=items(task, a), **(before or {}))
            write_run(root / "b", "new", task, kind="replies", items=items(task, b, **(flags or {})), **(changes or {}))
        asked = {"baseline": str(root / "a"), "gates": [rule], **(policy or {})}
        return check(policy_of(asked, "policy.yaml"), str(root / "b"), Places(folder=root, tags=root))

    return run
