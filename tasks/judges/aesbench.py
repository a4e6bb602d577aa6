"""AesBench's interpretation (AesI): relevance, precision and completeness, from 0 to 2 each.

The wording is our own; the authors' is not public, nor is how exactly they grade.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.judging import Judging, always
from harness.metrics.aggregate import Metric, mean
from harness.task import Convention
from harness.types import Generation, Parsed, Query, Sample, Text

CRITERIA = ("relevance", "precision", "completeness")
MOST = 2
RULE = (
    "Grade an interpretation of a picture's aesthetics against the reference; you cannot see the picture. Give three numbers, "
    "each 0 (no), 1 (in part) or 2 (yes): relevance, whether it speaks of what the reference speaks of; precision, whether what "
    "it says agrees with it; completeness, whether it says all that the reference says. Reply with the three numbers alone, in "
    "this order, with blanks between."
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The question, the reference and the interpretation, each under its name."""
    told = {"Question": sample.question, "Reference": sample.references[0], "Interpretation": reply, "Grades": ""}
    content = "\n\n".join([RULE, *(f"[{name}]\n{text}" for name, text in told.items())])
    return Query(parts=(Text(content),), generation=Generation(max_new_tokens=16), tag="judge")


def three(word: str, sample: Sample) -> Parsed:
    """Exactly three numbers from 0 to 2 in the judge's first line that is not empty."""
    line = next((line for line in word.split("\n") if line.strip()), "")
    found = [float(number) for number in _NUMBER.findall(line)]
    if len(found) != len(CRITERIA) or max(found) > MOST:
        return Parsed(None, "the grades are not three numbers from 0 to 2")
    return Parsed(found)


def graded(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The mean and its three parts, 0 to 2; no readable grades are 0."""
    parts = parsed.answer if isinstance(parsed.answer, list) else [0.0] * len(CRITERIA)
    return {"grade": sum(parts) / len(parts), **dict(zip(CRITERIA, parts, strict=True))}


GRADED = Convention(
    parse=always,
    score=graded,
    metrics=tuple(
        Metric(name=name, estimator=mean(score), unit="points")
        for name, score in (("overall", "grade"), *((name, name) for name in CRITERIA))
    ),
    primary="overall",
    judging=Judging(prompt="aesbench-riddle-1", ask=ask, read=three),
    extracted=three,
)
