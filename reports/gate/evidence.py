"""What two runs say about a loss: the difference with its interval, the p of a loss, what could have been seen.

Differences are signed so that a loss is negative, whichever way the metric is better.

    p          one-sided sign-flip permutation of cluster sums (`reports.paired.sign_flip`), shifted by the tolerated loss; where
               something is tolerated the flips are only symmetric in the limit, so the larger of it and Student's t is taken
    worst      one-sided lower bound, Student's t with G-1 degrees of freedom; as in all intervals here, SE is that after adding
               one unit that is won and one that is lost (Bonett and Price, J. Educ. Behav. Stat. 37 (2012) 479-488), because
               no difference seen is not no difference
    detectable (t_{1-alpha/m} + t_{power}) SE: the loss that a gate of m tests sees with that power

Not here: what follows from it (`reports.gate.verdicts`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ResultError
from reports.gate.policy import Policy, Rule
from reports.paired import clustered_se, sign_flip

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
    clusters = int(code.max()) + 1
    difference, se = float(d.mean()), clustered_se(d, code)
    tolerated = _tolerated(rule)
    p, method = loss_p(np.bincount(code, weights=d).astype(np.float64), np.bincount(code), tolerated, se)
    scale = scale_of(aligned)
    worst, spread = lower_bound(d, code, policy.alpha, scale)
    most = scale if scale == 1 else math.inf
    half = _student(clusters, 1 - policy.alpha / family / 2) * spread
    detectable = _detectable(spread, clusters, policy.alpha / family, policy.power)
    return Evidence(
        baseline=aligned.value_a, candidate=aligned.value_b, difference=difference, se=se, low=max(-most, difference - half),
        high=min(most, difference + half), worst=max(-most, worst), p=p, floor=2.0**-clusters, detectable=detectable,
        n_needed=_needed(rule, policy, len(d), clusters, difference, spread, detectable), n=len(d), clusters=clusters,
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


def loss_p(sums: Floats, sizes: Ints, tolerated: float, se: float) -> tuple[float, str]:
    """The one-sided p of a loss beyond ``tolerated``, and how it was computed.

    Args:
        sums: summed differences by cluster, float[G]; losses are negative.
        sizes: units by cluster, int[G].
        tolerated: a loss that is none.
        se: clustered standard error of the mean difference.
    """
    from scipy.special import stdtr

    shifted = sums + tolerated * sizes
    total = float(shifted.sum())
    two_sided, method = sign_flip(shifted)
    p = two_sided / 2 if total < 0 else 1 - two_sided / 2
    if tolerated and se > _SAME:
        return max(p, float(stdtr(len(sums) - 1, total / float(sizes.sum()) / se))), f"{method}, t"
    return p, method


def lower_bound(d: Floats, cluster: Ints, alpha: float, scale: float) -> tuple[float, float]:
    """The one-sided lower bound of the mean of ``d`` (float[n], in clusters int[n]), and the standard error behind it.

    ``scale`` is the largest difference that one unit can make. Both are NaN with one cluster.
    """
    import numpy as np

    count = int(cluster.max()) + 1
    if count < 2:
        return math.nan, math.nan
    padded, codes = np.append(d, [scale, -scale]), np.append(cluster, [count, count + 1])
    se = clustered_se(padded, codes)
    return float(padded.mean()) - _student(count, 1 - alpha) * se, se


def scale_of(aligned: Aligned) -> float:
    """The largest difference that one unit can make: 1 for scores between 0 and 1, else the range that was seen."""
    low, high = min(float(aligned.a.min()), float(aligned.b.min())), max(float(aligned.a.max()), float(aligned.b.max()))
    return 1.0 if low >= 0 and high <= 1 else high - low


def _tolerated(rule: Rule) -> float:
    return rule.margin or 0.0 if rule.mode == "non_inferior" else rule.tolerated


def _detectable(se: float, clusters: int, alpha: float, power: float) -> float:
    return (_student(clusters, 1 - alpha) + _student(clusters, power)) * se


def _student(clusters: int, level: float) -> float:
    """Quantile of Student's t with G-1 degrees of freedom; NaN with one cluster."""
    from scipy.special import stdtrit

    return float(stdtrit(clusters - 1, level)) if clusters > 1 else math.nan


def _needed(rule: Rule, policy: Policy, n: int, clusters: int, difference: float, se: float, detectable: float) -> int | None:
    """Units that would decide with the policy's power, in clusters of the same sizes; None where that cannot be told."""
    if rule.margin is None or not se > 0:
        return None
    if rule.mode == "non_inferior":
        effect, away = _detectable(se, clusters, policy.alpha, policy.power), abs(difference + rule.margin)
    else:
        effect, away = detectable, rule.margin - rule.tolerated
    return math.ceil(n * (effect / away) ** 2) if away > _SAME else None
