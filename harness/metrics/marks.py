"""Scores of option marks, where several options may be right at once (`harness.parsers.option_mark`).

Not here: exact match of one letter (`harness.metrics.choice`).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.parsers.option_mark import FAILED
from harness.prompts import letters
from harness.types import Parsed, Sample


def marked(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """``correct``: the right letter is among those that the mark fits; ``counted``: that, or a failed call, as in VLMEvalKit."""
    fits = parsed.answer not in (None, FAILED) and sample.references[0] in parsed.answer
    return {"correct": float(fits), "counted": float(fits or parsed.answer == FAILED)}


def first_equal(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """``correct``: the letter of the first option whose text is the right one; ``answered``: 0 for an empty reply (lmms-eval)."""
    own = letters(sample.options)
    right = own[sample.options.index(sample.options[own.index(sample.references[0])])]
    return {"correct": float(parsed.answer == right), "answered": float(parsed.answer != "")}
