from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Image, Parsed, Sample, Scored, Text

MATHVISTA = find_task("mathvista")
ABOUT = {"language": "english", "source": "TabMWP", "category": "general-vqa", "task": "math word problem", "context": "table"}


def question(pid: int, kind: str, answer: str, choices: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "pid": str(pid),
        "question": f"Question {pid}?",
        "image": f"images/{pid}.jpg",
        "choices": choices,
        "unit": None,
        "precision": None,
        "answer": answer,
        "question_type": "multi_choice" if choices else "free_form",
        "answer_type": kind,
        "metadata": ABOUT | {"grade": "college", "skills": ["arithmetic reasoning", "logical reasoning"][: 1 + pid % 2]},
    } | more


QUESTIONS = [
    question(1, "text", "cat", ["dog", "cat", "cow"]),
    question(2, "integer", "12", unit="years"),
    question(3, "float", "1.2", precision=1),
    question(4, "float", "3.14", precision=2),
    question(5, "list", "[1, 2]"),
    question(6, "text", "(b)", ["(b)", "(a)"]),
]


def write_json(folder: Path) -> Path:
    path = folder / "testmini.json.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump({each["pid"]: each for each in QUESTIONS}, file)
    return path


def read(where: Path) -> tuple[str, list[Sample]]:
    layout, records = read_records(MATHVISTA, [where])
    return layout.name, list(MATHVISTA.samples(records))


def score(samples: list[Sample], replies: dict[str, str], convention: str = "official", extracted: bool = False) -> list[Scored]:
    used = MATHVISTA.conventions[convention]
    if extracted:
        assert used.extracted is not None
        used = replace(used, parse=used.extracted)
    return [score_reply(used, sample, replies[sample.id]) for sample in samples]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return read(write_json(tmp_path))[1]


def test_the_authors_file_is_read_with_pictures_below_its_folder(tmp_path: Path) -> None:
    write_json(tmp_path)
    layout, samples = read(tmp_path)
    assert layout == "official" and [sample.id for sample in samples] == ["1", "2", "3", "4", "5", "6"]
    (part,) = samples[0].parts
    assert isinstance(part, Image) and part.source.label == str(tmp_path / "images" / "1.jpg")


def test_parquet_gives_the_same_samples(tmp_path: Path, samples: list[Sample]) -> None:
    rows = [
        each | {"decoded_image": {"bytes": b"jpg", "path": None}, "query": "", "precision": each["precision"]}
        for each in QUESTIONS
    ]
    for row in rows:
        row["precision"] = None if row["precision"] is None else float(row["precision"])
    folder = tmp_path / "data"
    folder.mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "testmini-00000-of-00001.parquet")
    layout, found = read(folder)
    assert layout == "hf_parquet"
    for ours, theirs in zip(samples, found, strict=True):
        assert (ours.id, ours.options, ours.references, ours.groups) == (
            theirs.id,
            theirs.options,
            theirs.references,
            theirs.groups,
        )
        assert ours.fields == theirs.fields and len(theirs.parts) == 1


def test_prompts_are_the_official_queries(samples: list[Sample]) -> None:
    asked = [part.text for part in (MATHVISTA.query(sample).parts[-1] for sample in samples) if isinstance(part, Text)]
    assert asked[0] == (
        "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\n"
        "Question: Question 1?\nChoices:\n(A) dog\n(B) cat\n(C) cow"
    )
    assert asked[1] == (
        "Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.\n"
        "Question: Question 2? (Unit: years)"
    )
    assert "with one decimal place and" in asked[2] and "with two decimal places and" in asked[3]
    assert "requiring a Python list" in asked[4]


def test_ideal_replies_get_full_marks_by_rule_alone(samples: list[Sample]) -> None:
    rows = score(samples, {sample.id: MATHVISTA.ideal(sample) for sample in samples})
    assert [row.scores["correct"] for row in rows] == [1] * 6
    assert not any(row.parsed.unparsed for row in rows)
    assert [row.reply for row in rows] == ["cat", "12", "1.2", "3.14", 'The answer is "[1, 2]".', 'The answer is "A".']


def test_what_needs_the_judge_is_marked_and_wrong(samples: list[Sample]) -> None:
    replies = dict(zip("123456", ["B", "12.0", "It is 1.2", "3.14 m", "[1, 2]", "(A)"], strict=True))
    rows = score(samples, replies)
    assert [row.scores["correct"] for row in rows] == [0] * 6
    assert all(row.parsed.reason and row.parsed.reason.startswith("needs judge") for row in rows)


def test_stored_extractions_are_scored_as_they_are(samples: list[Sample]) -> None:
    extractions = dict(zip("123456", ["B", "12.7", "1.24", "3.1415", "[1, 2]", "(A)"], strict=True))
    assert [row.scores["correct"] for row in score(samples, extractions, extracted=True)] == [1] * 6


def test_a_nearest_option_scores_but_counts_as_unparsed(samples: list[Sample]) -> None:
    (row, *_) = score(samples, dict.fromkeys("123456", "cats"), extracted=True)
    assert row.scores["correct"] == 1 and row.parsed.unparsed


def test_toolkits_differ_on_decimals_lists_and_options(samples: list[Sample]) -> None:
    extractions = dict(zip("123456", ["cats", "12", "1.20", "3.1415", "[1, 2]", "A"], strict=True))

    def right(convention: str) -> list[float]:
        return [row.scores["correct"] for row in score(samples, extractions, convention, extracted=True)]

    assert right("official") == [1, 1, 1, 1, 1, 1]
    assert right("lmms_eval") == [1, 1, 0, 0, 1, 1]
    assert right("vlmevalkit") == [1, 1, 1, 0, 0, 1]


def test_an_authors_file_with_precisions_as_floats_is_scored_as_with_integers(tmp_path: Path, samples: list[Sample]) -> None:
    floats = {each["pid"]: each | {"precision": each["precision"] and float(each["precision"])} for each in QUESTIONS}
    (tmp_path / "testmini.json").write_text(json.dumps(floats))
    assert [sample.fields for sample in read(tmp_path)[1]] == [sample.fields for sample in samples]


def test_a_question_counts_for_each_of_its_skills(samples: list[Sample]) -> None:
    rows = score(samples, {sample.id: MATHVISTA.ideal(sample) for sample in samples})
    got = {each.name: each.n for each in aggregate(Rows.of(rows), MATHVISTA.conventions["official"].metrics)}
    assert got["skills/arithmetic reasoning"] == 6 and got["skills/logical reasoning"] == 3
    assert got["answer_type/float"] == 2 and got["accuracy"] == 6


def test_without_a_precision_decimals_become_integers_as_in_the_official_scorer(samples: list[Sample]) -> None:
    sample = replace(samples[2], fields={"unit": "", "precision": None})
    official = MATHVISTA.conventions["official"]
    assert score_reply(official, sample, "1.2").parsed == Parsed("1")
    assert "with two decimal places" in MATHVISTA.prompt(sample)
