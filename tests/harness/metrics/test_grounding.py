"""Overlap of boxes, against torch's float32 arithmetic where torch is installed."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.boxes import Frame, from_pixels, write
from harness.catalog import find_task
from harness.conventions import boxes
from harness.errors import DatasetError
from harness.metrics import grounding
from harness.metrics.grounding import (
    best_box,
    best_reading,
    box_by_magnitude,
    centre_is_inside,
    frame_score,
    guessed_frame_score,
    in_unit_frame,
    iou,
    iou_of_pairs,
    padded_square_iou,
    precise_iou,
    square_scores,
    threshold_score,
)
from harness.plan import convention_of
from harness.scoring import Answered, score_many, score_reply
from harness.types import Parsed, Sample

EDGE = st.floats(-1000, 1000, width=32)
BOX = st.tuples(EDGE, EDGE, EDGE, EDGE)
ANY_BOX = st.tuples(*[st.floats(width=32)] * 4)
SIZED = Sample(id="s", references=("0,0,128,256",), fields={"width": 256, "height": 256})


def sorted_box(box: tuple[float, ...]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(grounding).failed == 0


@given(ANY_BOX, ANY_BOX)
def test_iou_is_torchs_to_the_bit(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    torch = pytest.importorskip("torch")
    one, two = (torch.tensor([box], dtype=torch.float32) for box in (a, b))
    area = [(box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (one, two)]
    overlap = (torch.min(one[:, 2:], two[:, 2:]) - torch.max(one[:, :2], two[:, :2])).clamp(min=0)
    shared = overlap[:, 0] * overlap[:, 1]
    expected = (shared / (area[0] + area[1] - shared)).item()
    ours = iou(a, b)
    if np.isfinite(expected) and expected > 0:
        assert ours == expected
    else:
        assert ours == 0


@given(BOX, BOX)
def test_overlap_is_symmetric_and_at_most_1(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    a, b = sorted_box(a), sorted_box(b)
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1 + 1e-6
    assert precise_iou(a, b) == pytest.approx(precise_iou(b, a))
    assert 0 <= precise_iou(a, b) <= 1 + 1e-9


@given(st.lists(st.tuples(BOX, BOX), max_size=5))
def test_pairs_at_once_equal_pairs_one_by_one(pairs: list[tuple[tuple[float, ...], tuple[float, ...]]]) -> None:
    a, b = (np.array([pair[i] for pair in pairs], dtype=np.float32).reshape(-1, 4) for i in (0, 1))
    assert iou_of_pairs(a, b).tolist() == [iou(*pair) for pair in pairs]


def test_a_hundred_thousand_pairs_are_one_call() -> None:
    boxes = np.random.default_rng(0).uniform(0, 100, (100_000, 4)).astype(np.float32)
    assert iou_of_pairs(boxes, boxes).shape == (100_000,)


def test_exactly_one_half_hits() -> None:
    assert frame_score("square")(Parsed((0.0, 0.0, 1.0, 1.0)), SIZED) == {"hit": 1.0, "iou": 0.5}


@pytest.mark.parametrize(
    "bad", [(0, 0, 0, 0), (float("nan"), 0, 1, 1), (0.1, 0.1, float("inf"), float("inf")), (1e300, 0, 1e301, 1)]
)
def test_boxes_without_sense_miss(bad: tuple[float, ...]) -> None:
    assert padded_square_iou(bad, (0, 0, 10, 10), 640, 480) == 0
    assert precise_iou(bad, (0, 0, 10, 10)) == 0
    assert iou(bad, bad) == 0


def test_the_square_is_padded_on_both_sides_of_the_short_edge() -> None:
    assert padded_square_iou((0, 0.125, 1, 0.875), (0, 0, 640, 480), 640, 480) == 1.0
    assert padded_square_iou((0.125, 0, 0.875, 1), (0, 0, 480, 640), 480, 640) == 1.0


def test_no_answer_scores_nothing() -> None:
    assert frame_score("unit")(Parsed(None, "no reply"), SIZED) == {"hit": 0.0, "iou": 0.0}
    assert set(threshold_score(in_unit_frame)(Parsed(None, "no reply"), SIZED).values()) == {0.0}


@pytest.mark.parametrize(
    ("frame", "box"),
    [("pixels", (0, 0, 128, 256)), ("unit", (0, 0, 0.5, 1)), ("thousandths", (0, 0, 500, 1000)), ("square", (0, 0, 0.5, 1))],
)
def test_each_frame_is_read_as_it_is_named(frame: grounding.Frame, box: tuple[float, float, float, float]) -> None:
    assert frame_score(frame)(Parsed(box), SIZED) == {"hit": 1.0, "iou": 1.0}


def test_pixels_need_no_size_and_the_square_does() -> None:
    unsized = Sample(id="s", references=("0,0,10,10",))
    assert frame_score("pixels")(Parsed((0, 0, 10, 10)), unsized)["hit"] == 1.0
    with pytest.raises(DatasetError, match="size of the picture"):
        frame_score("square")(Parsed((0, 0, 1, 1)), unsized)


def test_a_guessed_frame_misreads_pixels_as_thousandths() -> None:
    assert guessed_frame_score()(Parsed((0, 0, 128, 256)), SIZED)["hit"] == 0.0
    assert box_by_magnitude((0, 0, 128, 256), 256, 256) == (0, 0, 32.768, 65.536)
    assert box_by_magnitude((1.0, 0.5, 0.5, 0.0), 100, 100) == (50, 0, 100, 50)
    assert box_by_magnitude((0, 0, 1500, 2), 100, 100) == (0, 0, 100, 2)


def test_a_box_with_a_hole_meets_what_lmms_evals_arithmetic_says() -> None:
    """Python's max(a, nan) is a, so the order in which the scorer compares decides: 3.8e-06 as measured, not 0."""
    sized = replace(SIZED, references=("0,0,255,512",), fields={"width": 512, "height": 512})
    score = threshold_score(best_reading)(Parsed(((math.nan, 0.0, 0.498, 1.0),)), sized)
    assert score["iou"] == pytest.approx(3.8e-6, abs=5e-8)


