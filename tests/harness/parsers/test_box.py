"""Readers of boxes: by example, against the published patterns, and on hostile text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsers.box import NO_BOX, all_boxes, answer_box, bracketed_decimals, first_brackets, lenient_numbers
from harness.types import Parsed, Sample

SAMPLE = Sample(id="s")
BOXLIKE = st.text(alphabet="[]()0123456789.,- \n;+e", max_size=40)
NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"
BETWEEN = r"(?:\s*,\s*|\s+)"
PARSERS = (first_brackets, answer_box, bracketed_decimals, lenient_numbers, all_boxes)


def read_officially(reply: str) -> tuple[Any, ...]:
    """The authors' lines, but for the bare except."""
    found = re.findall(r"\[(.*?)\]", reply) or [reply.split("]")[0]]
    try:
        parts = found[0].split(",")
        return tuple(float(part) for part in parts) if len(parts) == 4 else NO_BOX
    except ValueError:
        return NO_BOX


@given(BOXLIKE)
def test_the_first_brackets_are_read_as_the_authors_read_them(reply: str) -> None:
    assert first_brackets(reply, SAMPLE).answer == pytest.approx(read_officially(reply), nan_ok=True)


@given(BOXLIKE)
def test_lenient_numbers_follow_vlmevalkits_patterns(reply: str) -> None:
    found = re.search(r"\[\s*" + BETWEEN.join([f"({NUMBER})"] * 4) + r"\s*\]", reply)
    numbers = found.groups() if found else re.findall(NUMBER, reply)[:4]
    expected = tuple(map(float, numbers)) if len(numbers) == 4 else NO_BOX
    assert lenient_numbers(reply, SAMPLE).answer == pytest.approx(expected, nan_ok=True)


@given(BOXLIKE)
def test_bracketed_decimals_follow_lmms_evals_pattern(reply: str) -> None:
    decimal = r"(-?\d+(?:\.\d+)?)"
    found = re.search(r"\[\s*" + r",\s*".join([decimal] * 4) + r"\s*\]", reply)
    assert bracketed_decimals(reply, SAMPLE).answer == (tuple(map(float, found.groups())) if found else NO_BOX)


@given(BOXLIKE)
def test_all_boxes_follow_lmms_evals_fallback(reply: str) -> None:
    decimal = r"(-?\d+(?:\.\d+)?)"
    pattern = r"\[?\s*" + r"\s*[,\s]\s*".join([decimal] * 4) + r"\s*\]?"
    parsed = all_boxes(reply, SAMPLE)
    if not _holds_json(reply):
        assert parsed.answer == tuple(tuple(map(float, found.groups())) for found in re.finditer(pattern, reply))


def _holds_json(reply: str) -> bool:
    text = reply.strip()
    spans = [text, *(text[text.find(a) : text.rfind(b) + 1] for a, b in ("[]", "{}"))]
    for span in spans:
        try:
            json.loads(span)
        except ValueError:
            continue
        return True
    return False


@given(st.text(max_size=60))
def test_no_text_breaks_a_parser(reply: str) -> None:
    for parse in PARSERS:
        parsed = parse(reply, SAMPLE)
        assert isinstance(parsed, Parsed)
        assert parsed.reason is None or parsed.answer in (NO_BOX, ())


@pytest.mark.parametrize(
    "block",
    [
        "[",
        "1",
        " ",
        "1 ",
        "[1,",
        "[1 ",
        "(",
        "-",
        ".",
        "1.",
        "1e",
        '{"a":',
        "<answer>",
        "```",
        "[ ",
        "1,",
        "]",
        "\n",
        "[1,2,3,4,5]",
    ],
)
def test_a_megabyte_of_anything_is_read_in_linear_time(block: str) -> None:
    reply = block * (1_000_000 // len(block))
    for parse in PARSERS:  # quadratic work would take hours
        parse(reply, SAMPLE)


@pytest.mark.parametrize(
    ("reply", "box"),
    [
        ("[0.1,0.2,0.3,0.4]", (0.1, 0.2, 0.3, 0.4)),
        ("lamp[ .1, 2e-1, +0.3, 0.4 ] and more", (0.1, 0.2, 0.3, 0.4)),
        ("0.1, 0.2, 0.3, 0.4", (0.1, 0.2, 0.3, 0.4)),
        ("0.1,0.2,0.3,0.4] is it", (0.1, 0.2, 0.3, 0.4)),
        ('{"bbox_2d": [0.1, 0.2, 0.3, 0.4]}', (0.1, 0.2, 0.3, 0.4)),
    ],
)
def test_boxes_that_the_authors_read(reply: str, box: tuple[float, ...]) -> None:
    assert first_brackets(reply, SAMPLE) == Parsed(box)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "[]",
        "[0.1,0.2,0.3,0.4",
        "[1,2,3] [0.1,0.2,0.3,0.4]",
        "[[0.1,0.2,0.3,0.4]]",
        "(0.1,0.2,0.3,0.4)",
        "[1%,2%,3%,4%]",
        "[1,\n2,3,4]",
    ],
)
def test_boxes_that_the_authors_miss_are_unparsed_and_zero(reply: str) -> None:
    parsed = first_brackets(reply, SAMPLE)
    assert parsed.answer == NO_BOX
    assert parsed.unparsed


@pytest.mark.parametrize(
    "reply",
    [
        '<think> I see [9, 9, 9, 9] </think>\n<answer>{"bbox_2d": [1, 2, 3, 4], "label": "a 5th man"}</answer>',
        "<answer>[1, 2, 3, 4]",
        "(1,2),(3,4)",
        "<box>(1, 2), (3, 4)</box>",
        "[1 2 3 4] or [5, 6, 7, 8]",
        "(1, 2, 3, 4)",
        "1, 2, 3, 4",
        "1 2 3 4",
    ],
)
def test_the_answers_box_is_found_after_any_reasoning(reply: str) -> None:
    assert answer_box(reply, SAMPLE) == Parsed((1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize("reply", ["", "1, 2, 3", "1, 2, 3, 4, 5", "no box", "[1, 2, 3]"])
def test_no_group_of_four_is_no_box(reply: str) -> None:
    assert answer_box(reply, SAMPLE).unparsed


@pytest.mark.parametrize(
    ("reply", "boxes"),
    [
        ("[1, 2, 3, 4]", ((1, 2, 3, 4),)),
        ('```json\n[{"bbox_2d": [1, 2, 3, 4]}, {"box": [5, 6, 7, 8], "x": [9, 9, 9, 9]}]\n```', ((1, 2, 3, 4), (5, 6, 7, 8))),
        ('Here: {"objects": {"a": {"bbox": ["1", "2", "3", "4"]}, "b": [[5, 6, 7, 8]]}} done', ((1, 2, 3, 4), (5, 6, 7, 8))),
        ('{"bbox": ["a", 2, 3, 4], "location": [1, 2, 3, 4]}', ((1, 2, 3, 4),)),
        ('{"bbox": [null, 2, 3, 4]}', ()),
        ("[" + "9" * 400 + ", 1, 2, 3]", ((float("inf"), 1, 2, 3),)),
        ("1 2 3 4 and 5,6,7,8", ((1, 2, 3, 4), (5, 6, 7, 8))),
        ("nothing", ()),
    ],
)
def test_all_boxes_are_collected(reply: str, boxes: tuple[tuple[float, ...], ...]) -> None:
    assert all_boxes(reply, SAMPLE).answer == boxes
