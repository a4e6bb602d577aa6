"""Metrics that VLMEvalKit states of a whole file of replies, as they stand in the scores of its first sample.

The value is its own, to the last digit. Where it is the mean of the samples' own scores (or a hundred times that), over all of
them or over the groups that its name speaks of, it has their clustered interval; else none, as nothing says how it varies.
``overall`` is in percent where it is such a mean: VLMEvalKit states some as fractions, and its tables show percent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.metrics.aggregate import Metric, Moment, Rows, mean

if TYPE_CHECKING:
    from harness.metrics.rows import Bools, Where

SCORE = "score"
STATED = "stated/"
OVERALL = "overall"
SCALES = (1.0, 100.0)
NEAR = 1e-9
"""How far VLMEvalKit's mean and ours may lie apart, as they add up in another order; relative."""


def metrics() -> tuple[Metric, ...]:
    """VLMEvalKit's primary metric as ``overall``, the mean score, and everything else it states."""
    return (
        Metric(name=OVERALL, estimator=lambda rows: _moment(rows, OVERALL)),
        Metric(name=SCORE, estimator=mean(SCORE, where=_scored), unit="percent"),
        _Stated(name="stated", estimator=mean(SCORE, where=_scored)),
    )


@dataclass(frozen=True, kw_only=True)
class _Stated(Metric):
    """Expands into every value that is stated in the rows."""

    def moments(self, rows: Rows) -> Iterator[tuple[str, Moment]]:
        for name in rows.scores:
            if name.startswith(STATED):
                yield name, _moment(rows, name, _where(rows, name.removeprefix(STATED)))


def _scored(rows: Rows) -> Bools:
    import numpy as np

    return np.isfinite(rows.score(SCORE))


def _where(rows: Rows, name: str) -> dict[str, str]:
    """The groups that a name speaks of: ``split=dev|Overall`` of the split, ``split=dev|ocr`` of the category too."""
    labels = [part.partition("=")[2] or part for part in name.split("|")]
    known = {value: group for group, values in rows.groups.items() for value in values}
    return {known[label]: label for label in labels if label in known}


def _moment(rows: Rows, column: str, where: Where = None) -> Moment:
    """A stated value, with the interval of the mean that it is."""
    found = [float(value) for value in rows.scores.get(column, ()) if math.isfinite(value)]
    moment = mean(SCORE)(rows.select(_scored(rows)).narrow(where))
    if not found:
        return replace(moment, value=math.nan, reason="it is stated of the whole file of replies only")
    for scale in SCALES:
        if math.isclose(found[0], moment.value * scale, rel_tol=NEAR, abs_tol=NEAR):
            return _scaled(replace(moment, value=found[0]), scale, 100.0 if column == OVERALL else scale)
    nothing = moment.influence * math.nan
    why = "not known as a mean of the samples' scores"
    return replace(moment, value=found[0], influence=nothing, bounds=None, proportion=False, units=None, reason=why)


def _scaled(moment: Moment, stated: float, shown: float) -> Moment:
    """A mean of scores whose value is ``stated`` times that already, to be shown ``shown`` times as large."""
    return replace(
        moment,
        value=moment.value * (shown / stated),
        influence=moment.influence * shown,
        units=None if moment.units is None else moment.units * shown,
        proportion=moment.proportion and shown == 1.0,
        bounds=(0.0, shown),
    )
