"""F1 over pairs of key and value, pooled over all documents, as the DUE benchmark counts them.

A sample is a key of a document; its references' values with their variants stand in ``fields["values"]``. Values match within a
key only, so that pooling keys is the same as pooling documents. Not here: reading values from a reply (`harness.parsers.values`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.metrics.aggregate import Metric, mean
from harness.metrics.functions import function_of
from harness.task import Score
from harness.types import Parsed, Sample

Accepted = Sequence[Sequence[str]]
"""The values of a reference, each as the texts that stand for it."""


def matched(predictions: Sequence[str], references: Accepted) -> tuple[int, int]:
    """Count the predictions that match a reference, and the references that match a prediction.

    Each is taken in order and uses up the first that is left and equal, so that a better assignment may be missed where one text
    stands for two values. The two are counted apart, as the official scorer does.

    Source: due-benchmark/evaluator at 75c0f55, ``due_evaluator/scorers/fscorer.py``.

    >>> matched(["A", "A", "b"], [["a", "A"], ["c"]])
    (1, 1)
    >>> matched(["y", "x"], [["x", "y"], ["y"]])
    (1, 1)
    """
    left = [frozenset(texts) for texts in references]
    hits = 0
    for text in predictions:
        place = next((place for place, texts in enumerate(left) if text in texts), None)
        if place is not None:
            left.pop(place)
            hits += 1
    unused = list(predictions)
    found = 0
    for texts in map(frozenset, references):
        place = next((place for place, text in enumerate(unused) if text in texts), None)
        if place is not None:
            unused.pop(place)
            found += 1
    return hits, found


def pair_score(fold: Callable[[str], str] = str) -> Score:
    """Compare the values of an answer (a tuple of texts) with those of the sample, after ``fold`` on both sides.

    Scores: ``correct`` (all values found and no other, or none where there is none), and the counts that F1 pools, which are
    above 1 where a key has several values: ``hits`` of ``said`` predictions, ``found`` of ``asked`` references.
    """

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        said = tuple(map(fold, parsed.answer or ()))
        true = [tuple(map(fold, texts)) for texts in sample.fields["values"]]
        hits, found = matched(said, true)
        counts = {"hits": hits, "said": len(said), "found": found, "asked": len(true)}
        correct = parsed.answer is not None and hits == len(said) and found == len(true)
        return {"correct": float(correct), **{name: float(count) for name, count in counts.items()}}

    return score


def share(part: float, whole: float) -> float:
    """A part of a whole, 0 of nothing, as the official scorer has precision and recall."""
    return part / whole if whole > 0 else 0.0


def f_score(hits: float, said: float, found: float, asked: float) -> float:
    """F1 of precision ``hits / said`` and recall ``found / asked``; 0 where both are.

    >>> f_score(1, 2, 1, 1), f_score(0, 0, 0, 5)
    (0.6666666666666666, 0.0)
    """
    precision, recall = share(hits, said), share(found, asked)
    return share(2 * precision * recall, precision + recall)


_COUNTS = tuple(map(mean, ("hits", "said", "found", "asked")))
_ESTIMATORS = {
    "f1": function_of(f_score, *_COUNTS),
    "precision": function_of(share, *_COUNTS[:2]),
    "recall": function_of(share, *_COUNTS[2:]),
}


def pair_metrics(by: str | None = None) -> tuple[Metric, ...]:
    """F1, precision and recall, of all samples or by a group."""
    return tuple(Metric(name=name, estimator=estimator, by=by) for name, estimator in _ESTIMATORS.items())
