from __future__ import annotations

import pytest

from harness.metrics.aggregate import Rows, aggregate
from harness.metrics.choice import confusion, correct, exact_match, yes_no_metrics, yes_no_score
from harness.types import Parsed, Sample, Scored


def test_exact_match_is_to_the_letter_and_nothing_matches_nothing() -> None:
    assert exact_match("B", ["A", "B"]) == 1
    assert exact_match("b", ["B"]) == exact_match(None, ["B"]) == exact_match("", []) == 0


def test_correct_scores_the_parsed_answer_even_if_it_is_an_assumption() -> None:
    sample = Sample(id="1", references=("yes",))
    assert correct(Parsed("yes", "assumed"), sample) == {"correct": 1}
    assert correct(Parsed(None, "no reply"), sample) == {"correct": 0}


@pytest.mark.parametrize(
    ("prediction", "reference", "unknown", "cell"),
    [
        ("yes", "yes", "wrong", "tp"),
        ("yes", "no", "wrong", "fp"),
        ("no", "no", "wrong", "tn"),
        ("no", "yes", "wrong", "fn"),
        (None, "yes", "wrong", "fn"),
        (None, "no", "wrong", "fp"),
        (None, "yes", "negative", "fn"),
        (None, "no", "negative", "tn"),
        (None, "yes", "ignored", None),
        (None, "no", "ignored", None),
        ("no", "no", "ignored", "tn"),
    ],
)
def test_confusion_puts_an_answer_in_one_cell(prediction: str | None, reference: str, unknown: str, cell: str | None) -> None:
    got = confusion(prediction, reference, unknown=unknown)  # type: ignore[arg-type]
    assert {name for name, value in got.items() if value} == ({cell} if cell else set())


def test_yes_no_metrics_read_what_yes_no_score_writes() -> None:
    score = yes_no_score()
    answers = [("yes", "yes"), ("yes", "no"), (None, "yes"), ("no", "no")]
    rows = []
    for number, (said, truth) in enumerate(answers):
        sample = Sample(id=str(number), references=(truth,), groups={"category": "random"})
        parsed = Parsed(said, None if said else "no reply")
        rows.append(
            Scored(sample_id=sample.id, cluster="", groups=sample.groups, reply=said, parsed=parsed, scores=score(parsed, sample))
        )
    got = {each.name: each.value for each in aggregate(Rows.of(rows), yes_no_metrics())}
    assert got == {"accuracy": 0.5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "yes_ratio": 0.5}
    by = {each.name for each in aggregate(Rows.of(rows), yes_no_metrics(by="category"))}
    assert by == {f"{name}/random" for name in got}
