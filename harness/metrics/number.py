"""Numbers as answers: relaxed accuracy, as ChartQA's reference implementation computes it.

Not here: finding the number in a sentence (`harness.parsers.number`). The rule looks lenient and is strict in places that
surprise ("1,000" is text, "5%" equals "0.05" and not "5", a reference of 0 is text), so it follows the reference
implementation character by character.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache


def relaxed_accuracy(prediction: str, references: Sequence[str], tolerance: float = 0.05) -> float:
    """Whether an answer equals a reference, numbers up to a relative ``tolerance`` (inclusive): 1 or 0.

        |p - r| / |r| <= tolerance    if both are numbers and r is not 0;    lower-cased strings equal    otherwise

    A number is what Python's ``float`` accepts (spaces around, exponents, underscores, full-width digits), with a trailing
    ``%`` dividing by 100; thousands commas, currencies and units make text. ``nan`` never matches as a number. Nothing is
    stripped from text. The best of several references counts; without references the score is 0.

    Source: Methani et al., WACV 2020 (PlotQA); google-research/pix2struct, ``pix2struct/metrics.py:relaxed_correctness``.

    >>> relaxed_accuracy("105", ["100"]), relaxed_accuracy("5%", ["0.05"]), relaxed_accuracy("5%", ["5"])
    (1.0, 1.0, 0.0)
    >>> relaxed_accuracy("0.0", ["0"]), relaxed_accuracy("1,000", ["1000"]), relaxed_accuracy("Red", ["red"])
    (0.0, 0.0, 1.0)
    """
    value = to_float(prediction)
    for reference in references:
        target = to_float(reference)
        if value is not None and target:
            if abs(value - target) / abs(target) <= tolerance:
                return 1.0
        elif prediction.lower() == reference.lower():
            return 1.0
    return 0.0


@lru_cache(maxsize=16384)
def to_float(text: str) -> float | None:
    """Read a number as the rule above does; None if the text is none."""
    try:
        return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        return None
