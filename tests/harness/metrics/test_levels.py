"""Averages over weighted levels, worked out by hand."""

from __future__ import annotations

import pytest

from harness.metrics.aggregate import Rows, aggregate, mean, weighted_mean_over
from harness.metrics.levels import level_metrics
from harness.types import Parsed, Scored

LEVELS = {"easy": {"a": 1.0, "b": 0.5}, "hard": {"c": 2.0}}
SCORES = {"a": (1, 1, 0, 0), "b": (1, 1), "c": (0, 1, 0)}


def rows(lost: str = "", absent: str = "") -> Rows:
    """All parts but an absent one; of a lost one the first reply is missing."""
    return Rows.of(
        Scored(
            sample_id=f"{part}{i}",
            cluster="",
            groups={"part": part},
            reply=None,
            parsed=Parsed(),
            scores={"correct": float(value)},
            missing=part == lost and i == 0,
        )
        for part, values in SCORES.items()
        for i, value in enumerate(values)
        if part != absent
    )


def values(of: Rows) -> dict[str, float]:
    return {estimate.name: estimate.value for estimate in aggregate(of, level_metrics("correct", "part", LEVELS))}


def test_levels_weigh_their_parts_and_count_alike() -> None:
    easy, hard = (1 * 0.5 + 0.5 * 1) / 1.5, 1 / 3
    assert values(rows()) == {
        f"{name}{ending}{of}": pytest.approx(value)
        for ending in ("", "_over_all")
        for name, of, value in (
            ("avg_all", "", (easy + hard) / 2),
            ("paper_avg", "", (0.5 + 1 + 1 / 3) / 3),
            ("avg", "/easy", easy),
            ("avg", "/hard", hard),
            ("accuracy", "/a", 0.5),
            ("accuracy", "/b", 1),
            ("accuracy", "/c", 1 / 3),
        )
    }


def test_a_missing_reply_is_forgiven_in_one_of_the_two() -> None:
    got = values(rows(lost="c"))
    assert (got["accuracy/c"], got["accuracy_over_all/c"]) == (pytest.approx(1 / 2), pytest.approx(1 / 3))


def test_an_average_over_an_absent_part_is_undefined() -> None:
    (estimate,) = (
        each for each in aggregate(rows(absent="b"), level_metrics("correct", "part", LEVELS)) if each.name == "avg_all"
    )
    assert estimate.method == "undefined: no samples"
    assert values(rows(absent="b"))["avg/hard"] == pytest.approx(1 / 3)


def test_a_weighted_mean_of_one_part_is_that_part() -> None:
    alone, part = weighted_mean_over("part", mean("correct"), {"a": 3.0})(rows()), mean("correct", where={"part": "a"})(rows())
    assert (alone.value, alone.proportion, list(alone.influence)) == (part.value, part.proportion, list(part.influence))
