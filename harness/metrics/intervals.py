"""Confidence intervals of values whose clustered standard error is known; everything takes numbers or arrays alike.

A bounded value (an accuracy, F1, a sum of points) gets Wilson's interval at the number of coin throws that would vary as much,

    n_eff = p (1 - p) / SE^2        (p: the value's place between its bounds)

since next to a bound the symmetric interval covers far too rarely (70 % instead of 95 % at p = 0.02 and 60 samples) and leaves
the range. For a mean of zeros and ones n_eff is n / deff, deff = (clustered SE / simple SE)^2, and never above n: a negative
correlation inside clusters, as of a model that always says yes, is not extra knowledge. Where n_eff = n the variance follows
from p and the normal quantile is right; else it was estimated, and Student's quantile replaces it with `degrees` of freedom.

How often these intervals cover is measured by ``riddle bench coverage`` (docs/statistics.md). Not here: the standard error
(`harness.metrics.aggregate`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Number = float | npt.NDArray[np.float64]


def wilson(p: Number, n: Number, confidence: float = 0.95, quantile: Number | None = None) -> tuple[Any, Any]:
    """Wilson's score interval for a proportion ``p`` of ``n`` trials (``n`` may be an effective, fractional size).

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n); Wilson, JASA 22 (1927) 209-212.

    Args:
        p: the proportion.
        n: trials.
        confidence: of the interval.
        quantile: stands in for the normal z.
    """
    import numpy as np
    from scipy.special import ndtri

    z = ndtri((1 + confidence) / 2) if quantile is None else quantile
    centre = p + z * z / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = np.maximum(0, (centre - half) / scale), np.minimum(1, (centre + half) / scale)
    return np.where(p == 0, 0, low)[()], np.where(p == 1, 1, high)[()]


def bounded(
    p: Number, se: Number, clusters: Number, freedom: Number, confidence: float = 0.95, trials: Number = math.inf
) -> tuple[Any, Any]:
    """The interval of a value between 0 and 1 with a clustered standard error.

    Without any spread (all right, all wrong) a cluster counts as one trial, since no width at all is never true. Zeros and ones
    that even out in every cluster (always yes on pairs) count by themselves.

    Args:
        p: the value.
        se: its clustered standard error.
        clusters: how many independent clusters are behind it.
        freedom: degrees of freedom of ``se`` (`degrees`).
        confidence: of the interval.
        trials: units, if each is 0 or 1; n_eff is never above.
    """
    import numpy as np
    from scipy.special import ndtri, stdtrit

    edge = np.asarray(se) <= 1e-12
    alone = np.isfinite(trials) & (np.asarray(p) > 1e-12) & (np.asarray(p) < 1 - 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        simple = np.where(np.isfinite(trials), np.asarray(trials) / np.maximum(1, np.asarray(trials) - 1), 1.0)
        effective = np.where(edge, np.where(alone, trials, clusters), simple * p * (1 - p) / np.square(se))
    known = edge | (effective >= trials * (1 - 1e-9))
    quantile = np.where(known, ndtri((1 + confidence) / 2), stdtrit(freedom, (1 + confidence) / 2))
    return wilson(p, np.maximum(1.0, np.minimum(effective, trials)), confidence, quantile)


def symmetric(value: Number, se: Number, freedom: Number, confidence: float = 0.95) -> tuple[Any, Any]:
    """The interval of an unbounded value: Student's t."""
    from scipy.special import stdtrit

    half = stdtrit(freedom, (1 + confidence) / 2) * se
    return value - half, value + half


def degrees(second: Number, fourth: Number, clusters: Number) -> Any:
    """Degrees of freedom of a clustered variance: G-1, or fewer where few clusters carry it.

        2 V^2 / Var(V) = 2 / (sum psi^4 / (sum psi^2)^2 - 1/G)

    Satterthwaite's with the influences' own fourth moment (about G-1 where they are normal, a few where a rare cluster decides).

    Args:
        second: sum over clusters of psi^2 (the variance).
        fourth: sum of psi^4.
        clusters: G.
    """
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        excess = fourth / np.square(second) - 1 / np.asarray(clusters)
        found = np.where(excess > 0, 2 / excess, np.inf)
    return np.clip(found, 1, np.maximum(1, np.asarray(clusters) - 1))[()]
