"""The bench of intervals and tests: that it goes through the real functions, and in the slow test that these keep their word."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.metrics.aggregate import Metric, Rows, aggregate, mean
from harness.types import Parsed, Scored
from reports import coverage
from reports.coverage import BEGIN, DESIGNS, END, bench_coverage, covered_accuracy


def test_the_drawn_intervals_are_those_of_results(monkeypatch):
    """One drawn data set, replayed sample by sample through Rows and aggregate."""
    seen = []
    held = coverage._held
    monkeypatch.setattr(coverage, "_held", lambda *known, **more: seen.append((known, more)) or held(*known, **more))
    design, random = DESIGNS[2], np.random.default_rng(3)
    covered_accuracy(design, 60, 0.7, 0.2, 1, random)
    random = np.random.default_rng(3)
    size = random.integers(design.smallest, design.largest + 1, (1, design.clusters(60)))
    right = random.binomial(size, coverage.chance(0.7, 0.2, size.shape, random))
    answers = [(g, i < r) for g, (m, r) in enumerate(zip(size[0], right[0], strict=True)) for i in range(m)]
    scored = [
        Scored(sample_id=str(i), cluster=str(g), groups={}, reply="", parsed=Parsed("x"), scores={"x": float(hit)})
        for i, (g, hit) in enumerate(answers)
    ]
    (got,) = aggregate(Rows.of(scored), [Metric(name="m", estimator=mean("x"))])
    (value, psi, _), more = seen[0]
    squares = psi**2
    low, high = coverage.bounded(
        value, np.sqrt(squares.sum(1)), psi.shape[1],
        coverage.degrees(squares.sum(1), (squares**2).sum(1), psi.shape[1]), 0.95, more["trials"],
    )  # fmt: skip
    assert (got.value, got.low, got.high) == pytest.approx((value[0], low[0], high[0]), abs=1e-12)


def test_the_page_is_written_between_its_marks_only(tmp_path, monkeypatch):
    monkeypatch.setattr(coverage, "DESIGNS", DESIGNS[:1])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
    rows = bench_coverage(draws=3, page=str(page))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n") and text.endswith(f"{END}\nafter\n") and "stale" not in text
    assert text.count("\n| ") == len(rows) + 1
    page.write_text("no marks")
    with pytest.raises(ConfigError, match="holds no <!-- coverage"):
        bench_coverage(draws=1, page=str(page))


@pytest.mark.slow
def test_intervals_cover_and_tests_alarm_as_often_as_they_say():
    missed = [row for row in bench_coverage(draws=1000, seed=1) if row["ok"] is False]
    assert len(missed) <= 2, missed  # of over 160 rows, each within two standard errors
