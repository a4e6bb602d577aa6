"""Whether a model prefers a letter: accuracy by the position of the right option, for every benchmark with options.

A model without a preference is as good where A is right as where D is; one that always says A has 100 % there and 0 elsewhere.
Not here: which benchmarks have options, which their samples say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.metrics.aggregate import Metric, mean
from harness.types import Sample

if TYPE_CHECKING:
    from harness.metrics.rows import Rows

POSITION = "position"
CORRECT = "correct"
"""The group, and the score whose mean is taken in each of its values."""


def position_of(sample: Sample) -> str:
    """Return the letter of the right option; empty where there are no options, or the reference is none of their letters."""
    letters = [chr(ord("A") + place) for place in range(min(len(sample.options), 26))]
    return sample.references[0] if len(sample.references) == 1 and sample.references[0] in letters else ""


def with_positions(metrics: Sequence[Metric], rows: Rows) -> tuple[Metric, ...]:
    """Add accuracy by position (``position/A``) where the rows have positions, and the convention a score of right and wrong."""
    known = POSITION in rows.groups and CORRECT in rows.scores and POSITION not in {one.name for one in metrics}
    return (*metrics, Metric(name=POSITION, estimator=mean(CORRECT), unit="percent", by=POSITION)) if known else tuple(metrics)
