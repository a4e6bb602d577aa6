"""What two runs say about a loss: the difference with its interval, the p of a loss, what could have been seen.

Differences are signed so that a loss is negative, whichever way the metric is better.

    p          one-sided sign-flip permutation of cluster sums (`reports.paired.sign_flip`), shifted by the tolerated loss; where
               something is tolerated the flips are only symmetric in the limit, so the larger of it and Student's t is taken
    worst      one-sided lower bound by Student's t; as in all intervals here, with the padded standard error of
               `reports.gate.moments`
    detectable (t_{1-alpha/m} + t_{power}) SE: the loss that a gate of m tests sees with that power

Not here: what follows from it (`reports.gate.verdicts`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ResultError
from reports.gate.moments import Moments, moments, padded
from reports.gate.policy import Policy, Rule
from reports.paired import sign_flip

if TYPE_CHECKING:
    from reports.aligned import Aligned
    from reports.paired import Floats, Ints

_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the samples say, in the unit of the metric; losses are negative.

    Attributes:
        baseline, candidate: the metric's values, absent samples counted as wrong.
        se: clustered standard error of the difference; NaN with one cluster.
        low, high: interval, simultaneous over the policy.
        worst: lower bound at 1 - alpha for this benchmark alone.
        p: that a loss this far beyond what is tolerated comes by chance; floor: the smallest p that so few clusters can give.
        detectable: the loss that would be seen with the policy's power; n_needed: units that would decide, if that can be told.
        method: how p was computed.
    """

    baseline: float
    candidate: float
    difference: float
    se: float
    low: float
    high: float
    worst: float
    p: float
    floor: float
    detectable: float
    n_needed: int | None
    n: int
    clusters: int
    wins: int
    losses: int
    ties: int
    method: str


def weigh(aligned: Aligned, rule: Rule, policy: Policy, family: int) -> Evidence:
    """Compute the evidence for one benchmark; ``family`` is the number of tests in the policy."""
    import numpy as np

    d, code = signed_differences(aligned)
    sums, sizes = np.bincount(code, weights=d).astype(np.float64), np.bincount(code)
    scale, plain = scale_of(aligned), moments(sums[None], sizes)
    wide = padded(sums[None], sizes, scale)
    p, method = loss_p(sums, sizes, _tolerated(rule), plain)
    difference, spread, freedom = (float(x[0]) for x in (plain.mean, wide.se, wide.freedom))
    most = scale if scale == 1 else math.inf
    half = _quantile(freedom, 1 - policy.alpha / family / 2) * spread
    detectable = _detectable(spread, freedom, policy.alpha / family, policy.power)
    return Evidence(
        baseline=aligned.value_a, candidate=aligned.value_b, difference=difference, se=float(plain.se[0]),
        low=max(-most, difference - half), high=min(most, difference + half),
        worst=max(-most, float(wide.bound(1 - policy.alpha)[0])), p=p, floor=2.0 ** -len(sizes), detectable=detectable,
        n_needed=_needed(rule, policy, len(d), difference, (spread, freedom), detectable), n=len(d), clusters=len(sizes),
        wins=int((d > _SAME).sum()), losses=int((d < -_SAME).sum()), ties=int((np.abs(d) <= _SAME).sum()), method=method,
    )  # fmt: skip


def signed_differences(aligned: Aligned) -> tuple[Floats, Ints]:
    """Return the differences with losses negative, float[n], and the cluster of each as codes 0..G-1, int[n].

    Raises:
        ResultError: some are no numbers, as where a part of a composite metric stands on one cluster alone.
    """
    import numpy as np

    d = (1.0 if aligned.higher_is_better else -1.0) * (aligned.b - aligned.a)
    if not np.isfinite(d).all():
        raise ResultError(
            f"nothing is known of the noise of {aligned.metric}, a part of it stands on one cluster (picture, document) alone; "
            "gate another metric, or more samples"
        )
    return d, np.unique(aligned.cluster, return_inverse=True)[1].astype(np.int64)


def loss_p(sums: Floats, sizes: Ints, tolerated: float, seen: Moments) -> tuple[float, str]:
    """The one-sided p of a loss beyond ``tolerated``, and how it was computed.

    Args:
        sums: summed differences by cluster, float[G]; losses are negative.
        sizes: units by cluster, int[G].
        tolerated: a loss that is none.
        seen: the moments of these differences, in one row.
    """
    from scipy.special import ndtr

    shifted = sums + tolerated * sizes
    two_sided, method = sign_flip(shifted)
    p = two_sided / 2 if shifted.sum() < 0 else 1 - two_sided / 2
    if tolerated and seen.se[0] > _SAME:
        return max(p, float(ndtr(seen.normal(tolerated)[0]))), f"{method}, t"
    return p, method


def scale_of(aligned: Aligned) -> float:
    """The largest difference that one unit can make: 1 for scores between 0 and 1, else the range that was seen."""
    low, high = min(float(aligned.a.min()), float(aligned.b.min())), max(float(aligned.a.max()), float(aligned.b.max()))
    return 1.0 if low >= 0 and high <= 1 else high - low


def _tolerated(rule: Rule) -> float:
    return rule.margin or 0.0 if rule.mode == "non_inferior" else rule.tolerated


def _detectable(se: float, freedom: float, alpha: float, power: float) -> float:
    return (_quantile(freedom, 1 - alpha) + _quantile(freedom, power)) * se


def _quantile(freedom: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, level))


def _needed(rule: Rule, policy: Policy, n: int, difference: float, spread: tuple[float, float], detectable: float) -> int | None:
    """Units that would decide with the policy's power, in clusters of the same sizes; None where that cannot be told."""
    if rule.margin is None or not spread[0] > 0:
        return None
    if rule.mode == "non_inferior":
        effect, away = _detectable(*spread, policy.alpha, policy.power), abs(difference + rule.margin)
    else:
        effect, away = detectable, rule.margin - rule.tolerated
    return math.ceil(n * (effect / away) ** 2) if away > _SAME else None
