"""Metrics that are a smooth function of others, such as a product of means, with the standard error that follows.

Not here: sums and ratios, which `harness.metrics.aggregate` has in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.metrics.aggregate import Estimator, Moment, Rows, combine

_STEP = 1e-6


def function_of(compute: Callable[..., float], *parts: Estimator) -> Estimator:
    """The value of a function of other metrics; undefined where one of them is, or where the function gives NaN.

    Its influence is that of the parts, weighted by the function's partial derivatives (delta method; central differences).
    """

    def estimate(rows: Rows) -> Moment:
        from dataclasses import replace

        moments = [part(rows) for part in parts]
        at = [moment.value for moment in moments]
        value = compute(*at)
        slopes = [_slope(compute, at, place) for place in range(len(at))]
        weighted = combine([(slope, _known(moment)) for slope, moment in zip(slopes, moments, strict=True)])(rows)
        reason = weighted.reason or ("the function is undefined here" if math.isnan(value) else None)
        return replace(weighted, value=value, bounds=(0.0, 1.0), proportion=False, units=None, reason=reason)

    return estimate


def _known(moment: Moment) -> Estimator:
    return lambda rows: moment


def _slope(compute: Callable[..., float], at: Sequence[float], place: int) -> float:
    """The partial derivative at a point."""
    low, high = ([*at[:place], at[place] + step, *at[place + 1 :]] for step in (-_STEP, _STEP))
    return (compute(*high) - compute(*low)) / (2 * _STEP)


def average_precision(hits: float, said: float, positive: float) -> float:
    """The area under precision over recall of a detector that says yes or no, as scikit-learn sums it.

        recall * precision + (1 - recall) * prevalence

    Args:
        hits: share of samples that are positive and said to be.
        said: share said to be positive.
        positive: share that is.

    >>> average_precision(0.25, 0.5, 0.5), average_precision(0.0, 0.0, 0.3)
    (0.5, 0.3)
    """
    if not positive > 0:
        return math.nan
    return (hits * hits / (said * positive) if said > 0 else 0.0) + positive - hits
