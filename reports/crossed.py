"""Two training methods, each seen in several checkpoints (seeds) on the same samples: both draws vary, and they are crossed.

One checkpoint says nothing about the method that made it: another seed would have made another. With k checkpoints a side,

    SE^2 = s^2_A / k_A + s^2_B / k_B + SE^2_samples - I_A - I_B

s^2: variance of the checkpoints' scores; SE_samples: the clustered error of the difference of the sides' means. Both hold what a
seed does to single samples (the interaction), which I = s^2_interaction / k therefore takes off once: the random effects of two
crossed factors. Degrees of freedom are Satterthwaite's.

Not here: one checkpoint a side (`reports.paired`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.intervals import symmetric
from reports.paired import clustered_se

if TYPE_CHECKING:
    from reports.paired import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """The difference of two methods.

    Attributes:
        difference: mean of the candidate's checkpoints minus mean of the baseline's.
        se, low, high, p: over seeds and samples; NaN where a side has one checkpoint, so that nothing is known of its method.
        seed_a, seed_b: standard deviation of the checkpoints' scores; NaN with one.
        se_samples: what the samples alone leave.
        checkpoints_a, checkpoints_b: how many.
        says: what it does and does not say, for people.
    """

    difference: float
    se: float
    low: float
    high: float
    p: float
    freedom: float
    seed_a: float
    seed_b: float
    se_samples: float
    checkpoints_a: int
    checkpoints_b: int
    says: str


def crossed(a: Floats, b: Floats, cluster: Ints, *, confidence: float = 0.95) -> Crossed:
    """Compare methods by the scores of their checkpoints.

    Args:
        a: baseline, float[k_a, n]; b: candidate, float[k_b, n]; the same units in the same order.
        b: see above.
        cluster: codes 0..G-1 of what units share, int[n].
        confidence: of the interval.

    Raises:
        ValueError: shapes do not fit.
    """
    if a.ndim != 2 or b.ndim != 2 or not a.shape[1] == b.shape[1] == len(cluster) or not len(cluster):
        raise ValueError(
            f"scores of shape {a.shape} and {b.shape} with {len(cluster)} clusters are no checkpoints on the same units"
        )
    difference = float(b.mean() - a.mean())
    sampled, freedom = clustered_se(b.mean(0) - a.mean(0), cluster)
    (seed_a, own_a), (seed_b, own_b) = _spread(a, cluster), _spread(b, cluster)
    parts = ((seed_a**2 / len(a), len(a) - 1), (seed_b**2 / len(b), len(b) - 1), (sampled**2, freedom))
    variance = max(sum(part for part, _ in parts) - own_a - own_b, *(part for part, _ in parts))
    se = math.sqrt(variance) if min(len(a), len(b)) > 1 else math.nan
    df = _satterthwaite(parts) if min(len(a), len(b)) > 1 else math.nan
    low, high = symmetric(difference, se, df, confidence)
    return Crossed(
        difference=difference, se=se, low=float(low), high=float(high), p=_p(difference, se, df), freedom=df, seed_a=seed_a,
        seed_b=seed_b, se_samples=sampled, checkpoints_a=len(a), checkpoints_b=len(b), says=_says(len(a), len(b)),
    )  # fmt: skip


def _spread(scores: Floats, cluster: Ints) -> tuple[float, float]:
    """Standard deviation of the checkpoints' means, and the interaction's part in the variance of their mean."""
    import numpy as np

    seeds = len(scores)
    if seeds < 2:
        return math.nan, math.nan
    rest = scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()
    count = int(cluster.max()) + 1
    sums = np.array([np.bincount(cluster, weights=row, minlength=count) for row in rest])
    own = float((sums**2).sum()) / (seeds - 1) * (count / max(1, count - 1)) / scores.shape[1] ** 2
    return float(scores.mean(1).std(ddof=1)), own / seeds


def _satterthwaite(parts: tuple[tuple[float, float], ...]) -> float:
    below = sum(part**2 / max(1.0, freedom) for part, freedom in parts)
    return sum(part for part, _ in parts) ** 2 / below if below > 0 else 1.0


def _p(difference: float, se: float, freedom: float) -> float:
    from scipy.special import stdtr

    if math.isnan(se):
        return math.nan
    return float(2 * stdtr(freedom, -abs(difference) / se)) if se > 0 else float(difference == 0)


def _says(a: int, b: int) -> str:
    if min(a, b) > 1:
        return f"over {a} and {b} training seeds and the samples: about the methods"
    few = "either side" if a == b else "the baseline" if a < b else "the candidate"
    return f"one seed says nothing about the method; of {few} there is one checkpoint, so this is about these checkpoints only"
