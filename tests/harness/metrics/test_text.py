"""ANLS in its two readings; the official scorer's own cases are in ``tests/golden``."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import text
from harness.metrics.text import anls, due_anls

WORDS = st.text(alphabet="abAB ß\n%.", max_size=8)
REFERENCES = st.lists(WORDS, min_size=1, max_size=4)


def distance(a: str, b: str) -> int:
    """The textbook table, against which the library's distance is checked."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i, *row[1:]] if not b else _next_row(row, i, x, b)
    return row[-1]


def _next_row(row: list[int], i: int, x: str, b: str) -> list[int]:
    new = [i]
    for j, y in enumerate(b, start=1):
        new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
    return new


def organisers(prediction: str, references: list[str]) -> float:
    values = []
    for reference in references:
        a, b = " ".join(reference.strip().lower().split()), " ".join(prediction.strip().lower().split())
        longest = max(len(reference.upper()), len(prediction.upper()))
        values.append(distance(a, b) / longest if longest else 0.0)
    best = 1 - min(values)
    return 0.0 if best < 0.5 else best


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(text).failed == 0


@given(WORDS, REFERENCES)
def test_anls_equals_the_organisers_formula(prediction: str, references: list[str]) -> None:
    assert anls(prediction, references) == pytest.approx(organisers(prediction, references), abs=1e-12)


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=4))
def test_scores_lie_between_0_and_1_and_ignore_the_order_of_references(prediction: str, references: list[str]) -> None:
    for measure in (anls, due_anls):
        score = measure(prediction, references)
        assert score == 0 or 0.5 <= score <= 1
        assert score == measure(prediction, references[::-1])


@given(WORDS, REFERENCES, WORDS)
def test_another_reference_never_lowers_a_score(prediction: str, references: list[str], other: str) -> None:
    for measure in (anls, due_anls):
        assert measure(prediction, [*references, other]) >= measure(prediction, references)


@given(st.text(max_size=20))
def test_a_text_matches_itself(prediction: str) -> None:
    assert anls(prediction, [prediction]) == due_anls(prediction, [prediction]) == 1.0


def test_one_half_is_kept_by_the_organisers_and_dropped_by_due() -> None:
    assert (anls("abxx", ["abcd"]), due_anls("abxx", ["abcd"])) == (0.5, 0.0)


def test_padding_raises_a_score_of_the_organisers() -> None:
    assert anls("abcx  ", ["abcd"]) > anls("abcx", ["abcd"])


def test_nothing_matches_without_references() -> None:
    assert anls("a", []) == due_anls("a", []) == 0.0


def test_the_threshold_can_be_moved() -> None:
    assert anls("axxx", ["abcd"], threshold=0.25) == 0.25
    assert due_anls("abcx", ["abcd"], threshold=0.2) == 0.0


def test_the_sharp_s_tells_upper_from_lower_case() -> None:
    assert due_anls("STRASSE", ["Straße"]) == 1.0
    assert due_anls("STRASSE", ["Straße"], fold=str.lower) < 1.0
