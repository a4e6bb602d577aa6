"""From columns of per-sample scores to values with clustered standard errors and intervals.

Every metric here is a smooth function of sums over clusters (what samples share: a picture, a document, a clip). An
`Estimator` therefore returns a `Moment`: the value and its influence on each cluster. Linear combinations and ratios of
moments are moments again, so a mean of three F1 values gets a standard error that knows that the same pictures stand behind
all three, by the delta method and without resampling.

    SE^2 = sum_g psi_g^2,    psi_g = sqrt(G / (G - 1)) * d value / d w_g        (w_g: the weight of cluster g)

For a mean this is G/(G-1) 1/n^2 sum_g (sum_{i in g} (x_i - mean))^2: statsmodels' ``cov_type="cluster"`` for a regression on a
constant, small-sample factor included. The factor sits in the influence, so that a sum over disjoint sub-tasks corrects each
by its own number of clusters.

Not here: what a sample's score is (``harness.metrics.choice`` and its neighbours), the columns themselves
(``harness.metrics.rows``), and comparisons of two runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.metrics.intervals import wilson
from harness.metrics.rows import Rows, Where

if TYPE_CHECKING:
    from harness.metrics.rows import Bools, Floats, Ints

__all__ = [
    "Estimate", "Estimator", "Metric", "Moment", "Rows", "Weights", "Where", "aggregate", "all_of", "combine", "estimate_of",
    "mean", "mean_over", "ratio", "submitted", "sum_over", "weighted_mean_over", "wilson",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """A value with what each cluster does to it.

    Attributes:
        value: NaN where undefined; ``reason`` then says why.
        influence: psi_g, float64[cluster_count]; zero for clusters without a part in the value, NaN where one cluster is all
            there is (its variance cannot be known).
        samples: row numbers of the units behind the value, int[n]; for `all_of`, the first row of each group.
        clusters: which clusters take part, bool[cluster_count].
        proportion: the value is a mean of zeros and ones.
        bounds: the smallest and largest possible value.
        units: what the value is the plain mean of, one number a unit in the order of ``samples``; None if it is no such mean.
        grouped: a unit is a group of samples.
        freedom: degrees of freedom of the standard error where fewer than the clusters say: in sums over disjoint clusters.
        replicates: values on resampled clusters, float[draws], where the interval comes from them (`harness.metrics.bootstrap`).
    """

    value: float
    influence: Floats
    samples: Ints
    clusters: Bools
    proportion: bool = False
    bounds: tuple[float, float] | None = (0.0, 1.0)
    reason: str | None = None
    units: Floats | None = None
    grouped: bool = False
    freedom: float = math.inf
    replicates: Floats | None = None

    @property
    def n(self) -> int:
        """Number of units (samples, or groups for `all_of`)."""
        return len(self.samples)


Estimator = Callable[[Rows], Moment]
"""What a metric computes from rows."""

Weights = str | Mapping[str, float]
"""A score's name, or a weighted sum of scores such as ``{"tp": 2, "fp": 1}``."""


def mean(score: str, where: Where = None) -> Estimator:
    """The mean of a score over samples. Undefined without samples."""

    def estimate(rows: Rows) -> Moment:
        chosen = rows.narrow(where)
        return _mean(chosen, chosen.score(score), chosen.cluster, chosen.position)

    return estimate


def all_of(score: str, by: str, where: Where = None) -> Estimator:
    """The share of groups (of rows with equal ``by``) in which every row's score is 1: CircularEval, MME's acc+.

    The group is the unit; it belongs to the cluster of its first row. A missing or failed row has score 0, so its group fails.
    """

    def estimate(rows: Rows) -> Moment:
        import numpy as np

        chosen = rows.narrow(where)
        codes: dict[str, int] = {}
        member = np.array([codes.setdefault(name, len(codes)) for name in chosen.group(by)], dtype=np.int64)
        _, first = np.unique(member, return_index=True)
        worst = np.ones(len(first))
        with np.errstate(invalid="ignore"):
            np.minimum.at(worst, member, chosen.score(score))
        hit = np.where(np.isnan(worst), np.nan, (worst >= 1).astype(np.float64))
        return replace(_mean(chosen, hit, chosen.cluster[first], chosen.position[first]), grouped=True)

    return estimate