def test_the_oracle_takes_the_best_of_all_readings() -> None:
    reference = (0, 0, 128, 256)
    assert best_reading([(5, 5, 6, 6), (0, 0, 500, 1000)], reference, SIZED) == ((0, 0, 128, 256), reference)
    assert best_box([], (0, 0, 1, 1)) == (0, 0, 0, 0)
    assert best_box([(0, 0, 1, 1), (0, 0, 1, 1.0)], (5, 5, 6, 6)) == (0, 0, 1, 1)


def test_the_centre_may_lie_on_the_edge() -> None:
    assert centre_is_inside((0, 0, 2, 2), (1, 1, 5, 5))
    assert not centre_is_inside((0, 0, 2, 2), (1.5, 1, 5, 5))


def test_thresholds_are_inclusive() -> None:
    scores = threshold_score(in_unit_frame)(Parsed((0, 0, 1, 1)), SIZED)
    assert (scores["acc@0.5"], scores["acc@0.7"], scores["iou"], scores["center_acc"]) == (1.0, 0.0, 0.5, 1.0)


NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-0.2, 1.2)


@given(st.lists(st.tuples(st.none() | st.tuples(*[NUMBER] * 4), st.tuples(*[st.floats(0, 700)] * 4)), max_size=6))
def test_many_boxes_score_as_one_by_one(pairs: list[tuple[tuple[float, ...] | None, tuple[float, ...]]]) -> None:
    samples = [
        Sample(id=str(n), references=(write(box),), fields={"width": 640, "height": 361 + n}) for n, (_, box) in enumerate(pairs)
    ]
    parsed = [Parsed(box) for box, _ in pairs]
    one_by_one = [frame_score("square")(one, sample) for one, sample in zip(parsed, samples, strict=True)]
    assert square_scores(parsed, samples) == one_by_one


def test_many_replies_score_as_one_by_one_and_a_bad_sample_fails_alone() -> None:
    convention = boxes()["official"]
    good = [Sample(id=str(n), references=("0,0,10,10",), fields={"width": 20, "height": 10}) for n in range(3)]
    bad = Sample(id="bad", references=("0,0,10",), fields={"width": 20, "height": 10})
    answered = [
        *(Answered(sample, reply) for sample, reply in zip(good, ("[0,0.25,0.5,0.75]", "no", "[0,0,1,1]"), strict=True)),
        Answered(good[0], None, missing=True),
        Answered(good[0], "[0,0.25,0.5,0.75]", failed="media: gone"),
    ]
    one_by_one = [score_reply(convention, *one[:2], **dict(zip(one._fields[2:], one[2:], strict=True))) for one in answered]
    assert list(score_many(convention, answered)) == one_by_one
    assert [row.scores["hit"] for row in one_by_one] == [1.0, 0.0, 0.0, 0.0, 0.0]
    lenient = replace(convention, score=lambda parsed, sample: {"hit": 0.0} if sample is bad else {"hit": 1.0})
    assert [row.scores["hit"] for row in score_many(lenient, [Answered(bad, "[1,2,3,4]"), *answered[:1]])] == [0.0, 1.0]


@pytest.mark.parametrize("frame", get_args(Frame))
def test_the_official_rule_reads_a_model_in_the_frame_it_declares(frame: Frame) -> None:
    sample = Sample(id="s", references=("10,20,110,70",), fields={"width": 400, "height": 200})
    said = ",".join(f"{edge:.6f}" for edge in from_pixels((10, 20, 110, 70), frame, 400, 200))
    declared = convention_of(find_task("refcoco_val"), "official", frame)
    assert score_reply(declared, sample, f"[{said}]").scores["hit"] == 1.0
    assert (declared.frame, declared.primary) == (frame, "accuracy")
    untouched = convention_of(find_task("refcoco_val"), "vlmevalkit", frame)
    assert untouched is find_task("refcoco_val").conventions["vlmevalkit"]
