"""Relaxed accuracy against the reference implementation's measured outputs (ChartQA)."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import number
from harness.metrics.number import relaxed_accuracy

GOLDEN = Path(__file__).parents[2] / "golden" / "scoring" / "chartqa.json"


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(number).failed == 0


@pytest.mark.parametrize("split", ["human", "augmented"])
def test_accuracy_equals_the_reference_implementation(split: str) -> None:
    file = json.loads(GOLDEN.read_text(encoding="utf-8"))
    rows = zip(file["data"][f"test_{split}.json"], file["predictions"][split], file["expected"]["per_item"][split], strict=True)
    for record, reply, expected in rows:
        assert relaxed_accuracy(reply, [record["label"]]) == expected, (record["label"], reply)


@given(st.floats(0.01, 1e6), st.floats(-0.049, 0.049))
def test_five_percent_off_is_right(value: float, off: float) -> None:
    assert relaxed_accuracy(repr(value * (1 + off)), [repr(value)]) == 1.0


@given(st.floats(0.01, 1e6), st.floats(0.051, 10))
def test_more_than_five_percent_off_is_wrong(value: float, off: float) -> None:
    assert (
        relaxed_accuracy(repr(value * (1 + off)), [repr(value)]) == relaxed_accuracy(repr(value * (1 - off)), [repr(value)]) == 0
    )


@given(st.text(max_size=10), st.lists(st.text(max_size=10), max_size=3))
def test_any_text_scores_0_or_1(prediction: str, references: list[str]) -> None:
    assert relaxed_accuracy(prediction, references) in (0.0, 1.0)


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        *[("95", "100", 1), ("94.9", "100", 0), ("5%", "0.05", 1), ("5%%", "0.05", 1), ("%", "%", 1), ("nan", "nan", 0)],
        *[("inf", "1", 0), ("0", "0", 1), ("0.0", "0", 0), ("1e2", "100", 1), ("-5", "-5.2", 1), ("5", "-5", 0), ("two", "2", 0)],
        *[(" 5 ", "5", 1), ("red ", "red", 0)],
    ],
)
def test_by_example(prediction: str, reference: str, expected: int) -> None:
    assert relaxed_accuracy(prediction, [reference]) == expected


def test_the_best_of_several_references_counts() -> None:
    assert relaxed_accuracy("5", ["red", "5"]) == 1.0
    assert relaxed_accuracy("5", []) == 0.0