def ratio(num: Weights, den: Weights, where: Where = None, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Estimator:
    """A ratio of sums, such as F1 = ``ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})``. Undefined if the denominator is 0."""

    def estimate(rows: Rows) -> Moment:
        chosen = rows.narrow(where)
        above, below = _weighted(chosen, num), _weighted(chosen, den)
        total = float(below.sum())
        if total == 0:
            return _undefined(chosen, f"the denominator is 0 over {chosen.n} samples", bounds)
        value = float(above.sum()) / total
        part = (above - value * below) / total
        return _moment(chosen, value, part, chosen.cluster, chosen.position, bounds=bounds)

    return estimate


def combine(parts: Sequence[tuple[float, Estimator]]) -> Estimator:
    """A weighted sum of estimators on the same rows. Undefined if a part is."""

    def estimate(rows: Rows) -> Moment:
        return _sum(rows, [(weight, estimator(rows)) for weight, estimator in parts])

    return estimate


def sum_over(by: str, estimator: Estimator, values: Collection[str] | None = None) -> Estimator:
    """The sum of an estimator over the values of a group that are present (``values`` keeps only some)."""

    def estimate(rows: Rows) -> Moment:
        return _sum(rows, [(1.0, estimator(part)) for _, part in rows.split(by, values)])

    return estimate


def mean_over(by: str, estimator: Estimator, values: Collection[str] | None = None) -> Estimator:
    """The unweighted mean of an estimator over the values of a group that are present (macro average)."""

    def estimate(rows: Rows) -> Moment:
        parts = rows.split(by, values)
        return _sum(rows, [(1.0 / len(parts), estimator(part)) for _, part in parts])

    return estimate


def weighted_mean_over(by: str, estimator: Estimator, weights: Mapping[str, float]) -> Estimator:
    """The weighted mean of an estimator over named values of a group. Undefined where one of them is absent."""

    def estimate(rows: Rows) -> Moment:
        total = sum(weights.values())
        return _sum(rows, [(weight / total, estimator(rows.narrow({by: value}))) for value, weight in weights.items()])

    return estimate


def submitted(estimator: Estimator) -> Estimator:
    """The estimator over the samples with a reply, neither missing nor failed, as leaderboards count that forgive the rest."""

    def estimate(rows: Rows) -> Moment:
        return estimator(rows.select(~rows.flags["missing"] & ~rows.flags["failed"]))

    return estimate


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A named estimator.

    Attributes:
        name: as it stands in ``result.json``.
        estimator: what is computed.
        unit: how it is printed; None is the task's unit. ``fraction`` and ``points`` are printed as they are.
        by: a group by whose values the metric expands, into one estimate named ``name/value`` for each.
        separator: set if the group holds several labels in one string, such as ``", "``; a sample counts for each.
    """

    name: str
    estimator: Estimator = field(repr=False)
    unit: str | None = None
    by: str | None = None
    separator: str | None = None

    def moments(self, rows: Rows) -> Iterator[tuple[str, Moment]]:
        """The named moments: one, or one for each value of ``by`` in sorted order (none if the data have no such group)."""
        if self.by is None:
            yield self.name, self.estimator(rows)
        elif self.by in rows.groups:
            for value, part in rows.split(self.by, None, self.separator):
                yield f"{self.name}/{value}", self.estimator(part)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric's value with its uncertainty.

    Attributes:
        value: NaN where undefined (``method`` then says why); a fraction, or points as the metric defines.
        se: clustered standard error; NaN where fewer than two clusters tell nothing of it.
        low, high: the interval; NaN where there is none.
        n: number of units; clusters: of independent clusters behind them.
        method: ``wilson``, ``t``, ``bootstrap``, or ``undefined: REASON``.
    """

    name: str
    value: float
    se: float
    low: float
    high: float
    n: int
    clusters: int
    unit: str | None = None
    method: str = "t"

    def record(self) -> dict[str, Any]:
        """The fields as JSON has them: what is not a number is None."""
        raw = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in raw.items()}


def aggregate(rows: Rows, metrics: Iterable[Metric], confidence: float = 0.95) -> list[Estimate]:
    """Compute metrics with intervals at the given confidence, in order, each expanded by its group."""
    return [estimate_of(name, moment, metric.unit, confidence) for metric in metrics for name, moment in metric.moments(rows)]


def estimate_of(name: str, moment: Moment, unit: str | None = None, confidence: float = 0.95) -> Estimate:
    """Give a moment its standard error and interval.

    A value between two bounds gets Wilson's interval at the number of trials that would vary as much, one without bounds
    Student's t (`harness.metrics.intervals`), both with the degrees of freedom that its clusters' influences leave.
    """
    clusters = int(moment.clusters.sum())
    if math.isnan(moment.value):
        return Estimate(
            name=name, value=math.nan, se=math.nan, low=math.nan, high=math.nan, n=moment.n, clusters=clusters,
            unit=unit, method=f"undefined: {moment.reason}",
        )  # fmt: skip
    se = math.sqrt(float((moment.influence**2).sum()))
    low, high, method = _interval(moment, se, clusters, confidence)
    return Estimate(
        name=name, value=moment.value, se=se, low=low, high=high, n=moment.n, clusters=clusters, unit=unit, method=method
    )


