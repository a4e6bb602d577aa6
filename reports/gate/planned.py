"""Baselines that nobody has measured yet: benchmarks by their sizes, to plan a policy before there is a run.

A file names each benchmark's number of samples and clusters, its expected score, and what its pictures are drawn from, so that
benchmarks on the same pictures are correlated:

    pools: {coco: 5000}
    benches:
      - {name: pope, n: 9000, clusters: 500, mean: 0.87, pool: coco}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError
from harness.schema import read
from reports.gate.draws import Bench, bench_of


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One benchmark.

    Attributes:
        name: any
        n: samples
        clusters: pictures, documents, clips or question groups that they share
        mean: expected score, between 0 and 1
        pool: what the clusters' pictures are drawn from; its own pictures unless given
    """

    name: str
    n: int
    clusters: int
    mean: float
    pool: str = ""

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if not 2 <= self.clusters <= self.n:
            yield f"clusters={self.clusters}: must be at least 2 and at most n={self.n}"
        if not 0 < self.mean < 1:
            yield f"mean={self.mean:g}: must be between 0 and 1"


@dataclass(frozen=True, kw_only=True)
class Plans:
    """A file of planned benchmarks.

    Attributes:
        benches: the benchmarks
        pools: how many pictures each pool has
        alike: how far samples of one picture are right together, between 0 and 1
    """

    benches: tuple[Planned, ...]
    pools: Mapping[str, int] = field(default_factory=dict)
    alike: float = 0.2

    def problems(self) -> Iterator[str]:
        """Yield what is out of range, missing or there twice."""
        names = [bench.name for bench in self.benches]
        yield from (f"benches: {name} stands twice" for name in sorted({name for name in names if names.count(name) > 1}))
        for bench in self.benches:
            if bench.pool and self.pools.get(bench.pool, 0) < bench.clusters:
                yield f"pools.{bench.pool}: must have at least the {bench.clusters} pictures of {bench.name}"
        if not 0 <= self.alike < 1:
            yield f"alike={self.alike:g}: must be at least 0 and below 1"


def planned_benches(path: Path, values: Mapping[str, object], seed: int) -> tuple[list[Bench], int]:
    """Draw a baseline of the planned sizes; return its benchmarks, and how many different pictures they show.

    Raises:
        ConfigError: names everything that is wrong in the file.
    """
    try:
        plans = read(Plans, values)
    except ConfigError as error:
        raise ConfigError(f"{path}:\n" + "\n".join(f"  {line}" for line in str(error).splitlines())) from error
    codes: dict[str, int] = {}
    benches = [_drawn(plan, plans, codes, [seed, place]) for place, plan in enumerate(plans.benches)]
    return benches, len(codes)


def _drawn(plan: Planned, plans: Plans, codes: dict[str, int], seed: list[int]) -> Bench:
    import numpy as np
    from scipy.special import ndtri

    random = np.random.default_rng(seed)
    sizes = 1 + random.multinomial(plan.n - plan.clusters, np.full(plan.clusters, 1 / plan.clusters))
    cluster = np.repeat(np.arange(plan.clusters), sizes)
    pictures = random.choice(plans.pools[plan.pool], plan.clusters, replace=False) if plan.pool else np.arange(plan.clusters)
    latent = plans.alike**0.5 * random.standard_normal(plan.clusters)[cluster]
    latent += (1 - plans.alike) ** 0.5 * random.standard_normal(plan.n)
    shown = [f"{plan.pool or plan.name} {picture}" for picture in pictures[cluster].tolist()]
    values = (latent < float(ndtri(plan.mean))).astype(np.float64)
    return bench_of(plan.name, values, cluster, shown, np.arange(plan.clusters), codes, 1.0, "percent")
