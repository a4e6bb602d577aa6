"""Who stands above whom in a column: all pairs of models, on the samples they share, and the ranks that this allows.

Every metric of riddle is a smooth function of sums over clusters, so a run gives each cluster's influence on its value
(`harness.metrics.aggregate.Moment`), and the standard error of any difference follows from two of them:

    SE(i, j)^2 = sum_g (psi_ig - psi_jg)^2        one matrix product a column, for all its pairs

A difference is marked if Student's t with G-1 degrees of freedom rejects equality after Holm's adjustment over all pairs of the
column, so that at most one column in twenty shows any false mark. A model's rank is then a range (Mogstad et al., Review of
Economic Studies 2024): 1 + how many are significantly better, to m - how many are significantly worse.

Not here: the exact permutation test of one pair (`reports.paired`), which a board of thousands of pairs cannot wait for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from reports.load import Run
from reports.stored import Columns, score_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from harness.metrics.aggregate import Estimator

    Floats = npt.NDArray[np.float64]

LEVEL = 0.05
"""Of the family of all pairs of a column."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Influence:
    """What each cluster does to a run's value: ``psi``, float[G], summing in squares to SE^2. ``asked`` names the samples."""

    asked: bytes
    psi: Floats
    clusters: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """All pairs of the runs of one column, in the order in which they were given.

    Attributes:
        half: half the width of the 95 % interval of value[i] - value[j], float[m, m]; NaN where it cannot be told.
        sign: 1 if i is significantly better than j, -1 if worse, else 0, int[m, m].
        paired: whether both answered the same samples and are compared on them, bool[m, m].
        ranks: best and worst rank of each run among the ranked; None where it has no value or is not ranked.
    """

    half: Floats
    sign: npt.NDArray[np.int8]
    paired: npt.NDArray[np.bool_]
    ranks: tuple[tuple[int, int] | None, ...]


def stand(runs: Sequence[Run], *, higher_is_better: bool, ranked: Sequence[bool]) -> Standing:
    """Compare all pairs of runs of one column.

    Args:
        runs: complete runs of comparable numbers.
        higher_is_better: of the column.
        ranked: which of them get a rank (baselines and controls do not).
    """
    import numpy as np

    value = np.array([run.headline.value for run in runs])
    se, degrees, paired = _errors([run.headline.se for run in runs], [influence(run) for run in runs], runs)
    difference = value[:, None] - value[None, :]
    half, p = _tests(difference, se, degrees)
    better = difference if higher_is_better else -difference
    sign = np.where(_holm(p) <= LEVEL, np.sign(np.nan_to_num(better)), 0).astype(np.int8)
    return Standing(half=half, sign=sign, paired=paired, ranks=_ranks(sign, ~np.isnan(value) & np.array(ranked, dtype=bool)))


def _ranks(sign: npt.NDArray[np.int8], counted: npt.NDArray[np.bool_]) -> tuple[tuple[int, int] | None, ...]:
    among = sign[:, counted]
    first, last = 1 + (among < 0).sum(axis=1), counted.sum() - (among > 0).sum(axis=1)
    return tuple((int(a), int(b)) if own else None for a, b, own in zip(first, last, counted, strict=True))


