"""Readers of places in text and of points to click on: by example, and on hostile text."""

from __future__ import annotations

import doctest
import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.conventions import boxes, clicks
from harness.parsers import regions as reading
from harness.parsers.click import click_point, named_coordinates
from harness.parsers.regions import (
    as_written,
    category_of,
    demo_places,
    mark_texts,
    marked_points,
    places,
    read_boxes,
    read_key_points,
)
from harness.regions import dumps
from harness.results import prediction_text
from harness.scoring import score_reply
from harness.types import Parsed, Sample

WIDE = Sample(
    id="s",
    options=("bus", "traffic light", "light", "baby"),
    references=(dumps({"label": "bus", "box": [0.0, 0.0, 10.0, 10.0]}),),
    fields={"width": 200, "height": 100, "key_points": ("nose", "left_eye"), "categories": {"3": "bus"}},
)
BOXED = Sample(id="b", references=("0,0,10,10",), fields={"width": 200, "height": 100})
PARSERS: tuple[Callable[[str, Sample], Parsed], ...] = (
    *(read_boxes(frame=frame) for frame in ("square", "unit", "pixels")),
    *(read_key_points(), click_point(), click_point("square"), named_coordinates),
)
FREE: tuple[Callable[[str], Any], ...] = (demo_places, mark_texts, marked_points, lambda text: list(places(text)))
PIECES = (
    "[",
    "]",
    "0.5",
    ",",
    ";",
    " ",
    "<p>",
    "</p>",
    "\n",
    "9" * 20,
    "-",
    "Mark 1",
    "<Mark 2>",
    ":",
    "x=",
    "box",
    "and",
    "\0",
    "e9",
)
HOSTILE = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PIECES), max_size=60).map("".join))


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(reading).failed == 0


@pytest.mark.parametrize(
    ("label", "category"),
    [
        ("two red buses", "bus"),
        ("Bus", "bus"),
        ("the traffic_lights", "traffic light"),
        ("babies", "baby"),
        ("a tram", "a tram"),
        ("", ""),
    ],
)
def test_a_label_is_the_category_it_ends_with(label: str, category: str) -> None:
    assert category_of(label, WIDE) == category


def test_boxes_are_brought_to_pixels_from_the_frame_of_the_model() -> None:
    reply = "There are two buses[0.1,0.25,0.2,0.75;0,0,.5,.5], and a tram [0.5, 0.5, 1, 0.75]."
    (first, _, tram) = read_boxes()(reply, WIDE).answer
    assert first == {"label": "bus", "box": pytest.approx([20, 0, 40, 100])}
    assert tram == {"label": "tram", "box": pytest.approx([100, 50, 200, 100])}
    (first, *_) = read_boxes(frame="unit")(reply, WIDE).answer
    assert first["box"] == pytest.approx([20, 25, 40, 75])


@pytest.mark.parametrize("reply", ["", "no", "[1,2,3]", "[a,b,c,d]", "(0.1,0.2,0.3,0.4)", f"[{'9' * 400},0,1,1]", "[[]]"])
def test_what_holds_no_box_is_unparsed(reply: str) -> None:
    assert read_boxes()(reply, WIDE) == Parsed((), "no [x1,y1,x2,y2]")


def test_words_keep_their_numbers_and_lose_their_quotes() -> None:
    reply = 'There are "7[0,0,1,1], Mr. Smith[0,0,1,1], 3.5 [0,0,1,1] and and[0,0,1,1].'
    found = read_boxes(as_written, counted=False)(reply, WIDE).answer
    assert [one["label"] for one in found] == ["7", "Mr. Smith", "3.5", "and"]


