"""The official scorers' measured outputs, file by file: those kept here, and those in the directories of ``RIDDLE_GOLDEN``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.golden import (
    feeding,
    feeding_documents,
    feeding_exact,
    feeding_files,
    feeding_grounding,
    feeding_judged,
    feeding_mllm,
    feeding_subjects,
    feeding_vqa,
)

FEEDERS = feeding.FEEDERS | feeding_files.FEEDERS | feeding_vqa.FEEDERS | feeding_exact.FEEDERS | feeding_documents.FEEDERS
FEEDERS |= feeding_mllm.FEEDERS | feeding_subjects.FEEDERS | feeding_judged.FEEDERS | feeding_grounding.FEEDERS
HERE = Path(__file__).parent / "scoring"
OTHERS = [Path(name) for name in os.environ.get("RIDDLE_GOLDEN", "").split(os.pathsep) if name]
FILES = [path for folder in (HERE, *OTHERS) for path in sorted(folder.glob("*.json"))]


def test_every_named_directory_exists() -> None:
    assert [folder for folder in OTHERS if not folder.is_dir()] == []


def test_every_benchmark_of_this_repository_has_a_golden_file() -> None:
    assert set(FEEDERS) <= {path.name.split(".")[0] for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scores_equal_the_official_ones(path: Path) -> None:
    benchmark = path.name.split(".")[0]
    if benchmark not in FEEDERS:
        pytest.skip(f"no task for {benchmark!r}")
    checks = list(FEEDERS[benchmark](json.loads(path.read_text(encoding="utf-8"))))
    assert checks, f"{path} holds nothing to check"
    wrong = [check for check in checks if not check.holds]
    assert not wrong, f"{len(wrong)} of {len(checks)} differ: {wrong[:10]}"
