"""The mini benchmarks of short visual questions: whole, fair, read by the real tasks, and said in words that training lacks."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.catalog import find_task
from harness.data.media import open_image
from harness.metrics.aggregate import Rows, aggregate
from harness.plan import Source
from harness.scoring import score_reply
from harness.types import Image, Sample
from harness.world import combinations
from tasks.mini import BENCHMARKS, EVAL_TEMPLATES, benchmark_of, write

TASKS = (
    *("okvqa", "vqav2", "vizwiz", "textvqa", "gqa", "scienceqa", "scienceqa_all", "iconqa", "iconqa_txt", "ocrvqa", "ai2d"),
)  # fmt: skip
WRITTEN = tuple(dict.fromkeys(map(benchmark_of, TASKS)))
N = 40


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini_vqa")
    write(folder, WRITTEN, seed=3, n=N)
    return folder


def samples(root: Path, task: str) -> list[Sample]:
    return list(Source.find(find_task(task), [root / benchmark_of(task)]).samples())


def test_all_are_among_the_mini_benchmarks() -> None:
    assert set(WRITTEN) <= set(BENCHMARKS)


@pytest.mark.parametrize("name", TASKS)
def test_the_task_reads_it_and_gives_its_ideal_replies_full_marks(root: Path, name: str) -> None:
    task, found = find_task(name), samples(root, name)
    official = task.conventions["official"]
    assert len(found) == (N // 2 if name == "iconqa_txt" else N) and len({sample.id for sample in found}) == len(found)
    rows = [score_reply(official, sample, task.ideal(sample)) for sample in found]
    assert not any(row.parsed.unparsed for row in rows)
    got = {one.name: one for one in aggregate(Rows.of(rows), official.metrics)}
    assert got[official.primary].value == 1.0 and got[official.primary].n == len(found)
    for part in found[0].parts:
        assert isinstance(part, Image) and open_image(part.source).size[0] > 0


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_seed_writes_the_same_bytes(root: Path, tmp_path: Path, name: str) -> None:
    def digest(folder: Path) -> str:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "mini.json")
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    write(tmp_path, [name], seed=3, n=N)
    assert digest(tmp_path / name) == digest(root / name)
    write(tmp_path, [name], seed=4, n=N)
    assert digest(tmp_path / name) != digest(root / name)


PARTS = {
    "okvqa": 1, "vqav2": 3, "vizwiz": 2, "textvqa": 2, "gqa": 3, "scienceqa": 2, "iconqa": 3, "ocrvqa": 2, "ai2d": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_each_gives_every_part_so_many_questions_and_few_still_make_it_whole(tmp_path: Path, name: str) -> None:
    write(tmp_path / "each", [name], each=5)
    assert PARTS[name] * 5 <= len(samples(tmp_path / "each", name)) <= PARTS[name] * 5 + 2
    write(tmp_path / "few", [name], n=1)
    assert len(samples(tmp_path / "few", name)) == 1


def test_a_question_with_yes_or_no_is_as_often_true_as_false(tmp_path: Path) -> None:
    for name in ("vqav2", "gqa", "ocrvqa"):
        write(tmp_path, [name], seed=5, n=120)
        answers = Counter(sample.references[0].lower() for sample in samples(tmp_path, name))
        assert abs(answers["yes"] - answers["no"]) <= 2, name
        assert answers["yes"] > 15
    balance: Counter[str] = Counter()
    for sample in samples(tmp_path, "vqav2"):
        balance[sample.question] += {"yes": 1, "no": -1}.get(sample.references[0], 0)
    assert sum(map(abs, balance.values())) <= 1


@pytest.mark.parametrize("name", ["scienceqa", "iconqa_txt", "ai2d"])
def test_every_place_is_right_as_often(tmp_path: Path, name: str) -> None:
    write(tmp_path, [name], seed=6, n=60)
    by_size = defaultdict(Counter)
    for sample in samples(tmp_path, name):
        by_size[len(sample.options)][sample.references[0]] += 1
    for counted in by_size.values():
        assert max(counted.values()) - min(counted.values()) <= 1, by_size


@pytest.mark.slow
def test_the_commonest_answer_to_a_question_is_right_no_more_than_by_chance(tmp_path: Path) -> None:
    """A model without eyes that knows the answers' frequencies; for words it must be near 0, for counts a fifth, else a half."""
    write(tmp_path, WRITTEN, seed=7, n=240)
    blind = {}
    for name in WRITTEN:
        said: dict[str, Counter[str]] = defaultdict(Counter)
        for sample in samples(tmp_path, name):
            said[sample.question][sample.references[0].lower()] += 1
        asked = sum(sum(counted.values()) for counted in said.values() if sum(counted.values()) >= 8)
        hits = sum(max(counted.values()) for counted in said.values() if sum(counted.values()) >= 8)
        blind[name] = hits / asked if asked else 0.0
    assert blind["textvqa"] < 0.2 and blind["iconqa"] < 0.5 and blind["okvqa"] < 0.45, blind
    assert max(blind.values()) < 0.62, blind


def test_questions_name_only_held_out_pairs_and_follow_a_listed_template(root: Path) -> None:
    trained = {f"{colour} {shape}" for shape, colour in combinations("train")}
    for name in TASKS:
        templates = [text for kind, texts in EVAL_TEMPLATES.items() if kind.startswith(benchmark_of(name)) for text in texts]
        patterns = [re.compile(re.sub(r"\\\{\w*\\\}", "(.+)", re.escape(template))) for template in templates]
        for sample in samples(root, name):
            assert any(pattern.fullmatch(sample.question) for pattern in patterns), sample.question
            assert not any(pair in text for pair in trained for text in (sample.question, *sample.options)), sample


@pytest.mark.skipif(importlib.util.find_spec("models.sphinx_x.corpus") is None, reason="the training corpus is not here")
def test_training_says_no_sentence_that_is_asked(root: Path) -> None:
    from models.sphinx_x.corpus.mini import LATE, converse, draw_training_world

    asked = {sample.question for name in TASKS for sample in samples(root, name)}
    rng, said = random.Random(0), set()
    for number in range(20):
        for kind in ("scene", "page", "chart", "digits", "sign"):
            for turn in converse(draw_training_world(kind, number, 0), rng, LATE, 12):
                said |= set(_lines(turn.question))
    assert asked & said == set()


def _lines(text: str) -> Sequence[str]:
    return text.replace("Question: ", "").splitlines()
