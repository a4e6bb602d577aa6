"""The three baselines: constant, chance and oracle, and how the oracle makes a wrong reply."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.types import Generation, Request, Text
from models.chance import Chance
from models.constant import Constant
from models.oracle import Oracle, corrupt
from models.seeding import unit_of


def request(key: str, ideal: str | None = None, choices: tuple[str, ...] = ()) -> Request:
    return Request(key=key, sample_id=key, parts=(Text("?"),), generation=Generation(), choices=choices, ideal=ideal)


def test_constant_repeats_its_reply() -> None:
    replies = list(Constant("no").generate(request(str(i)) for i in range(3)))
    assert [(reply.key, reply.text) for reply in replies] == [("0", "no"), ("1", "no"), ("2", "no")]


def test_chance_is_near_uniform_and_leaves_open_questions_empty() -> None:
    choices = ("A", "B", "C", "D")
    texts = [reply.text for reply in Chance().generate(request(str(i), choices=choices) for i in range(2000))]
    for choice in choices:
        assert 420 < texts.count(choice) < 580
    assert next(Chance().generate([request("x")])).text == ""


def test_oracle_is_right_about_as_often_as_asked() -> None:
    texts = [reply.text for reply in Oracle(0.8).generate(request(str(i), ideal="42") for i in range(2000))]
    assert 1530 < texts.count("42") < 1670


def test_oracle_of_full_accuracy_is_always_right_and_of_none_never() -> None:
    requests = [request(str(i), ideal="Yes") for i in range(200)]
    assert {reply.text for reply in Oracle(1.0).generate(requests)} == {"Yes"}
    assert {reply.text for reply in Oracle(0.0).generate(requests)} == {"No"}


def test_oracle_without_an_ideal_reply_is_a_failure() -> None:
    reply = next(Oracle().generate([request("s1")]))
    assert reply.failure is not None
    assert "s1" in reply.failure.message


def test_oracle_refuses_an_accuracy_above_one() -> None:
    with pytest.raises(ConfigError, match=r"accuracy=80"):
        Oracle(80)


@pytest.mark.parametrize(
    ("text", "choices", "wrong"),
    [
        ("Yes", ("Yes", "No"), "No"),
        ("yes", (), "no"),
        ("NO, it is red.", (), "YES, it is red."),
        ("no", ("Yes", "No"), "Yes"),
        ("C", ("A", "B", "C"), "A"),
        ("(B) red", ("A", "B", "C"), "C"),
        ("A. a dog", ("A", "B"), "B"),
        ("left", ("left", "right"), "right"),
        ("42", (), "86"),
        ("-3.5%", (), "-7.9%"),
        ("12/05/2021", (), "56/59/6565"),
        ("[0.10,0.20,0.30,0.60]", (), "[0.30,0.60,0.50,1.00]"),
        ("<p>dog</p>[1, 2, 3, 4]", (), "<p>dog</p>[3,4,5,6]"),
        ("a red dog", (), "unknown"),
        ("unknown", (), "nothing"),
        ("nobody", (), "unknown"),
        ("only", ("only",), "unknown"),
    ],
)
def test_wrong_reply_has_the_form_of_the_right_one(text: str, choices: tuple[str, ...], wrong: str) -> None:
    assert corrupt(text, choices) == wrong


@given(st.one_of(st.text(max_size=30), st.integers().map(str), st.floats(0.001, 1e6).map(lambda x: f"{x:.3f}")))
def test_corrupting_always_changes_the_reply(text: str) -> None:
    assert corrupt(text) != text


@given(st.integers(1, 10**9))
def test_a_corrupted_number_is_off_by_more_than_a_tenth(number: int) -> None:
    wrong = corrupt(str(number))
    assert re.fullmatch(r"\d+", wrong)
    assert abs(int(wrong) - number) > 0.1 * number


@given(st.lists(st.integers(0, 100), min_size=4, max_size=4))
def test_a_corrupted_box_does_not_overlap_the_right_one(corners: list[int]) -> None:
    x1, x2 = sorted((corners[0] / 100, corners[1] / 100 + 0.01))
    y1, y2 = sorted((corners[2] / 100, corners[3] / 100 + 0.01))
    wrong = corrupt(f"[{x1:.2f},{y1:.2f},{x2:.2f},{y2:.2f}]")
    left, top = (float(value) for value in wrong.strip("[]").split(",")[:2])
    assert left >= round(x2, 2)
    assert top >= round(y2, 2)


def test_fingerprints_follow_what_an_answer_depends_on() -> None:
    prints = {
        model.fingerprint for model in (Constant(), Constant("no"), Chance(), Chance(1), Oracle(), Oracle(0.7), Oracle(seed=1))
    }
    assert len(prints) == 7
    assert Constant(name="other").fingerprint == Constant().fingerprint


@given(st.text(), st.integers())
def test_draws_lie_in_the_unit_interval_and_repeat(text: str, number: int) -> None:
    assert 0.0 <= unit_of(text, number) < 1.0
    assert unit_of(text, number) == unit_of(text, number)
