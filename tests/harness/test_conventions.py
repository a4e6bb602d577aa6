"""Shared sets of conventions: complete, scored by their own metrics, and the same for every benchmark that takes them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness import conventions
from harness.metrics.aggregate import Metric, Rows, aggregate, mean
from harness.metrics.vqa import vqa_accuracy
from harness.parsers.letter import letter_or_lettered, letter_or_sentence
from harness.scoring import score_reply
from harness.task import Convention
from harness.types import Sample

CORRECT = (Metric(name="accuracy", estimator=mean("correct")),)
BOX = Sample(id="1", references=("10,20,30,40",), fields={"width": 100, "height": 100})
TEXT = Sample(id="1", references=("Total",), groups={"kind": "form, layout"})
OPTION = Sample(id="1", options=("a cat", "a dog"), references=("B",))
NUMBER = Sample(
    id="1", references=("7",), groups={"question_type": "free_form", "answer_type": "integer"}, fields={"precision": None}
)
PEOPLE = Sample(id="1", references=("red",) * 10, groups={"answer_type": "other"})
YES = Sample(id="1", references=("yes",), groups={"kind": "object"})
SETS: dict[str, tuple[Mapping[str, Convention], Sample, str]] = {
    "boxes": (conventions.boxes(), BOX, "[0.1,0.2,0.3,0.4]"),
    "anls": (conventions.anls(anls="kind"), TEXT, "total"),
    "multiple_choice": (conventions.multiple_choice(CORRECT, "accuracy"), OPTION, "B"),
    "typed": (conventions.typed(CORRECT, "accuracy"), NUMBER, "7"),
    "yes_no": (conventions.yes_no(by="kind"), YES, "yes"),
    "relaxed": (conventions.relaxed(CORRECT), NUMBER, "7"),
    "consensus": (conventions.consensus(vqa_accuracy), PEOPLE, "red"),
    "exact": (conventions.exact(CORRECT), YES, "yes"),
    "option_letters": (
        conventions.option_letters(CORRECT, "accuracy", official=letter_or_sentence, lmms_eval=letter_or_lettered),
        OPTION,
        "B",
    ),
}


@pytest.mark.parametrize("kind", SETS)
def test_each_convention_has_its_primary_and_scores_what_its_metrics_need(kind: str) -> None:
    found, sample, reply = SETS[kind]
    for name, convention in found.items():
        got = aggregate(Rows.of([score_reply(convention, sample, reply)]), convention.metrics)
        assert convention.primary in {estimate.name for estimate in got}, name
        assert name == "official" or convention.note, name


@pytest.mark.parametrize(
    "kind", ["anls", "multiple_choice", "typed", "yes_no", "consensus", "exact", "option_letters", "relaxed"]
)
def test_a_plain_right_answer_is_right_by_every_convention(kind: str) -> None:
    found, sample, reply = SETS[kind]
    for name, convention in found.items():
        scored = score_reply(convention, sample, reply)
        assert next(iter(scored.scores.values())) == 1.0, name
        assert not scored.parsed.unparsed, name


def test_a_box_is_read_in_the_frame_that_the_convention_names() -> None:
    hits = {
        name: next(iter(score_reply(convention, BOX, "[0.1,0.2,0.3,0.4]").scores.values()))
        for name, convention in conventions.boxes().items()
    }
    in_fractions = {"official", "unit", "vlmevalkit", "lmms_eval"}
    assert {name for name, hit in hits.items() if hit} == in_fractions


def test_metrics_of_the_benchmarks_own_stand_beside_the_accuracy_of_boxes() -> None:
    own = Metric(name="own", estimator=mean("iou"))
    with_own = {name: own in convention.metrics for name, convention in conventions.boxes(own).items()}
    assert with_own == {name: not name.startswith("lmms_eval") for name in with_own}
