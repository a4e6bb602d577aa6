"""Two models' scores on the same samples: the difference, its clustered interval, a permutation test, what could be detected.

Pure functions of aligned arrays. Scores of one picture, document or question group (a cluster) are not independent, so
clusters are what is summed, resampled and counted; the same samples are behind both models, so differences are, not scores.

    difference = 1/n sum_i d_i,    d_i = b_i - a_i
    SE^2 = G/(G-1) 1/n^2 sum_g (sum_{i in g} (d_i - difference))^2        (Miller, arXiv 2411.00640, sections 2.2 and 4.2)

Not here: which samples belong together (`reports.aligned`), whether two runs may be compared (`reports.comparable`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.metrics.intervals import degrees, symmetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

DRAWS = 20_000
"""Sign flips drawn where they are too many to go through."""
ENUMERATED = 16
"""Up to so many clusters that differ, all 2^k flips are gone through."""
POWER = 0.8
"""Of the detectable effect and the needed size."""
_LATTICE_WORK = 500_000_000
_CLOSE = 1e-9


@dataclass(frozen=True, kw_only=True)
class Paired:
    """The difference of a candidate b from a baseline a, in the unit of the scores.

    Attributes:
        difference: mean of b - a over units (samples, or groups where the metric is all-or-nothing).
        se: its clustered standard error; NaN with fewer than two clusters.
        low, high: two-sided interval (`interval`); NaN with fewer than two clusters.
        p: two-sided, of the hypothesis that exchanging the models within a cluster changes nothing; 1 where nothing differs.
        n: units; clusters: what is independent among them.
        wins, losses, ties: units in which b is above, below, equal to a.
        mde: smallest true difference that a test at this confidence finds with 80 % probability; NaN where se is unknown or 0.
        n_needed: units needed (in clusters of the same sizes) to find a difference of ``margin``, or of the one seen if there is
            no margin, with 80 % probability; None where that cannot be told.
        method: how p was computed: ``mcnemar exact``, ``sign-flip exact``, ``sign-flip 20000 draws``.
    """

    difference: float
    se: float
    low: float
    high: float
    p: float
    n: int
    clusters: int
    wins: int
    losses: int
    ties: int
    mde: float
    n_needed: int | None
    method: str


def paired(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    cluster: Sequence[int] | Ints,
    *,
    confidence: float = 0.95,
    margin: float | None = None,
    seed: int = 0,
) -> Paired:
    """Compare two models on the same units.

    Args:
        a: scores of the baseline, float[n].
        b: scores of the candidate, float[n], in the same order.
        cluster: what units share, int[n]; any integers.
        confidence: of the two-sided interval; 1 - confidence is the level of ``mde`` and ``n_needed``.
        margin: a difference that matters, for ``n_needed``.
        seed: of the sign flips, where they are drawn.

    Raises:
        ValueError: lengths differ, there is no unit, or a score is not a finite number.
    """
    import numpy as np

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    labels, place = np.unique(np.asarray(cluster), return_inverse=True)
    code = place.astype(np.int64)
    if not first.shape == second.shape == code.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"paired scores of shape {first.shape} and {second.shape} with clusters of shape {code.shape}")
    d = second - first
    if not np.isfinite(d).all():
        raise ValueError(f"{int((~np.isfinite(d)).sum())} of {len(d)} paired scores are not finite numbers")
    sums = np.bincount(code, weights=d, minlength=len(labels)).astype(np.float64)
    binary = len(labels) == len(d) and bool(np.isin(first, (0, 1)).all() and np.isin(second, (0, 1)).all())
    p, test = sign_flip(sums, seed=seed)
    se, freedom = clustered_se(d, code)
    low, high = interval(float(d.mean()), se, freedom, len(labels), confidence)
    mde, needed = _power(float(d.mean()), se, len(d), freedom, confidence, margin)
    return Paired(
        difference=float(d.mean()), se=se, low=low, high=high, p=p, n=len(d), clusters=len(labels),
        wins=int((d > _CLOSE).sum()), losses=int((d < -_CLOSE).sum()), ties=int((np.abs(d) <= _CLOSE).sum()),
        mde=mde, n_needed=needed, method="mcnemar exact" if binary else test,
    )  # fmt: skip


def clustered_se(values: Floats, cluster: Ints) -> tuple[float, float]:
    """The standard error of the mean of values (float[n]) in clusters 0..G-1 (int[n]), and its degrees of freedom.

    Those are G-1, or fewer where few clusters differ (`harness.metrics.intervals.degrees`: about twice their number). Both are
    NaN with fewer than two clusters.
    """
    import numpy as np

    count = int(cluster.max()) + 1
    if count < 2:
        return math.nan, math.nan
    squares = np.bincount(cluster, weights=values - values.mean(), minlength=count) ** 2
    freedom = float(degrees(float(squares.sum()), float((squares**2).sum()), count))
    return math.sqrt(count / (count - 1) * float(squares.sum())) / len(values), freedom


def interval(difference: float, se: float, freedom: float, clusters: int, confidence: float) -> tuple[float, float]:
    """The two-sided interval of a mean difference: Student's t.

    Where no spread at all was seen (equal answers everywhere), a cluster that differs may still have a probability of up to
    1 - (alpha/2)^(1/G) (Clopper and Pearson), so that is the width, since none is never true.
    """
    if clusters < 2:
        return math.nan, math.nan
    if se <= _CLOSE * max(1.0, abs(difference)):
        half = 1 - ((1 - confidence) / 2) ** (1 / clusters)
        return difference - half, difference + half
    low, high = symmetric(difference, se, freedom, confidence)
    return float(low), float(high)


def sign_flip(sums: Floats, *, draws: int = DRAWS, seed: int = 0, middle: bool = False) -> tuple[float, str]:
    """The two-sided p of a sum over clusters, each of whose signs is as likely + as - if the models are alike; and the method.

    Exact where the cluster sums are whole numbers (right and wrong answers: the distribution of the sum is a convolution of
    binomials; with one answer a cluster that is McNemar's exact test) or few; else from seeded draws,
    p = (1 + hits) / (1 + draws), which is valid for any number of draws (Phipson and Smyth, 2010).

    Args:
        sums: summed differences by cluster, float[G].
        draws: how many flips are drawn where not all are gone through.
        seed: of the draws.
        middle: count outcomes as extreme as the one seen by half (mid-p): no longer above the level at every size, but near it
            instead of far below where outcomes are few. Exact tests only.
    """
    import numpy as np

    size = np.abs(sums[np.abs(sums) > _CLOSE])
    seen = abs(float(sums.sum())) - _CLOSE
    whole = np.rint(size)
    if np.abs(size - whole).max(initial=0.0) <= _CLOSE:
        values, counts = np.unique(whole.astype(np.int64), return_counts=True)
        if sum(int(v) for v in values) * int(whole.sum()) * len(values) <= _LATTICE_WORK or len(values) <= 1:
            return _lattice(values, counts, seen, middle), "sign-flip exact"
    if len(size) <= ENUMERATED:
        signs = 1 - 2 * (np.arange(1 << len(size))[:, None] >> np.arange(len(size)) & 1)
        reached = np.abs(signs @ size)
        ties = np.abs(reached - seen) <= 2 * _CLOSE
        return float((reached >= seen).mean() - middle * ties.mean() / 2), "sign-flip exact"
    random = np.random.default_rng(seed)
    hits, left = 0, draws
    while left:
        block = min(left, max(1, 4_000_000 // len(size)))
        flips = random.integers(0, 2, (block, len(size)), dtype=np.int8)
        hits += int((np.abs(2 * (flips @ size) - size.sum()) >= seen).sum())
        left -= block
    return (1 + hits) / (1 + draws), f"sign-flip {draws} draws"


def _lattice(values: Ints, counts: Ints, seen: float, middle: bool) -> float:
    """P(|S| >= seen) for S = sum of v * (2 Binomial(count, 1/2) - count) over independent v."""
    import numpy as np
    from scipy.special import gammaln

    chance = np.ones(1)  # of the number of steps above the lowest sum, a step being 2
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        own = np.zeros(value * count + 1)
        ups = np.arange(count + 1)
        own[::value] = np.exp(gammaln(count + 1) - gammaln(ups + 1) - gammaln(count - ups + 1) - count * math.log(2))
        chance = np.convolve(chance, own)
    total = 2 * np.arange(len(chance)) - (len(chance) - 1)
    return min(1.0, float(chance[np.abs(total) >= seen].sum() - middle * chance[np.abs(np.abs(total) - seen) < 0.5].sum() / 2))


def _power(
    difference: float, se: float, n: int, freedom: float, confidence: float, margin: float | None
) -> tuple[float, int | None]:
    """Minimum detectable effect (t_{1-alpha/2} + t_{power}) SE, and n (effect / margin)^2."""
    from scipy.special import stdtrit

    if not se > 0:
        return math.nan, None
    mde = float(stdtrit(freedom, (1 + confidence) / 2) + stdtrit(freedom, POWER)) * se
    wanted = abs(difference if margin is None else margin)
    return mde, math.ceil(n * (mde / wanted) ** 2) if wanted > _CLOSE else None


def holm(ps: Sequence[float]) -> list[float]:
    """Adjust p values so that rejecting those at most alpha errs anywhere with probability at most alpha (Holm, 1979).

    >>> [round(p, 10) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(_ascending(ps)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Adjust p values so that of those at most q, a share of at most q is expected to be false (Benjamini, Hochberg 1995).

    That is another question than Holm's, which asks for no false one at all.

    >>> [round(p, 10) for p in benjamini_hochberg([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    adjusted, lowest = [0.0] * len(ps), 1.0
    for rank, place in reversed(list(enumerate(_ascending(ps), 1))):
        lowest = min(lowest, len(ps) / rank * ps[place])
        adjusted[place] = lowest
    return adjusted


def _ascending(ps: Sequence[Any]) -> list[int]:
    return sorted(range(len(ps)), key=ps.__getitem__)
