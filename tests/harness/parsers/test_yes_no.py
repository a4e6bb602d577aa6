from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsers.yes_no import (
    first_four_characters,
    first_four_stripped,
    negation_or_yes,
    only_one_of_both,
    whole_reply,
    without_punctuation,
)
from harness.types import Parsed

RULES = (negation_or_yes, first_four_characters, first_four_stripped, only_one_of_both, whole_reply)

# reply: POPE, MME, lmms-eval for MME, VLMEvalKit, lmms-eval for POPE
READINGS = {
    "Yes": ("yes", "yes", "yes", "yes", "yes"),
    "no": ("no", "no", "no", "no", "no"),
    "Yes.": ("yes", "yes", "yes", "yes", None),
    "NO": ("yes", "no", "no", "no", "no"),
    "Nope": ("yes", "no", "no", None, None),
    "No,it is not, indeed": ("no", "no", "no", None, None),
    "Yes, no doubt": ("no", "yes", "yes", None, None),
    "Yes. No": ("yes", "yes", "yes", None, None),
    "Not really": ("yes", "no", "no", None, None),
    "It is not there.": ("no", None, None, None, None),
    "It is noon.": ("yes", None, None, None, None),
    "noon": ("yes", "no", "no", None, None),
    "I know": ("yes", None, None, None, None),
    "  yes": ("yes", None, "yes", "yes", "yes"),
    "\nno": ("yes", "no", "no", "no", "no"),
    "y": ("yes", None, "yes", None, None),
    "n": ("yes", None, "no", None, None),
    "": ("yes", None, None, None, None),
    "是的": ("yes", None, None, None, None),
    "There is a zebra.": ("yes", None, None, None, None),
}


@pytest.mark.parametrize("reply", READINGS)
def test_each_rule_reads_as_its_scorer_does(reply: str) -> None:
    assert tuple(rule(reply).answer for rule in RULES) == READINGS[reply]


@pytest.mark.parametrize("reply", ["", "There is a zebra.", "I cannot say.", "NO", "是的"])
def test_popes_assumed_yes_is_scored_but_counted_as_unparsed(reply: str) -> None:
    parsed = negation_or_yes(reply)
    assert parsed.answer == "yes" and parsed.unparsed


@pytest.mark.parametrize("reply", ["Yes", "YES!", "oh yes", "no", "There is not"])
def test_a_said_word_is_not_an_assumption(reply: str) -> None:
    assert not negation_or_yes(reply).unparsed


def test_lower_case_may_lengthen_the_prefix() -> None:
    assert first_four_characters("İyes").answer is None  # lower-cased, the first letter is two characters


def test_the_reason_tells_both_words_from_neither() -> None:
    assert only_one_of_both("yes or no").reason == "both yes and no"
    assert only_one_of_both("maybe").reason == "neither yes nor no"


def test_punctuation_vanishes_beside_blanks_and_becomes_a_blank_elsewhere() -> None:
    assert without_punctuation("a-b") == "a b"
    assert without_punctuation("a- b-c") == "a bc"
    assert without_punctuation("1,000 a-b") == "1000 ab"
    assert without_punctuation("1.5 and end.") == "1.5 and end"


def test_only_the_first_32_periods_vanish_as_in_the_original() -> None:
    assert without_punctuation("." * 40) == "." * 8
    assert without_punctuation("1. 2. no.") == "1. 2. no"
    assert only_one_of_both("1. " * 40 + "yes.") == Parsed("yes")


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_read_or_has_a_reason(reply: str) -> None:
    for rule in RULES:
        parsed = rule(reply)
        assert parsed.answer in ("yes", "no", None)
        assert parsed.answer is not None or parsed.reason
        assert rule(reply) == parsed


@given(st.text("yesno ,.-!?N\n", max_size=40))
def test_surrounding_blanks_do_not_matter_to_the_rules_that_strip(reply: str) -> None:
    for rule in (first_four_stripped, whole_reply):
        assert rule(f"  {reply}\n") == rule(reply.strip())


@pytest.mark.parametrize("unit", ["yes no ", "a", "\0\x1b[31m", "，no。", "no,", "...", "- ", "1,0"])
def test_a_reply_of_a_megabyte_is_read(unit: str) -> None:
    for rule in RULES:
        rule(unit * (1_000_000 // len(unit)))