def test_key_points_stand_in_a_bracket_or_by_their_names() -> None:
    flat = read_key_points(frame="pixels")("The detected key points are bus keypoints[1,2,3,4].", WIDE)
    assert flat.answer == ({"label": "bus", "points": [[1.0, 2.0], [3.0, 4.0]]},)
    named = read_key_points(frame="pixels")("<p>left eye</p>[3,4] <p>tail</p>[9,9]", WIDE)
    assert named.answer[-1] == {"label": "bus", "points": [[-1.0, -1.0], [3.0, 4.0]]}


def test_results_in_cocos_form_are_in_pixels_and_sure_of_themselves() -> None:
    results = json.dumps([{"category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.25}, {"category_id": 9, "keypoints": [1, 2, 2]}])
    assert read_boxes()(results, WIDE).answer == (
        {"label": "bus", "score": 0.25, "box": [1.0, 2.0, 4.0, 6.0]},
        {"label": "9", "score": 1.0, "points": [[1.0, 2.0]]},
    )
    for broken in (
        '[{"category_id": 3, "bbox": [1, 2]}]',
        '[{"category_id": 3, "bbox": [1e999, 2, 3, 4]}]',
        '[{"category_id": 1',
    ):
        assert read_boxes()(broken, WIDE).answer == ()


@pytest.mark.parametrize(
    ("parse", "reply", "point"),
    [
        (click_point(), "(0.5, 0.25)", (0.5, 0.25)),
        (click_point(), "<box>(100,200),(300,400)</box>", (0.2, 0.3)),
        (click_point("square"), "[0.5, 0.25, 0.5, 0.25]", (0.5, 0.0)),
        (click_point("square"), "<box>(100,200),(300,400)</box>", (0.2, 0.3)),
        (click_point("thousandths"), "500, 250", (0.5, 0.25)),
        (click_point("pixels", "pixels"), "20 30", (20.0, 30.0)),
        (click_point("pixels", "pixels"), "<box>(100,200),(300,400)</box>", (40.0, 30.0)),
        (named_coordinates, "click(x=20, y=50)", (0.1, 0.5)),
    ],
)
def test_a_point_is_brought_to_the_frame_in_which_it_counts(parse: Callable[..., Parsed], reply: str, point: object) -> None:
    assert parse(reply, BOXED).answer == pytest.approx(point)


@given(HOSTILE)
@settings(max_examples=150)
def test_no_text_makes_a_reader_raise_and_answers_are_json(reply: str) -> None:
    for parse in PARSERS:
        parsed = parse(reply, WIDE if "read" in parse.__qualname__ else BOXED)
        assert json.loads(prediction_text(parsed.answer) or "null") is not None or parsed.unparsed
        assert parsed.answer not in (None, ()) or parsed.unparsed
    for read in FREE:
        read(reply)
    for place in places(reply):
        assert all(math.isfinite(value) for group in place.groups for value in group)


@given(HOSTILE)
@settings(max_examples=100)
def test_scores_of_boxes_and_clicks_keep_their_range(reply: str) -> None:
    for convention in (*boxes().values(), *clicks().values()):
        scored = score_reply(convention, BOXED, reply)
        assert scored.failed is None
        assert all(0 <= value <= 1 for value in scored.scores.values())


@pytest.mark.parametrize(
    "piece",
    (
        *("[", "]", "[1,", "<p>", "</p>", "</p>[]", "<p>[", "<p>a</p>[0.1]", "Mark 1", "<Mark 1> ", "Mark 1: \n", " ", "\n", "9"),
        *(".", "-1 ", "[0.1,0.1,0.2,0.2]", "box<box>(1,", "x=1", "and ", "\0", "é", "</p> ", ";"),
    ),
)
@pytest.mark.parametrize("length", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_a_megabyte_is_read_in_linear_time(piece: str, length: int) -> None:
    text = piece * (length // len(piece))
    begun = time.process_time()
    for parse in PARSERS:
        parse(text, WIDE if "read" in parse.__qualname__ else BOXED)
    for read in FREE:
        read(text)
    assert time.process_time() - begun < 20 * length / 1_000_000
