"""Scores of closed answers: exact match, and the confusion counts behind precision, recall and F1.

Not here: how the answer was read (``harness.parsers``), and F1 itself, which is a ratio of sums over samples
(``harness.metrics.aggregate.ratio``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

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
