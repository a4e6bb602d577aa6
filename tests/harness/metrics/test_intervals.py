from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.aggregate import Metric, Rows, aggregate, mean, sum_over
from harness.metrics.intervals import bounded, degrees, symmetric, wilson
from harness.types import Parsed, Scored


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_that_of_statsmodels_for_numbers_and_arrays(n: int, share: float, confidence: float) -> None:
    proportions = pytest.importorskip("statsmodels.stats.proportion")
    right = round(share * n)
    wanted = proportions.proportion_confint(right, n, alpha=1 - confidence, method="wilson")
    assert wilson(right / n, n, confidence) == pytest.approx(wanted, abs=1e-9)
    low, high = wilson(np.array([right / n, 0.5]), np.array([n, 9.0]), confidence)
    assert (low[0], high[0]) == pytest.approx(wanted, abs=1e-9)


def test_normal_influences_leave_nearly_all_degrees_of_freedom_and_a_lonely_one_leaves_one() -> None:
    psi = np.random.default_rng(0).normal(size=400)
    assert degrees((psi**2).sum(), (psi**4).sum(), 400) == pytest.approx(399, rel=0.2)
    lonely = np.array([1.0, *[0.001] * 399])
    assert degrees((lonely**2).sum(), (lonely**4).sum(), 400) == pytest.approx(2, abs=0.1)
    assert degrees(0.5, 0.125, 2) == 1


@given(st.floats(0, 1), st.floats(1e-6, 0.5), st.integers(2, 500))
def test_a_bounded_interval_holds_its_value_inside_the_range_and_mirrors(p: float, se: float, clusters: int) -> None:
    low, high = bounded(p, se, clusters, clusters - 1)
    assert 0 <= low <= p + 1e-12 and p - 1e-12 <= high <= 1
    assert bounded(1 - p, se, clusters, clusters - 1) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_far_from_the_bounds_and_with_many_clusters_it_is_the_symmetric_one() -> None:
    assert bounded(0.5, 0.004, 3000, 2999) == pytest.approx(symmetric(0.5, 0.004, 2999), abs=1e-4)


def test_no_spread_counts_clusters_and_answers_that_even_out_count_themselves() -> None:
    assert bounded(1.0, 0.0, 20, 19, trials=60) == pytest.approx(wilson(1, 20))
    assert bounded(0.5, 0.0, 20, 19, trials=60) == pytest.approx(wilson(0.5, 60))
    assert bounded(0.7, 0.0, 20, 19) == pytest.approx(wilson(0.7, 20))


def test_a_sum_over_disjoint_parts_has_the_degrees_of_freedom_of_welch() -> None:
    """Two parts of two clusters each: their variances have one degree of freedom each, the sum at most two (not three)."""

    def row(number: int, part: str, score: float) -> Scored:
        parsed = Parsed("x")
        return Scored(
            sample_id=str(number), cluster=str(number), groups={"part": part}, reply="", parsed=parsed, scores={"x": score}
        )

    rows = Rows.of(row(i, "ab"[i // 2], score) for i, score in enumerate([3.0, 5.0, 10.0, 14.0]))
    (got,) = aggregate(rows, [Metric(name="m", estimator=sum_over("part", mean("x")))])
    assert (got.value, got.method) == (16.0, "t")
    assert got.se == pytest.approx(np.sqrt(1 + 4))
    freedom = (1 + 4) ** 2 / (1 + 16)
    assert (got.low, got.high) == pytest.approx(symmetric(16.0, np.sqrt(5), freedom))
