"""Intervals by resampling clusters, for what is no smooth function of sums: rank correlations, mAP, Elo.

A statistic is given weights of clusters instead of samples, so that all resamples are computed at once. F1, sums and means need
none of it: their influences are known (`harness.metrics.aggregate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.metrics.aggregate import Estimator, Moment, Rows

if TYPE_CHECKING:
    from harness.metrics.rows import Floats

DRAWS = 2000
_BLOCK = 4_000_000

Statistic = Callable[[Rows, "Floats"], "Floats"]
"""From rows and weights of samples (float[draws, n]) to values (float[draws]); NaN where a resample has none."""


def corpus(statistic: Statistic, bounds: tuple[float, float] | None = (0.0, 1.0), draws: int = DRAWS, seed: int = 0) -> Estimator:
    """A metric of a whole corpus, with the jackknife's influence of each cluster and a BCa bootstrap interval.

    Args:
        statistic: what is computed.
        bounds: its smallest and largest possible value.
        draws: resamples of clusters, at least 2,000 for an interval at 95 %.
        seed: decides them.
    """

    def estimate(rows: Rows) -> Moment:
        import numpy as np

        labels, place = np.unique(rows.cluster, return_inverse=True)
        count = len(labels)
        clusters = np.zeros(rows.cluster_count, dtype=bool)
        clusters[labels] = True
        influence = np.full(rows.cluster_count, math.nan)
        value = float(statistic(rows, np.ones((1, rows.n)))[0]) if count else math.nan
        replicates = None
        if count > 1 and not math.isnan(value):
            influence = np.zeros(rows.cluster_count)
            without = _blocks(lambda weights: statistic(rows, weights[:, place]), 1 - np.eye(count), rows.n)
            influence[labels] = math.sqrt((count - 1) / count) * (without.mean() - without)
            chosen = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
            replicates = _blocks(lambda weights: statistic(rows, weights[:, place]), chosen.astype(np.float64), rows.n)
        reason = None if not math.isnan(value) else "no samples" if not count else "the statistic has no value here"
        return Moment(
            value=value, influence=influence, samples=rows.position, clusters=clusters, bounds=bounds, reason=reason,
            replicates=replicates,
        )  # fmt: skip

    return estimate


def _blocks(compute: Callable[[Floats], Floats], weights: Floats, n: int) -> Floats:
    """Compute in blocks of weights, so that memory does not grow with draws times samples."""
    import numpy as np

    step = max(1, _BLOCK // max(1, n))
    return np.concatenate([compute(weights[start : start + step]) for start in range(0, len(weights), step)])


def bca(value: float, replicates: Floats, influence: Floats, confidence: float) -> tuple[float, float]:
    """The bias-corrected and accelerated interval (Efron, JASA 82 (1987) 171-185); NaN where most resamples have no value.

        alpha' = Phi(z0 + (z0 + z_alpha) / (1 - a (z0 + z_alpha))),    a = sum psi^3 / 6 (sum psi^2)^1.5

    Args:
        value: the statistic on all clusters.
        replicates: on resampled clusters, float[draws].
        influence: of each cluster, float[G].
        confidence: of the interval.
    """
    import numpy as np
    from scipy.special import ndtr, ndtri

    known = replicates[np.isfinite(replicates)]
    if len(known) * 2 < len(replicates) or not len(known):
        return math.nan, math.nan
    below = (np.count_nonzero(known < value) + np.count_nonzero(known <= value)) / (2 * len(known))
    spread = float((influence**2).sum())
    if not 0 < below < 1 or not spread > 0:
        return float(known.min()), float(known.max())
    bias, bend = ndtri(below), float((influence**3).sum()) / (6 * spread**1.5)
    reach = bias + ndtri(np.array([1 - confidence, 1 + confidence]) / 2)
    low, high = np.quantile(known, ndtr(bias + reach / (1 - bend * reach)))
    return float(low), float(high)