def _errors(
    ses: Sequence[float | None], influences: Sequence[Influence | None], runs: Sequence[Run]
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Standard errors and degrees of freedom of all differences; those on the same samples by their influences."""
    import numpy as np

    alone = np.array([math.nan if se is None else se for se in ses])
    degrees = np.array([(run.headline.clusters or run.headline.n) - 1 for run in runs], dtype=np.float64)
    se = np.hypot(alone[:, None], alone[None, :])
    paired = np.zeros(se.shape, dtype=bool)
    groups: dict[bytes, list[int]] = defaultdict(list)
    for place, found in enumerate(influences):
        if found is not None:
            groups[found.asked].append(place)
    for places in groups.values():
        psi = np.stack([_psi(influences[place]) for place in places])
        size = (psi**2).sum(axis=1)
        squared = size[:, None] + size[None, :] - 2 * psi @ psi.T
        squared[squared < 1e-12 * (size[:, None] + size[None, :])] = 0.0  # what rounding leaves of equal answers
        se[np.ix_(places, places)] = np.sqrt(squared)
        paired[np.ix_(places, places)] = True
    return se, np.minimum(degrees[:, None], degrees[None, :]), paired


def _psi(found: Influence | None) -> Floats:
    assert found is not None
    return found.psi


def _tests(difference: Floats, se: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """Half widths and two-sided p. Where all clusters differ alike (SE 0), p is the chance of so many equal signs."""
    import numpy as np
    from scipy.special import stdtr, stdtrit

    known = np.isfinite(se) & np.isfinite(difference) & (degrees >= 1)
    safe = np.where(known, np.maximum(degrees, 1.0), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(safe, -np.abs(difference / se))
    p = np.where(se > 0, p, np.where(difference == 0, 1.0, 2.0 ** -np.minimum(safe, 1000.0)))
    return np.where(known, stdtrit(safe, 0.975) * se, np.nan), np.where(known, p, 1.0)


def _holm(p: Floats) -> Floats:
    """Adjust the p values above the diagonal for their number (Holm 1979), and mirror them."""
    import numpy as np

    upper = np.triu_indices(len(p), 1)
    flat = p[upper]
    order = np.argsort(flat, kind="stable")
    steps = np.minimum(1.0, np.maximum.accumulate(flat[order] * np.arange(len(flat), 0, -1))) if len(flat) else flat
    adjusted = np.ones_like(p)
    flat[order] = steps
    adjusted[upper] = flat
    return np.minimum(adjusted, adjusted.T)


def influence(run: Run) -> Influence | None:
    """Return each cluster's influence on a run's primary metric; None if it cannot be found out.

    The metric is the mean of a score wherever value and standard error say so; else it is looked up where the task is known.
    """
    try:
        columns = score_columns(run)
        found = _of_means(run, columns)
        psi = _of_task(run) if found is None else found
    except (HarnessError, KeyError, ValueError):
        return None
    return None if psi is None else Influence(asked=columns.asked, psi=psi, clusters=columns.clusters)


def _of_means(run: Run, columns: Columns) -> Floats | None:
    import numpy as np

    count, target = columns.clusters, run.headline
    for score in columns.scores.values():
        n = len(score)
        if count < 2 or n != target.n or np.isnan(score).any():
            continue
        psi: Floats = np.bincount(columns.cluster, weights=score - score.mean(), minlength=count) / n
        psi *= math.sqrt(count / (count - 1))
        if _same(float(score.mean()), target.value) and _same(_norm(psi), target.se):
            return psi
    return None


def _of_task(run: Run) -> Floats | None:
    from harness.metrics.rows import Rows

    estimator = _estimator(run.task, run.convention, run.primary)
    if estimator is None:
        return None
    moment = estimator(Rows.read(run.scores))
    right = _same(moment.value, run.headline.value) and _same(_norm(moment.influence), run.headline.se)
    return moment.influence if right else None


@cache
def _estimator(task: str, convention: str, primary: str) -> Estimator | None:
    """The estimator behind a metric's name, if the task is among those that come with riddle."""
    from harness.catalog import find_task

    try:
        metrics = find_task(task).conventions[convention].metrics
    except (HarnessError, KeyError):
        return None
    return next((metric.estimator for metric in metrics if metric.name == primary and metric.by is None), None)


def _norm(psi: Floats) -> float:
    return math.sqrt(float((psi**2).sum()))


def _same(one: float, other: float | None) -> bool:
    return other is not None and math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)


def pair_words(standing: Standing, places: Mapping[Any, int], scale: float) -> str:
    """Write the pairs above the diagonal for the page's script: half width in printed units, then ``+``, ``-`` or ``=``.

    ``?`` stands for a width that is unknown, ``u`` behind the sign for a pair that was not compared on the same samples.
    """
    words = []
    for i in range(len(places)):
        for j in range(i + 1, len(places)):
            half = float(standing.half[i, j])
            sign = "=+-"[int(standing.sign[i, j])]
            words.append(f"{'?' if math.isnan(half) else f'{scale * half:.1f}'}{sign}{'' if standing.paired[i, j] else 'u'}")
    return " ".join(words)
