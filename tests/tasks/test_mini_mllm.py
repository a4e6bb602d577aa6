"""The mini benchmarks of general abilities: whole, fair, read by the real tasks, and run from files to scores."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from harness.catalog import find_task
from harness.cli import main
from harness.data.media import open_image
from harness.metrics.aggregate import Rows, aggregate
from harness.plan import Source
from harness.scoring import score_reply
from harness.types import Image, Sample
from harness.world import combinations
from tasks.mini import BENCHMARKS, EVAL_TEMPLATES, write

TASKS = (
    *("mmbench_cn", "ccbench", "seedbench", "qbench_a1", "mmvp", "hallusionbench"),
    *("mmmu_val", "cmmmu", "tiny_lvlm_ehub", "aesbench"),
)  # fmt: skip
N = 24
ROTATED = {"mmbench_cn": 80, "ccbench": 96}
"""Rows with all rotations: of a third of the first there are two options."""
PARTS = {
    "mmbench_cn": 3, "ccbench": 2, "seedbench": 2, "qbench_a1": 3, "mmvp": 1, "hallusionbench": 2, "mmmu_val": 3, "cmmmu": 3,
    "tiny_lvlm_ehub": 5, "aesbench": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini_mllm")
    write(folder, TASKS, seed=3, n=N)
    return folder


def samples(root: Path, task: str) -> list[Sample]:
    return list(Source.find(find_task(task), [root / task]).samples())


def test_all_are_among_the_mini_benchmarks() -> None:
    assert set(TASKS) <= set(BENCHMARKS)


@pytest.mark.parametrize("name", TASKS)
def test_the_task_reads_it_and_gives_its_ideal_replies_full_marks(root: Path, name: str) -> None:
    task, found = find_task(name), samples(root, name)
    assert len(found) == ROTATED.get(name, N) and len({sample.id for sample in found}) == len(found)
    for convention in task.conventions.values():
        rows = [score_reply(convention, sample, task.ideal(sample)) for sample in found]
        got = {one.name: one for one in aggregate(Rows.of(rows), convention.metrics)}
        if convention is task.conventions["official"]:
            assert not any(row.parsed.unparsed for row in rows)
            assert got[convention.primary].value == pytest.approx(500.0 if name == "tiny_lvlm_ehub" else 1.0)
            assert got[convention.primary].clusters > 1
    for sample in found:
        for part in sample.parts:
            assert isinstance(part, Image) and open_image(part.source).size[0] > 0
    assert [bool(sample.parts) for sample in found].count(False) == (N // 4 if name == "hallusionbench" else 0)


@pytest.mark.parametrize("name", TASKS)
def test_the_same_seed_writes_the_same_bytes_and_few_still_make_it_whole(root: Path, tmp_path: Path, name: str) -> None:
    def digest(folder: Path) -> str:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "mini.json")
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    write(tmp_path, [name], seed=3, n=N)
    assert digest(tmp_path / name) == digest(root / name)
    write(tmp_path, [name], seed=4, n=N)
    assert digest(tmp_path / name) != digest(root / name)
    write(tmp_path / "few", [name], n=1)
    assert samples(tmp_path / "few", name)
    write(tmp_path / "each", [name], each=3)
    first = [one for one in samples(tmp_path / "each", name) if one.groups.get("rotation", "0") == "0"]
    assert PARTS[name] * 3 <= len(first) <= PARTS[name] * 3 + 1


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("hallusionbench", "tiny_lvlm_ehub")])
def test_every_place_is_right_as_often(root: Path, name: str) -> None:
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples(root, name):
        if sample.options and sample.options[0] != "High":
            by_kind[f"{len(sample.options)} {sample.groups.get('part', '')}"][sample.references[0]] += 1
    for counted in by_kind.values():
        assert max(counted.values()) - min(counted.values()) <= 2, by_kind


def test_yes_is_as_often_right_as_no_and_each_pair_has_both(root: Path) -> None:
    assert Counter(one.references[0] for one in samples(root, "hallusionbench")) == {"yes": N // 2, "no": N // 2}
    by_pair: dict[str, set[str]] = defaultdict(set)
    for one in samples(root, "mmvp"):
        by_pair[one.groups["pair"]].add(one.references[0])
    assert len(by_pair) == N // 2 and all(letters == {"A", "B"} for letters in by_pair.values())


@pytest.mark.parametrize("name", TASKS)
def test_questions_follow_a_listed_template_and_name_no_pair_of_training(root: Path, name: str) -> None:
    trained = {f"{colour} {shape}" for shape, colour in combinations("train")}
    templates = [text for kind, texts in EVAL_TEMPLATES.items() if kind.startswith(f"{name}/") for text in texts]
    patterns = [re.compile(re.sub(r"\\\{\w*\\\}", "(.+)", re.escape(template))) for template in templates]
    for sample in samples(root, name):
        question = re.sub(r"^<(image|图片) 1> ", "", sample.question)
        assert any(pattern.fullmatch(question) for pattern in patterns), sample.question
        assert not any(pair in text for pair in trained for text in (sample.question, *sample.options)), sample


def test_every_task_runs_from_its_files_to_its_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=nano", "suite=mllm_mini", "mini.n=2", *places, "output=json"]) == 0
    text = json.dumps(json.loads(capsys.readouterr().out))
    assert all(f"{name}@mini" in text for name in TASKS)
