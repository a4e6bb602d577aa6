from __future__ import annotations

import math

import numpy as np
import pytest

from harness.metrics.aggregate import Metric, Rows, aggregate, mean, ratio
from harness.metrics.bootstrap import bca, corpus
from harness.types import Parsed, Scored


def table(n: int = 240, size: int = 4, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    skill = np.repeat(random.beta(4, 2, n), size)
    return Rows.of(
        Scored(
            sample_id=str(i), cluster=str(i // size), groups={}, reply="", parsed=Parsed("x"),
            scores={"hit": float(random.random() < skill[i]), "said": 1.0, "x": float(random.normal(skill[i], 0.1))},
        )
        for i in range(n)
    )  # fmt: skip


def weighted(rows: Rows, weights: np.ndarray) -> np.ndarray:
    return (weights @ rows.score("hit")) / (weights @ rows.score("said"))


def correlation(rows: Rows, weights: np.ndarray) -> np.ndarray:
    x, y = rows.score("x"), rows.score("hit")
    total = weights.sum(1)
    mx, my, xy = (weights @ column / total for column in (x, y, x * y))
    return (xy - mx * my) / np.sqrt((weights @ x**2 / total - mx**2) * (weights @ y**2 / total - my**2))


def test_of_a_ratio_it_agrees_with_the_delta_method() -> None:
    rows = table()
    drawn, known = aggregate(
        rows, [Metric(name="drawn", estimator=corpus(weighted)), Metric(name="known", estimator=ratio("hit", "said"))]
    )
    assert drawn.method == "bootstrap" and drawn.value == pytest.approx(known.value, abs=1e-12)
    assert drawn.se == pytest.approx(known.se, rel=0.01)
    assert (drawn.low, drawn.high) == pytest.approx((known.low, known.high), abs=0.25 * known.se)


def test_the_same_seed_gives_the_same_interval_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = table(60)
    first = aggregate(rows, [Metric(name="m", estimator=corpus(correlation, bounds=(-1, 1)))])
    monkeypatch.setattr("harness.metrics.bootstrap._BLOCK", 1000)
    assert aggregate(rows, [Metric(name="m", estimator=corpus(correlation, bounds=(-1, 1)))]) == first
    assert first[0].low < first[0].value < first[0].high
    assert aggregate(rows, [Metric(name="m", estimator=corpus(correlation, seed=1))])[0].low != first[0].low


def test_the_interval_is_scipys_on_the_same_statistic() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).exponential(size=40)
    wanted = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    rows = Rows.of(
        Scored(sample_id=str(i), cluster="", groups={}, reply="", parsed=Parsed("x"), scores={"x": float(x)})
        for i, x in enumerate(values)
    )
    estimator = corpus(lambda rows, weights: weights @ rows.score("x") / weights.sum(1), bounds=None, draws=20_000)
    (got,) = aggregate(rows, [Metric(name="m", estimator=estimator)])
    assert (got.low, got.high) == pytest.approx((wanted.low, wanted.high), abs=0.02)
    assert got.se == pytest.approx(aggregate(rows, [Metric(name="m", estimator=mean("x"))])[0].se, rel=1e-9)


def test_what_has_no_value_says_so() -> None:
    nothing = corpus(lambda rows, weights: np.full(len(weights), math.nan))
    (got,) = aggregate(table(8), [Metric(name="m", estimator=nothing)])
    assert got.method == "undefined: the statistic has no value here"
    assert all(map(math.isnan, bca(0.5, np.full(10, math.nan), np.ones(3), 0.95)))
    (one,) = aggregate(table(4), [Metric(name="m", estimator=corpus(weighted))])
    assert one.method == "undefined: fewer than two clusters"
