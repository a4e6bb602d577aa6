"""Functions of metrics: value, standard error by the delta method, and the average precision of a yes or no."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import functions
from harness.metrics.aggregate import Metric, Rows, aggregate, combine, mean, ratio
from harness.metrics.functions import average_precision, function_of
from harness.types import Parsed, Scored


def rows(values: list[tuple[float, float]]) -> Rows:
    return Rows.of(
        Scored(sample_id=str(n), cluster=str(n // 2), groups={}, reply="", parsed=Parsed(""), scores={"a": a, "b": b})
        for n, (a, b) in enumerate(values)
    )


SOME = [(1.0, 0.5), (0.0, 1.0), (1.0, 1.0), (0.5, 0.25), (0.0, 0.75), (1.0, 0.0)]


def test_the_docstrings_tell_the_truth() -> None:
    assert doctest.testmod(functions).failed == 0


def test_a_sum_and_a_ratio_have_the_standard_errors_of_their_closed_forms() -> None:
    metrics = (
        Metric(name="sum", estimator=combine([(0.5, mean("a")), (0.25, mean("b"))])),
        Metric(name="same sum", estimator=function_of(lambda a, b: 0.5 * a + 0.25 * b, mean("a"), mean("b"))),
        Metric(name="ratio", estimator=ratio("a", "b")),
        Metric(name="same ratio", estimator=function_of(lambda a, b: a / b, mean("a"), mean("b"))),
    )
    one, two, three, four = aggregate(rows(SOME), metrics)
    assert (two.value, two.se, two.n) == (pytest.approx(one.value), pytest.approx(one.se), one.n)
    assert (four.value, four.se) == (pytest.approx(three.value), pytest.approx(three.se, rel=1e-5))


def test_nothing_to_compute_from_is_undefined() -> None:
    undefined = Metric(name="x", estimator=function_of(average_precision, mean("a"), mean("a"), mean("a")))
    got = aggregate(rows([(0.0, 0.0)] * 4), (undefined,))[0]
    assert math.isnan(got.value) and got.method.startswith("undefined")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_average_precision_is_the_area_below_the_steps(cases: list[tuple[bool, bool]]) -> None:
    """scikit-learn: sum of (recall - recall before) * precision, from the highest threshold to the lowest."""
    positive = sum(truth for _, truth in cases)
    n = len(cases)
    got = average_precision(sum(s and t for s, t in cases) / n, sum(s for s, _ in cases) / n, positive / n)
    if not positive:
        assert math.isnan(got)
        return
    area, before = 0.0, 0.0
    for threshold in sorted({said for said, _ in cases}, reverse=True):
        chosen = [truth for said, truth in cases if said >= threshold]
        recall = sum(chosen) / positive
        area += (recall - before) * sum(chosen) / len(chosen)
        before = recall
    assert got == pytest.approx(area)
