"""Letters in fixed forms: what each scorer reads, and that the letter of an option that is not there is never read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsers.letter import letter_before_period, letter_or_lettered, letter_or_sentence, letter_up_to_period
from harness.types import Sample

THREE = Sample(id="1", options=("gold", "iron", "water"))
RULES = (letter_or_sentence, letter_or_lettered, letter_before_period, letter_up_to_period)


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("B", ("B", "B", "B", "B")),
        ("b", (None, "B", "B", None)),
        ("B ", (None, "B", "B", None)),
        ("B.", (None, "B", "B", "B")),
        ("B. iron", ("B", "B", "B", "B")),
        ("B.iron", (None, "B", "B", "B")),
        (" B. iron", (None, "B", "B", None)),
        ("(B)", (None, None, "B", None)),
        ("The answer is B.", ("B", None, None, None)),
        ("The answer is B", (None, None, None, None)),
        ("The answer is B\n", (None, None, None, None)),
        ("The answer is B. The answer is B.", (None, None, None, None)),
        ("D", (None, None, None, "D")),
        ("", (None, None, None, None)),
    ],
)
def test_each_rule_reads_its_forms(reply: str, read: tuple[str | None, ...]) -> None:
    assert tuple(rule(reply, THREE).answer for rule in RULES) == read


@given(st.text(alphabet="ABCDEabcde.( )Theanswris\n", max_size=30))
def test_what_is_read_is_a_letter_and_what_is_not_has_a_reason(reply: str) -> None:
    for rule in RULES:
        parsed = rule(reply, THREE)
        assert parsed.answer in (None, *"ABC") or (rule is letter_up_to_period and parsed.answer in "DE")
        assert (parsed.answer is None) == parsed.unparsed
