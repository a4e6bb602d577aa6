"""Scores of closed answers: exact match, and the confusion counts behind precision, recall and F1.

Not here: how the answer was read (``harness.parsers``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from harness.metrics.aggregate import Metric, mean, ratio
from harness.parsers.number import bare_float
from harness.task import Score
from harness.types import Parsed, Sample


def exact_match(prediction: str | None, references: Sequence[str]) -> float:
    """1 if the prediction is one of the references to the letter, else 0; no prediction or no references is 0.

    >>> exact_match("B", ["B"]), exact_match("b", ["B"]), exact_match(None, ["B"]), exact_match("", [])
    (1.0, 0.0, 0.0, 0.0)
    """
    return float(prediction is not None and prediction in references)


def correct(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The score ``correct``: exact match of the parsed answer with the sample's references."""
    return {"correct": exact_match(parsed.answer, sample.references)}


def correct_number(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """As `correct`; where a decimal is asked for (group ``answer_type`` is ``float``) numbers are compared: 2.50 is 2.5."""
    if sample.groups.get("answer_type") != "float" or parsed.answer is None:
        return correct(parsed, sample)
    read, *expected = (bare_float(text) for text in (parsed.answer, *sample.references))
    return {"correct": float(read is not None and any(text is not None and float(text) == float(read) for text in expected))}


Unknown = Literal["wrong", "negative", "ignored"]


def confusion(prediction: str | None, reference: str, positive: str = "yes", unknown: Unknown = "wrong") -> dict[str, float]:
    """Which cell of the 2x2 table a yes/no answer falls in: ``tp``, ``fp``, ``tn``, ``fn``, one of them 1.

    ``unknown`` says what a missing prediction is: ``wrong`` (fn or fp), ``negative`` (fn or tn: simply not positive, as in
    VLMEvalKit) or ``ignored`` (in no cell, as in lmms-eval).

    >>> confusion("yes", "no")
    {'tp': 0.0, 'fp': 1.0, 'tn': 0.0, 'fn': 0.0}
    >>> confusion(None, "no"), confusion(None, "no", unknown="ignored")
    ({'tp': 0.0, 'fp': 1.0, 'tn': 0.0, 'fn': 0.0}, {'tp': 0.0, 'fp': 0.0, 'tn': 0.0, 'fn': 0.0})
    """
    actual = reference == positive
    says = prediction == positive
    if prediction is None:
        says = unknown == "wrong" and not actual
    counted = prediction is not None or unknown != "ignored"
    cell = ("tp" if says else "fn") if actual else ("fp" if says else "tn")
    return {name: float(counted and name == cell) for name in ("tp", "fp", "tn", "fn")}


def yes_no_score(unknown: Unknown = "wrong") -> Score:
    """The scores of a yes/no question: ``correct``, the four cells of `confusion`, ``yes`` (said) and ``truth`` (is yes)."""

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        truth = sample.references[0]
        said = {"yes": float(parsed.answer == "yes"), "truth": float(truth == "yes")}
        return {
            "correct": exact_match(parsed.answer, sample.references),
            **confusion(parsed.answer, truth, unknown=unknown),
            **said,
        }

    return score


F1 = ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})
"""2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""


def yes_no_metrics(by: str | None = None, yes_ratio: str = "yes") -> tuple[Metric, ...]:
    """Accuracy, precision, recall, F1 and the share of yes, over all samples or ``by`` a group; from `yes_no_score`."""
    estimators = {
        "accuracy": mean("correct"),
        "precision": ratio("tp", {"tp": 1, "fp": 1}),
        "recall": ratio("tp", {"tp": 1, "fn": 1}),
        "f1": F1,
        "yes_ratio": mean(yes_ratio),
    }
    return tuple(Metric(name=name, estimator=estimator, by=by) for name, estimator in estimators.items())
