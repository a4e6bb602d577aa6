"""Short visual questions: odd replies harm no convention, and the conventions part where their cards say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog import find_task
from harness.cli import main
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Sample

TASKS = ("okvqa", "vqav2", "vizwiz", "textvqa", "gqa", "scienceqa", "iconqa", "ocrvqa", "ai2d")
OPTIONS = ("a cat", "A dog.", "B", "3")
SAMPLE = Sample(
    id="1",
    question="Which one?",
    options=OPTIONS,
    references=("B",),
    groups={"answerable": "yes", "kind": "open", "global": "animal", "task": "choose_txt", "skill": "counting"},
    fields={"hint": "", "context": "N/A"},
)
PEOPLE = Sample(id="1", references=("two",) * 7 + ("The 2", "2,000", ""), groups={"answerable": "no", "answer_type": "other"})
PIECES = st.sampled_from(
    (
        *("", " ", "\n", "A", "b", "(B)", "B.", "B. a cat", "The answer is B", "The answer is B.", "1,000", ",", ".", "'", "٣,٣"),
        *(
            "３",
            "İ",
            "ß",
            "the",
            "None",
            "dont",
            "-",
            "\0",
            "\ud800",
            "é",
            "答案是B",
            "unanswerable",
            "0",
            "1e999",
            "nan",
            "[1, 2]",
        ),
        *("{}", "\\", "\t"),
    )
)
ODD = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join), st.lists(PIECES, max_size=8).map(" ".join))


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=60, deadline=None)
@given(reply=ODD)
def test_odd_replies_are_scored_between_0_and_1_by_every_convention(name: str, reply: str) -> None:
    for convention in find_task(name).conventions.values():
        for sample in (SAMPLE, PEOPLE) if name in ("okvqa", "vqav2", "vizwiz", "textvqa") else (SAMPLE,):
            parsed = convention.parse(reply, sample)
            scores = convention.score(parsed, sample)
            assert all(0 <= value <= 1 for value in scores.values())
            assert parsed.answer is not None or next(iter(scores.values())) == 0


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("piece", ["B. ", "1,", "The answer is A", "a ", ". ", "-", "(", "'s ", "٣,", " ", "\n", "A"])
def test_a_reply_ten_times_as_long_takes_about_ten_times_as_long(name: str, piece: str) -> None:
    def seconds(length: int) -> float:
        reply = (piece * length)[:length]
        start = time.process_time()
        for convention in find_task(name).conventions.values():
            score_reply(convention, PEOPLE if name in ("okvqa", "vqav2", "vizwiz", "textvqa") else SAMPLE, reply)
        return time.process_time() - start

    seconds(100)
    assert seconds(100_000) < 40 * seconds(10_000) + 0.2


@pytest.mark.parametrize("name", TASKS)
def test_a_missing_or_failed_reply_is_wrong_in_every_metric(name: str) -> None:
    for convention in find_task(name).conventions.values():
        sample = PEOPLE if name in ("okvqa", "vqav2", "vizwiz", "textvqa") else SAMPLE
        rows = [score_reply(convention, sample, None, missing=True), score_reply(convention, sample, "B", failed="media: gone")]
        got = {one.name: one for one in aggregate(Rows.of(rows), convention.metrics)}
        assert (got[convention.primary].value, got[convention.primary].n) == (0.0, 2)


def by(task: str, reply: str, *references: str, options: tuple[str, ...] = ()) -> dict[str, float]:
    found = find_task(task)
    sample = Sample(id="1", references=references, options=options, groups={"answerable": "yes", "global": ""})
    return {name: next(iter(score_reply(one, sample, reply).scores.values())) for name, one in found.conventions.items()}


def test_unanimous_people_are_taken_at_their_word_by_the_official_scorer_only() -> None:
    same = {"strict": 1.0, "paper": 1.0, "vlmevalkit": 1.0, "lmms_eval": 1.0}
    assert by("okvqa", "Yes.", *["yes"] * 10) == {"official": 0.0, **same}
    assert by("vqav2", "The bus", *["the bus"] * 10) == {"official": 0.0, **same, "paper": 0.0}


def test_a_number_with_a_final_period_is_wrong_in_vlmevalkit_only() -> None:
    assert {name for name, score in by("textvqa", "5.", *["5"] * 10).items() if score == 0} == {"vlmevalkit"}


def test_what_people_say_is_compared_raw_in_vizwiz() -> None:
    got = by("vizwiz", "Two t-shirts", *["two t-shirts"] * 10)
    assert (got["official"], got["strict"], got["lmms_eval"], got["paper"]) == (0.0, 1.0, 1.0, 0.0)
    assert by("vizwiz", "basil", *["basil"] * 10)["paper_without_ids"] == 0.0


def test_gqa_is_to_the_letter_and_its_readings_forgive_more_and_more() -> None:
    right = {
        name: [reply for reply in ("yes", "Yes", "yes.", " yes", "y-es", "y.es") if by("gqa", reply, "yes")[name]]
        for name in by("gqa", "", "")
    }
    assert right == {
        "official": ["yes"],
        "llava": ["yes", "Yes", "yes."],
        "vlmevalkit": ["yes", "Yes", " yes"],
        "paper": ["yes", "Yes", "yes.", " yes", "y.es"],
        "lmms_eval": ["yes", "Yes", "yes.", " yes", "y-es", "y.es"],
    }


LETTERS = ("B", "b", "B.", " B", "(B)", "B. a dog", "The answer is B", "The answer is B.", "a dog", "E")


@pytest.mark.parametrize(
    ("task", "convention", "read"),
    [
        ("scienceqa", "official", ("B", "B. a dog", "The answer is B.")),
        ("scienceqa", "paper", ("B", "B.", "B. a dog")),
        ("scienceqa", "lmms_eval", ("B", "b", "B.", " B", "B. a dog")),
        ("ai2d", "lmms_eval", ("B", "b", "B.", " B", "(B)", "B. a dog")),
        ("ai2d", "paper", ("a dog",)),
        ("ai2d", "official", ("B", "B.", " B", "(B)", "B. a dog", "The answer is B", "The answer is B.", "a dog")),
    ],
)
def test_letters_are_read_in_the_forms_that_each_scorer_accepts(task: str, convention: str, read: tuple[str, ...]) -> None:
    options = ("a cat", "a dog", "a fox")
    assert tuple(reply for reply in LETTERS if by(task, reply, "B", options=options)[convention]) == read


def test_iconqa_compares_places_and_reads_letters_by_its_strict_convention() -> None:
    options = ("two cats", "one cat", "3")
    right = {
        name: [r for r in ("1", "B", "one cat", "(1)", "1.0") if by("iconqa", r, "1", options=options)[name]]
        for name in ("official", "strict")
    }
    assert right == {"official": ["1"], "strict": ["1", "B", "one cat", "(1)"]}
    assert by("iconqa", " Ten", "ten") == {"official": 0.0, "strict": 1.0}
    assert by("iconqa", "3", "2", options=options)["strict"] == 1.0, "the text of an option goes before its place"


def test_every_task_runs_from_its_files_to_its_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=nano", "suite=vqa_mini", "mini.n=2", *places, "output=json"]) == 0
    import json

    results = json.loads(capsys.readouterr().out)
    text = json.dumps(results)
    assert all(f"{name}@mini" in text for name in TASKS)
