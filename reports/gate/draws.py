"""Draws what a candidate would answer that is as good as the baseline, or worse by a known amount, from its own scores.

Between two equally good checkpoints some answers change (`churn`); those are drawn anew from the benchmark's own scores, so
that the expected difference is exactly 0 whatever the scores are. Whether a sample changes, and to what, depends in part (`rho`)
on what it shows: samples of one cluster, and of one picture in several benchmarks, share a normal variable for each (a Gaussian
copula).
A loss takes correct answers at random until the expected difference is the loss.

Not here: what is decided about the draws (`reports.gate.looks`, `reports.gate.simulate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from reports.paired import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """One benchmark to draw for.

    Attributes:
        values: the baseline's scores of its units, float[n], those of a cluster behind one another.
        starts: where each cluster begins, int[G]; sizes: how many units it has, int[G].
        shown: what each unit shows, as codes over all benchmarks, int[n].
        scale: the largest difference that one unit can make.
    """

    name: str
    values: Floats
    starts: Ints
    sizes: Ints
    shown: Ints
    scale: float
    unit: str


def bench_of(
    name: str, values: Floats, cluster: Ints, shown: Sequence[str], order: Ints, codes: dict[str, int], scale: float, unit: str
) -> Bench:
    """Arrange a benchmark's units by the order in which their clusters are asked.

    Args:
        name: of the benchmark.
        values: scores of its units, float[n].
        cluster: codes 0..G-1, int[n].
        shown: names what each unit shows, over all benchmarks, str[n].
        order: the clusters in the order in which they are asked, int[G].
        codes: the names' codes, which new names are added to.
        scale: the largest difference that one unit can make.
        unit: of the scores.
    """
    import numpy as np

    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    places = np.argsort(rank[cluster], kind="stable")
    sizes = np.bincount(rank[cluster], minlength=len(order))
    return Bench(
        name=name, values=values[places], starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes=sizes,
        shown=np.array([codes.setdefault(shown[i], len(codes)) for i in places.tolist()], dtype=np.int64), scale=scale, unit=unit,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Change:
    """How two checkpoints differ: share of answers that change, and how far what is shown decides that, both in 0..1."""

    churn: float = 0.15
    rho: float = 0.3


def draw(
    benches: Sequence[Bench], shown: int, count: int, change: Change, losses: Mapping[str, float], random: np.random.Generator
) -> list[tuple[Floats, Floats]]:
    """Draw ``count`` candidates; return for each benchmark the cluster sums of no change and of a loss, float[count, G] each.

    Raises:
        ConfigError: a loss is more than the benchmark's scores can lose.
    """
    common = random.standard_normal((2, count, shown), dtype=_float32())
    return [_drawn(bench, common, change, losses.get(bench.name, 0.0), random) for bench in benches]


def _drawn(
    bench: Bench,
    common: np.ndarray[Any, np.dtype[np.float32]],
    change: Change,
    loss: float,
    random: np.random.Generator,
) -> tuple[Floats, Floats]:
    import numpy as np
    from scipy.special import ndtr, ndtri

    shared, own = np.float32(change.rho**0.5), np.float32((1 - change.rho) ** 0.5)
    count, n = common.shape[1], len(bench.values)
    flips = shared * common[0][:, bench.shown] + own * random.standard_normal((count, n), dtype=np.float32)
    row, place = np.nonzero(flips < float(ndtri(change.churn)))
    level = ndtr(shared * common[1][row, bench.shown[place]] + own * random.standard_normal(len(row), dtype=np.float32))
    pool = np.sort(bench.values)
    new = pool[np.minimum((level * n).astype(np.int64), n - 1)]
    d = np.zeros((count, n), dtype=np.float32)
    d[row, place] = new - bench.values[place]
    equal = np.add.reduceat(d, bench.starts, axis=1).astype(np.float64)
    if not loss:
        return equal, equal
    floor = float(pool[0])
    share = loss / (float(bench.values.mean()) - floor) if bench.values.mean() > floor else np.inf
    if share > 1:
        raise ConfigError(f"loss={loss:g}: is more than {bench.name} can lose, its mean is {bench.values.mean():.3g}")
    gone = random.random((count, n), dtype=np.float32) < share
    lost = np.where(gone, np.float32(floor) - bench.values.astype(np.float32), d)
    return equal, np.add.reduceat(lost, bench.starts, axis=1).astype(np.float64)


def _float32() -> type[np.float32]:
    import numpy as np

    return np.float32
