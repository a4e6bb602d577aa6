"""The bench of scoring: its replies are the same each time and mixed, and its rows carry the peers' rates."""

from __future__ import annotations

import random

import pytest

from harness.bench.scoring import CASES, Case, bench_scoring
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply


def test_each_row_has_a_rate_a_peer_and_a_ratio() -> None:
    rows = bench_scoring(items=40, passes=1)
    assert [row["name"] for row in rows] == [case.name for case in CASES]
    for row in rows:
        assert row["items_per_s"] > 0
        assert (row["lmms_eval_per_s"] is None) == (row["times"] is None)
        assert row["times"] is None or (row["lmms_eval_per_s"] > 0 and row["times"] > 0)
        assert (row["ok"] is None) == (row["aim"] is None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_replies_are_the_same_each_time_and_neither_all_right_nor_all_wrong(case: Case) -> None:
    fed = case.make(random.Random(0), 400)
    assert fed == case.make(random.Random(0), 400)
    assert len(fed) == 400
    rows = Rows.of(score_reply(case.convention, sample, reply) for sample, reply in fed)
    first = next(estimate for estimate in aggregate(rows, case.convention.metrics) if estimate.name == case.convention.primary)
    assert 0.02 < first.value < 0.98