def _interval(moment: Moment, se: float, clusters: int, confidence: float) -> tuple[float, float, str]:
    from harness.metrics.intervals import bounded, degrees, symmetric

    if clusters < 2 and moment.proportion:
        return (*map(float, wilson(moment.value, 1.0, confidence)), "wilson")  # type: ignore[return-value]
    if math.isnan(se):
        return math.nan, math.nan, f"undefined: {moment.reason or 'fewer than two clusters'}"
    if moment.replicates is not None:
        from harness.metrics.bootstrap import bca

        return (*bca(moment.value, moment.replicates, moment.influence[moment.clusters], confidence), "bootstrap")
    freedom = min(moment.freedom, float(degrees(se**2, float((moment.influence**4).sum()), clusters)))
    floor, ceiling = moment.bounds or (-math.inf, math.inf)
    span = ceiling - floor
    if not math.isfinite(span) or span <= 0:
        low, high = symmetric(moment.value, se, freedom, confidence)
        return max(floor, float(low)), min(ceiling, float(high)), "t"
    place = min(1.0, max(0.0, (moment.value - floor) / span))
    low, high = bounded(place, se / span, clusters, freedom, confidence, moment.n if moment.proportion else math.inf)
    return floor + float(low) * span, floor + float(high) * span, "wilson"


def _weighted(rows: Rows, weights: Weights) -> Floats:
    import numpy as np

    if isinstance(weights, str):
        return rows.score(weights)
    total = np.zeros(rows.n)
    for name, weight in weights.items():
        total = total + weight * rows.score(name)
    return total


def _mean(rows: Rows, values: Floats, cluster: Ints, position: Ints) -> Moment:
    import numpy as np

    if len(values) == 0:
        return _undefined(rows, "no samples")
    value = float(values.mean())
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    bounds = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else None
    moment = _moment(rows, value, (values - value) / len(values), cluster, position, proportion=binary, bounds=bounds)
    return replace(moment, units=values)


def _moment(
    rows: Rows,
    value: float,
    part: Floats,
    cluster: Ints,
    position: Ints,
    *,
    proportion: bool = False,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Moment:
    """Sum what each unit contributes (``part``) by cluster, with the factor for the number of clusters in it."""
    import numpy as np

    clusters = np.zeros(rows.cluster_count, dtype=bool)
    clusters[cluster] = True
    count = int(clusters.sum())
    influence = np.bincount(cluster, weights=part, minlength=rows.cluster_count).astype(np.float64)
    influence[clusters] = influence[clusters] * (math.sqrt(count / (count - 1)) if count > 1 else math.nan)
    reason = "a score is not a number" if math.isnan(value) else None
    return Moment(
        value=value, influence=influence, samples=position, clusters=clusters, proportion=proportion, bounds=bounds, reason=reason
    )


def _undefined(rows: Rows, reason: str, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Moment:
    import numpy as np

    clusters = np.zeros(rows.cluster_count, dtype=bool)
    clusters[rows.cluster] = True
    nothing = np.full(rows.cluster_count, math.nan)
    return Moment(value=math.nan, influence=nothing, samples=rows.position, clusters=clusters, bounds=bounds, reason=reason)


def _sum(rows: Rows, parts: Sequence[tuple[float, Moment]]) -> Moment:
    import numpy as np

    if not parts:
        return _undefined(rows, "no samples")
    if len(parts) == 1 and parts[0][0] == 1.0:
        return parts[0][1]
    low = high = value = 0.0
    influence = np.zeros(rows.cluster_count)
    clusters = np.zeros(rows.cluster_count, dtype=bool)
    for weight, part in parts:
        floor, ceiling = part.bounds or (-math.inf, math.inf)
        low += min(weight * floor, weight * ceiling)
        high += max(weight * floor, weight * ceiling)
        value += weight * part.value
        influence = influence + weight * part.influence
        clusters |= part.clusters
    samples = np.unique(np.concatenate([part.samples for _, part in parts]))
    reason = next((part.reason for _, part in parts if part.reason), None)
    return Moment(
        value=value, influence=influence, samples=samples, clusters=clusters, bounds=(low, high), reason=reason,
        freedom=_freedom(parts, int(clusters.sum())),
    )  # fmt: skip


def _freedom(parts: Sequence[tuple[float, Moment]], clusters: int) -> float:
    """Degrees of freedom of a sum over disjoint clusters, (sum V)^2 / sum(V^2 / f); no limit of its own where they are shared."""
    own = [int(part.clusters.sum()) for _, part in parts]
    if sum(own) > clusters:
        return math.inf
    variances = [weight**2 * float((part.influence**2).sum()) for weight, part in parts]
    limits = [min(part.freedom, max(1, count - 1)) for (_, part), count in zip(parts, own, strict=True)]
    below = sum(variance**2 / limit for variance, limit in zip(variances, limits, strict=True))
    return sum(variances) ** 2 / below if below > 0 else float(sum(limits))
