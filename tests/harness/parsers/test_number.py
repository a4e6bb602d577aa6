from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsers.number import (
    bare_float,
    bare_integer,
    bare_number,
    quoted_answer,
    rounded_float,
    truncated_integer,
    without_judge,
)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ('The answer is "12".', "12"),
        ('So: The answer is "12". Done.', "12"),
        ('The answer is "a". The answer is "b".', 'a". The answer is "b'),
        ('The answer is "12', None),
        ('The answer is 12.\nThe answer is "13".', "13"),
        ('The answer is "12"\n.', None),
        ('The answer is "".', ""),
        ('the answer is "12".', None),
        ("", None),
    ],
)
def test_quoted_answer(reply: str, answer: str | None) -> None:
    assert quoted_answer(reply) == answer


@given(st.lists(st.sampled_from(['The answer is "', '".', "x", "\n", '"', "."]), max_size=12).map("".join))
def test_quoted_answer_is_that_of_the_official_pattern(reply: str) -> None:
    match = re.search(r'The answer is "(.*)"\.', reply)
    assert quoted_answer(reply) == (match.group(1) if match else None)


def test_quoted_answer_takes_linear_time_on_hostile_replies() -> None:
    assert quoted_answer('The answer is "' * 200_000) is None  # the pattern itself would take hours


@pytest.mark.parametrize(
    ("reply", "integer", "decimal"),
    [
        ("29", "29", "29.0"),
        (" 029 ", "29", "29.0"),
        ("-3", "-3", "-3.0"),
        ("25.10", None, "25.1"),
        ("1e1", None, "10.0"),
        ("25%", None, None),
        ("½", None, None),
        ("", None, None),
        ("inf", None, "inf"),
        ("9" * 5000, None, "inf"),
    ],
)
def test_bare_numbers(reply: str, integer: str | None, decimal: str | None) -> None:
    assert (bare_integer(reply), bare_float(reply)) == (integer, decimal)
    assert bare_number(reply, "integer") == integer and bare_number(reply, "float") == decimal
    assert bare_number(reply, "list") is None


@pytest.mark.parametrize(
    ("text", "answer"), [("12.9", "12"), ("-12.9", "-12"), ("1e1", "10"), ("18%", None), ("inf", None), ("nan", None), ("", None)]
)
def test_integers_are_cut_towards_zero(text: str, answer: str | None) -> None:
    parsed = truncated_integer(text)
    assert parsed.answer == answer and parsed.unparsed == (answer is None)


@pytest.mark.parametrize(
    ("text", "precision", "answer"),
    [
        ("24.24", 1, "24.2"),
        ("1.20", 2, "1.2"),
        ("2.675", 2, "2.67"),
        ("2.675", 2.0, None),
        ("7", 1, "7.0"),
        ("24.2", None, "24"),
        ("inf", None, None),
        ("nan", None, None),
        ("about 24.2", 1, None),
        ("", 1, None),
        ("nan", 1, "nan"),
    ],
)
def test_decimals_are_rounded_and_printed_as_python_does(text: str, precision: float | None, answer: str | None) -> None:
    parsed = rounded_float(text, precision)
    assert parsed.answer == answer and parsed.unparsed == (answer is None)


@pytest.mark.parametrize(
    ("reply", "kind", "quick", "extraction"),
    [
        ("", "integer", True, ""),
        ("cat", "text", True, "cat"),
        ("B", "text", True, None),
        ("29 ", "integer", True, "29"),
        ("29.0", "integer", True, None),
        ("29", "float", True, "29.0"),
        ('The answer is "B".', "text", True, "B"),
        ('The answer is "B".', "text", False, None),
        ("So it is 29", "integer", True, None),
    ],
)
def test_extraction_goes_as_far_as_the_rules_do(reply: str, kind: str, quick: bool, extraction: str | None) -> None:
    assert without_judge(reply, kind, ("dog", "cat"), quick) == extraction


@given(st.text(st.characters(), max_size=200), st.sampled_from(["integer", "float", "list", "text"]))
def test_any_text_is_read_or_left_to_the_judge(reply: str, kind: str) -> None:
    extraction = without_judge(reply, kind)
    assert extraction is None or isinstance(extraction, str)
    for parsed in (truncated_integer(reply), rounded_float(reply, 2)):
        assert (parsed.answer is None) == parsed.unparsed


@given(st.text("0123456789.-+e_ ", max_size=12))
def test_reading_a_number_twice_changes_nothing(reply: str) -> None:
    for read in (bare_integer, bare_float):
        once = read(reply)
        assert once is None or read(once) == once


@pytest.mark.parametrize("unit", ["1", " ", "\0", "9.", 'The answer is "'])
def test_a_reply_of_a_megabyte_is_read(unit: str) -> None:
    reply = unit * (1_000_000 // len(unit))
    for kind in ("integer", "float", "list"):
        without_judge(reply, kind)
    truncated_integer(reply)
    rounded_float(reply, 1)
