"""Chi-square of answers against a plain rewriting of the official score, and its standard error."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.aggregate import Metric, Rows, aggregate
from harness.metrics.distribution import NO_ANSWER, answer_code, answer_codes, chi_square
from harness.types import Parsed, Sample, Scored

Said = tuple[str | None, str, str]
METRIC = (Metric(name="distribution", estimator=chi_square("global")),)


def rows(said: list[Said], times: int = 1) -> Rows:
    scored = []
    for number, (answer, truth, group) in enumerate(said * times):
        parsed, sample = Parsed(answer), Sample(id=str(number), references=(truth,), groups={"global": group})
        codes = answer_codes(parsed, sample)
        scored.append(Scored(sample_id=str(number), cluster="", groups=sample.groups, reply=answer, parsed=parsed, scores=codes))
    return Rows.of(scored)


def plainly(said: list[Said]) -> float:
    total, weight = 0.0, 0
    for group in {one[2] for one in said} - {""}:
        own = [one for one in said if one[2] == group]
        gold, predicted = Counter(one[1] for one in own), Counter(one[0] for one in own)
        total += len(own) * sum((predicted[text] - n) ** 2 / n for text, n in gold.items())
        weight += len(own)
    return total / weight / 100 if weight else math.nan


WORD = st.sampled_from(["red", "blue", "Red", ""])


@given(st.lists(st.tuples(st.one_of(st.none(), WORD), WORD, st.sampled_from(["color", "place", ""])), min_size=1, max_size=30))
def test_the_value_is_the_official_one(said: list[Said]) -> None:
    got = aggregate(rows(said), METRIC)[0]
    expected = plainly(said)
    assert got.value == pytest.approx(expected, abs=1e-12) or (math.isnan(got.value) and math.isnan(expected))


def test_it_is_0_where_answers_are_as_frequent_as_they_should_be_and_grows_with_their_number() -> None:
    swapped: list[Said] = [("red", "blue", "color"), ("blue", "red", "color")]
    assert aggregate(rows(swapped), METRIC)[0].value == 0.0
    wrong: list[Said] = [("red", "blue", "color"), ("red", "red", "color")]
    assert aggregate(rows(wrong, times=10), METRIC)[0].value == pytest.approx(10 * aggregate(rows(wrong), METRIC)[0].value)


def test_the_standard_error_is_that_of_leaving_clusters_out() -> None:
    said: list[Said] = [("red", "blue", "color"), ("red", "red", "color"), ("blue", "blue", "color"), ("in", "out", "place")] * 30
    said += [("out", "out", "place")] * 20
    n = len(said)
    without = [plainly(said[:place] + said[place + 1 :]) * n / (n - 1) for place in range(n)]
    mean = sum(without) / n
    jackknife = math.sqrt((n - 1) / n * sum((value - mean) ** 2 for value in without))
    assert aggregate(rows(said), METRIC)[0].se == pytest.approx(jackknife, rel=0.05)


def test_codes_tell_texts_apart_and_lie_between_0_and_1() -> None:
    codes = {answer_code(str(number)) for number in range(5000)} | {answer_code(""), answer_code("\ud800")}
    assert len(codes) == 5002 and NO_ANSWER not in codes
    assert all(0 < code <= 1 for code in codes) and answer_code(None) == NO_ANSWER
