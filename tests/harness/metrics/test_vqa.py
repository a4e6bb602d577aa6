"""VQA accuracy against the official scorers' measured outputs (VQAv2, OK-VQA, TextVQA, VizWiz) and a plain rewriting of them."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import vqa
from harness.metrics.vqa import normalise, textvqa_accuracy, vizwiz_accuracy, vqa_accuracy

SCORING = Path(__file__).parents[2] / "golden" / "scoring"
ANSWER = st.text(alphabet="aAn 15,.-'?to\n", max_size=10)


def golden(name: str) -> Any:
    return json.loads((SCORING / f"{name}.json").read_text(encoding="utf-8"))


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(vqa).failed == 0


@pytest.mark.parametrize("name", ["vqav2", "okvqa"])
def test_accuracy_equals_the_official_one(name: str) -> None:
    file = golden(name)
    said = {entry["question_id"]: entry["answer"] for entry in file["predictions"]}
    for item in file["data"]["annotations"]["annotations"]:
        score = vqa_accuracy(said[item["question_id"]], [answer["answer"] for answer in item["answers"]])
        assert round(100 * score, 2) == file["expected"]["per_item"][str(item["question_id"])], item


def test_textvqa_accuracy_equals_the_official_one() -> None:
    file = golden("textvqa")
    said = {entry["question_id"]: entry["answer"] for entry in file["predictions"]}
    for item in file["data"]["data"]:
        expected = file["expected"]["per_item"][str(item["question_id"])]
        assert textvqa_accuracy(said[item["question_id"]], item["answers"]) == pytest.approx(expected, abs=1e-9), item


def test_vizwiz_accuracy_equals_the_official_one() -> None:
    file = golden("vizwiz")
    said = {entry["image"]: entry["answer"] for entry in file["predictions"]}
    for item in file["data"]:
        score = vizwiz_accuracy(said[item["image"]], [answer["answer"] for answer in item["answers"]])
        assert round(100 * score, 2) == file["expected"]["per_item"][item["image"]], item


def plainly(text: str) -> str:
    """The official steps, one after the other."""
    out = text
    for mark in [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!"]:
        if mark + " " in text or " " + mark in text or re.search(r"(\d)(\,)(\d)", text):
            out = out.replace(mark, "")
        else:
            out = out.replace(mark, " ")
    out = re.sub(r"(?!<=\d)(\.)(?!\d)", "", out, count=32)
    numbers = {"none": "0", "zero": "0", "one": "1", "two": "2", "ten": "10"}
    return " ".join(numbers.get(word, word) for word in out.lower().split() if word not in ("a", "an", "the"))


@given(st.text(alphabet="aAt 15,.-?;!on", max_size=14))
def test_normalisation_equals_the_official_steps(text: str) -> None:
    assert normalise(text) == plainly(text)


@given(st.integers(0, 10), st.integers(1, 10))
def test_the_closed_form_equals_leaving_one_out(matches: int, n: int) -> None:
    matches = min(matches, n)
    answers = ["x"] * matches + [f"y{i}" for i in range(n - matches)]
    one_by_one = [min(1, sum(a == "x" for j, a in enumerate(answers) if j != i) / 3) for i in range(n)]
    assert textvqa_accuracy("x", answers) == pytest.approx(sum(one_by_one) / n)


@given(ANSWER, st.lists(ANSWER, min_size=10, max_size=10))
def test_accuracies_lie_between_0_and_1_and_ignore_the_order_of_references(answer: str, references: list[str]) -> None:
    for measure in (vqa_accuracy, textvqa_accuracy, vizwiz_accuracy):
        assert 0 <= measure(answer, references) <= 1
        assert measure(answer, references) == pytest.approx(measure(answer, references[::-1]))


def test_unanimous_references_are_compared_as_they_are() -> None:
    assert vqa_accuracy("The bus", ["bus"] * 10) == 0.0
    assert vqa_accuracy("The bus", ["bus"] * 9 + ["car"]) == 1.0


def test_an_article_is_an_empty_answer() -> None:
    assert vqa_accuracy("", ["a"] * 9 + ["b"]) == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("yall'd've", "y'all'd've"),
        ("'ows'at", "'ow's'at"),
        ("somebody'd", "somebodyd"),
        ("Im", "im"),
        ("cant", "can't"),
        ("5.", "5"),
        (".5", ".5"),
        ("1,000 red-white", "1000 redwhite"),
        ("a - b", "b"),
        ("." * 40, "." * 8),
    ],
)
def test_normalisation_by_example(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_the_table_of_contractions_is_complete() -> None:
    assert len(vqa._CONTRACTIONS) == 114  # 120 in the official table, less four in capitals and two that map to themselves


def test_nothing_matches_without_references() -> None:
    assert vqa_accuracy("a", []) == textvqa_accuracy("a", []) == vizwiz_accuracy("a", []) == 0.0
