"""The bench of growth: its fit, and a run of it whose phases are told apart."""

from __future__ import annotations

import math

import pytest

from harness.bench.scale import GROWING, MEMORY, bench_scale, exponent


def test_the_exponent_is_the_slope_of_the_logarithms() -> None:
    assert exponent([10, 100, 1000], [2, 20, 200]) == pytest.approx(1)
    assert exponent([10, 100, 1000], [5, 5, 5]) == pytest.approx(0)
    assert exponent([10, 1000], [1, 10_000]) == pytest.approx(2)
    assert math.isnan(exponent([10], [1]))


@pytest.mark.slow
def test_every_phase_is_measured_at_every_size() -> None:
    *sizes, fitted = bench_scale(n=200, workers=2)
    assert [row["requests"] for row in sizes] == [2, 20, 200]
    for row in sizes:
        assert all(row[name] > 0 for name in GROWING), row
        assert row["generate_mib"] <= row["score_mib"], "the peak so far"
    assert set(GROWING) <= set(fitted) and isinstance(fitted["ok"], bool)
    assert set(MEMORY) < set(GROWING)
