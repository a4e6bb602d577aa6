from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsers.choice import (
    NEEDS_JUDGE,
    REFUSED,
    letter_alone,
    letter_among,
    letter_forms_then_text,
    letter_then_text,
    nearest_option,
)
from harness.types import Parsed, Sample

ANIMALS = ("dog", "cat", "bird", "fish")
PARSERS = (letter_then_text, letter_forms_then_text)


def asked(*options: str) -> Sample:
    return Sample(id="1", options=options)


class TestLetterThenText:
    @pytest.mark.parametrize(
        ("reply", "letter"),
        [
            ("B", "B"),
            ("(B)", "B"),
            ("**B**", "B"),
            ("B. cat", "B"),
            ("Option B", "B"),
            ("The answer is B", "B"),
            ("I choose option A", "A"),
            ("the bird", "C"),
            ("A cat", "A"),
            ("The answer is a cat.", "A"),
            ("The answer is dog", "D"),
            ("The answer is because of cat", "B"),
        ],
    )
    def test_reads_as_vlmevalkit_does_even_where_that_is_wrong(self, reply: str, letter: str) -> None:
        parsed = letter_then_text(reply, asked(*ANIMALS))
        assert (parsed.answer, parsed.reason) == (letter, None)

    @pytest.mark.parametrize(
        "reply",
        [
            "",
            "b",
            "（B）",
            "A and B",
            "cat or dog",
            "Failed to obtain answer via API",
            "Option B is right because the animal in the image is a cat",
        ],
    )
    def test_what_a_judge_would_be_asked_is_marked(self, reply: str) -> None:
        parsed = letter_then_text(reply, asked(*ANIMALS))
        assert parsed.answer is None and parsed.reason is not None and parsed.reason.startswith(NEEDS_JUDGE)

    @pytest.mark.parametrize("reply", ["Z", "Cannot determine the answer", "B? I can't process this file."])
    def test_a_refusal_is_an_answer_that_counts_as_unparsed(self, reply: str) -> None:
        parsed = letter_then_text(reply, asked(*ANIMALS))
        assert parsed.answer == REFUSED and parsed.unparsed

    def test_a_letter_counts_among_the_last_four_tokens(self) -> None:
        assert letter_among("B one two three", ANIMALS).answer == "B"
        assert letter_among("B one two three four", ANIMALS).answer is None

    def test_letters_beyond_the_options_are_none(self) -> None:
        assert letter_among("C", ("dog", "cat")).answer is None
        assert letter_among("the answer is C", ("dog", "cat")).answer is None

    def test_long_replies_are_not_searched_for_the_option(self) -> None:
        assert letter_among("it is a cat", ("dog", "cat")).answer == "B"
        assert letter_among("it is a cat, surely", ("dog", "cat")).answer is None
        assert letter_among("it's a cat I", ("dog", "cat")).answer == "B"
        assert letter_among("it's a cat İ", ("dog", "cat")).answer is None  # 12 characters, 13 in lower case


class TestLetterForms:
    @pytest.mark.parametrize(
        ("reply", "letter"),
        [
            ("B", "B"),
            ("(B)", "B"),
            ("(B).", "B"),
            ("B.", "B"),
            (":B,", "B"),
            ("The answer is B", "B"),
            ("The answer is E", "E"),
            ("The answer is A: dog", "A"),
            ("It shows a fish in the river of the mountain valley", "D"),
        ],
    )
    def test_reads_as_lmms_eval_does(self, reply: str, letter: str) -> None:
        assert letter_forms_then_text(reply, asked(*ANIMALS)) == Parsed(letter)

    @pytest.mark.parametrize(
        ("reply", "letter"),
        [
            ("The answer is A", "A"),
            ("**B**", "B"),
            ("(A) or (B)", "B"),
            ("cat or dog", None),
            ("Failed to obtain answer via API", "A"),
            ("The answer is **B**, because *C* is", "C"),
            ("ANSWER", "A"),
            ("A man. The best option is *C*", "A"),
            ("1) A) 2) B)", "B"),
            ("I pick the Big one", "B"),
            ("选*C*", "C"),
            ('"D".', "D"),
            ("b", None),
            ("", None),
            (" .,", None),
        ],
    )
    def test_what_is_left_over_is_the_likeliest_letter_and_unparsed(self, reply: str, letter: str | None) -> None:
        parsed = letter_forms_then_text(reply, asked(*ANIMALS))
        assert parsed.unparsed and parsed.answer == letter


def test_a_letter_alone_is_nothing_but_the_letter_of_an_option() -> None:
    assert letter_alone("B", asked("dog", "cat")) == Parsed("B")
    for reply in ("b", "B.", " B", "C", "cat", ""):
        assert letter_alone(reply, asked("dog", "cat")).answer is None
    assert letter_alone("b", asked("", "cat")).answer is None


def test_an_option_without_text_is_in_no_reply() -> None:
    assert letter_among("E", ("", "cat")).answer is None
    assert letter_among("cat", ("", "cat")).answer == "B"


class TestNearestOption:
    @pytest.mark.parametrize(
        ("text", "option", "assumed"),
        [
            ("(B) not (C)", "cat", False),
            ("(b)", "cat", False),
            ("B", "cat", False),
            (" B ", "cat", False),
            ("bird", "bird", False),
            ("B.", "dog", True),
            ("birds", "bird", True),
            ("", "dog", True),
            ("(Z)", "dog", True),
            ("I cannot answer that", "cat", True),
        ],
    )
    def test_brackets_then_letter_then_edit_distance(self, text: str, option: str, assumed: bool) -> None:
        parsed = nearest_option(text, ANIMALS)
        assert parsed.answer == option and parsed.unparsed == assumed

    def test_without_options_there_is_no_answer(self) -> None:
        assert nearest_option("A", ()).answer is None

    def test_the_first_of_equals_wins(self) -> None:
        assert nearest_option("zzz", ("abc", "def")).answer == "abc"


anything = st.text(st.characters(), max_size=200)
named = st.text("ABCDEZ .()*:,answer is dogcatb\n", max_size=40)


@given(anything | named, st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), max_size=6))
def test_any_text_is_read_or_has_a_reason(reply: str, options: list[str]) -> None:
    for parse in PARSERS:
        parsed = parse(reply, asked(*options))
        assert parsed.answer is None or (len(parsed.answer) == 1 and parsed.answer in "ABCDEFZ")
        assert parsed.answer is not None or parsed.reason
    nearest = nearest_option(reply, options)
    assert nearest.answer in options if options else nearest.answer is None


@given(st.sampled_from("ABCD"))
def test_a_letter_is_read_as_itself_and_its_text_as_the_letter(letter: str) -> None:
    for parse in PARSERS:
        assert parse(letter, asked(*ANIMALS)).answer == letter
        assert parse(ANIMALS["ABCD".index(letter)], asked(*ANIMALS)).answer == letter


@pytest.mark.parametrize("unit", ["A ", "answer is ", "correct answer ", "answer" + " " * 50, "(A", "*", "\0", "cat ", "\x1b[2J"])
def test_a_reply_of_a_megabyte_is_read(unit: str) -> None:
    reply = unit * (1_000_000 // len(unit))
    for parse in PARSERS:
        parse(reply, asked(*ANIMALS))
    nearest_option(reply, ANIMALS)
