from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.aggregate import (
    Estimate,
    Metric,
    Rows,
    aggregate,
    all_of,
    combine,
    mean,
    mean_over,
    ratio,
    sum_over,
    wilson,
)
from harness.metrics.intervals import symmetric
from harness.types import Parsed, Scored


def row(number: int, cluster: str = "", group: str = "a", **scores: float) -> Scored:
    return Scored(
        sample_id=str(number), cluster=cluster, groups={"kind": group}, reply="r", parsed=Parsed("x"), scores=scores or {"x": 1.0}
    )


def rows(values: Sequence[float], clusters: Sequence[object] | None = None, groups: Sequence[str] | None = None) -> Rows:
    named = [str(name) for name in clusters] if clusters is not None else [""] * len(values)
    kinds = groups or ["a"] * len(values)
    return Rows.of(
        row(i, cluster, kind, x=float(x)) for i, (x, cluster, kind) in enumerate(zip(values, named, kinds, strict=True))
    )


def one(rows: Rows, estimator: object, **options: object) -> Estimate:
    (estimate,) = aggregate(rows, [Metric(name="m", estimator=estimator)], **options)  # type: ignore[arg-type]
    return estimate


def clustered_sample(seed: int = 3, n: int = 200) -> tuple[list[float], list[int]]:
    draw = random.Random(seed)
    clusters = [draw.randrange(40) for _ in range(n)]
    lift = [draw.random() for _ in range(40)]
    return [lift[cluster] + draw.random() for cluster in clusters], clusters


class TestMean:
    def test_error_is_that_of_statsmodels_clustered_covariance(self) -> None:
        regression = pytest.importorskip("statsmodels.api")
        values, clusters = clustered_sample()
        fit = regression.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_t": True})
        got = one(rows(values, clusters), mean("x"))
        assert got.value == pytest.approx(fit.params[0], abs=1e-12)
        assert got.se == pytest.approx(fit.bse[0], abs=1e-9)
        assert symmetric(got.value, got.se, got.clusters - 1) == pytest.approx(fit.conf_int()[0], abs=1e-9)
        assert got.clusters == len(set(clusters))

    def test_singletons_give_the_usual_standard_error(self) -> None:
        values, _ = clustered_sample()
        got = one(rows(values), mean("x"))
        assert got.se == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(values)), abs=1e-12)
        assert (got.n, got.clusters) == (200, 200)

    def test_copies_inside_a_cluster_teach_nothing(self) -> None:
        values, _ = clustered_sample(n=40)
        alone = one(rows(values, range(40)), mean("x"))
        thrice = one(rows([x for x in values for _ in range(3)], [c for c in range(40) for _ in range(3)]), mean("x"))
        assert thrice.se == pytest.approx(alone.se, abs=1e-12)
        assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high))

    def test_an_unbounded_interval_uses_student_with_one_degree_less_than_clusters(self) -> None:
        got = one(rows([2, 4, 9, 5], [1, 1, 2, 2]), mean("x"))
        assert got.method == "t"
        assert (got.low, got.high) == pytest.approx((5 - 12.7062 * 2, 5 + 12.7062 * 2), abs=1e-3)

    def test_a_bounded_interval_stays_inside_and_leans_away_from_the_bound(self) -> None:
        got = one(rows([0.9, 1.0, 0.95, 0.8, 1.0, 1.0]), mean("x"))
        assert got.method == "wilson"
        assert 0 < got.low < got.value < got.high < 1
        assert got.value - got.low > got.high - got.value

    def test_where_keeps_only_the_named_groups(self) -> None:
        data = rows([1, 0, 0, 0], groups=["a", "a", "b", "c"])
        assert one(data, mean("x", where={"kind": "a"})).value == 0.5
        assert one(data, mean("x", where={"kind": ("a", "b")})).value == pytest.approx(1 / 3)
        assert one(data, mean("x", where=lambda view: view.score("x") > 0)).value == 1.0

    def test_nothing_to_average_is_undefined_and_null(self) -> None:
        got = one(rows([1.0]), mean("x", where={"kind": "absent"}))
        assert math.isnan(got.value) and got.method == "undefined: no samples" and got.n == 0
        assert got.record()["value"] is None and got.record()["low"] is None

    def test_a_score_that_is_not_a_number_makes_the_mean_undefined(self) -> None:
        got = one(rows([1.0, math.nan]), mean("x"))
        assert got.method == "undefined: a score is not a number"

    def test_an_unknown_score_is_an_error_that_names_those_there_are(self) -> None:
        with pytest.raises(KeyError, match=r"no score 'y'.*there are: x"):
            one(rows([1.0]), mean("y"))
        with pytest.raises(KeyError, match="no group 'z'"):
            one(rows([1.0]), mean("x", where={"z": "a"}))


class TestProportion:
    @pytest.mark.parametrize(("right", "n"), [(1, 50), (7, 20), (49, 50), (500, 1000)])
    def test_independent_answers_get_wilsons_interval(self, right: int, n: int) -> None:
        proportions = pytest.importorskip("statsmodels.stats.proportion")
        got = one(rows([1] * right + [0] * (n - right)), mean("x"))
        assert got.method == "wilson"
        assert (got.low, got.high) == pytest.approx(proportions.proportion_confint(right, n, method="wilson"), abs=1e-9)

    @pytest.mark.parametrize("answer", [0, 1])
    def test_all_alike_never_has_an_interval_without_width(self, answer: int) -> None:
        got = one(rows([answer] * 60, [i // 3 for i in range(60)]), mean("x"))
        assert got.se == 0
        assert (got.low, got.high) == pytest.approx(wilson(answer, 20), abs=1e-12)
        assert got.high - got.low > 0.1
        assert got.low <= got.value <= got.high

    def test_clusters_that_agree_widen_the_interval_to_that_of_their_number(self) -> None:
        alone = one(rows([1] * 30 + [0] * 10, range(40)), mean("x"))
        copied = one(rows([1] * 150 + [0] * 50, [i // 5 for i in range(200)]), mean("x"))
        assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high), abs=0.01)

    def test_a_model_that_always_says_yes_is_not_credited_with_certainty(self) -> None:
        got = one(rows([1, 0] * 30, [i // 2 for i in range(60)]), mean("x"))
        assert got.se == 0 and got.value == 0.5
        assert got.high - got.low > 0.2

    def test_one_sample_and_one_cluster_are_as_wide_as_one_coin(self) -> None:
        single = one(rows([1]), mean("x"))
        assert math.isnan(single.se) and (single.low, single.high) == pytest.approx(wilson(1, 1))
        cluster = one(rows([1, 0, 1], ["c"] * 3), mean("x"))
        assert (cluster.low, cluster.high) == pytest.approx(wilson(2 / 3, 1))
        assert one(rows([0.3, 0.4], ["c"] * 2), mean("x")).method == "undefined: fewer than two clusters"


class TestAllOf:
    def test_counts_groups_in_which_every_row_is_right(self) -> None:
        data = rows([1, 1, 1, 0, 1, 1], groups=["q1", "q1", "q2", "q2", "q3", "q3"], clusters=[1, 1, 2, 2, 3, 3])
        got = one(data, all_of("x", by="kind"))
        assert got.value == pytest.approx(2 / 3)
        assert (got.n, got.clusters) == (3, 3)

    def test_is_undefined_where_a_score_is(self) -> None:
        assert math.isnan(one(rows([1, math.nan], groups=["a", "b"]), all_of("x", by="kind")).value)


class TestRatio:
    def data(self, n: int = 300, seed: int = 1) -> Rows:
        draw = random.Random(seed)
        cells = [draw.choice(["tp", "fp", "fn", "tn"]) for _ in range(n)]
        names = ("tp", "fp", "fn", "tn")
        return Rows.of(row(i, str(i // 4), **{name: float(name == cell) for name in names}) for i, cell in enumerate(cells))

    def test_f1_is_that_of_scikit_learn(self) -> None:
        from sklearn.metrics import f1_score

        data = self.data()
        truth = data.score("tp") + data.score("fn")
        said = data.score("tp") + data.score("fp")
        got = one(data, ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}))
        assert got.value == pytest.approx(f1_score(truth, said), abs=1e-12)

    def test_error_of_f1_is_near_that_of_a_cluster_bootstrap(self) -> None:
        data = self.data(n=800)
        above, below = 2 * data.score("tp"), 2 * data.score("tp") + data.score("fp") + data.score("fn")
        sums = np.stack([np.bincount(data.cluster, column) for column in (above, below)])
        draws = np.random.default_rng(0).integers(0, sums.shape[1], (4000, sums.shape[1]))
        top, bottom = sums[:, draws].sum(-1)
        got = one(data, ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}))
        assert got.se == pytest.approx(np.std(top / bottom), rel=0.05)

    def test_a_ratio_of_a_score_to_ones_is_its_mean(self) -> None:
        values, clusters = clustered_sample()
        paired = zip(values, clusters, strict=True)
        data = Rows.of(row(i, str(c), x=x, one=1.0) for i, (x, c) in enumerate(paired))
        quotient, plain = one(data, ratio("x", "one", bounds=None)), one(data, mean("x"))
        assert (quotient.value, quotient.se) == pytest.approx((plain.value, plain.se), abs=1e-12)

    def test_zero_denominator_is_undefined_and_not_zero(self) -> None:
        data = Rows.of(row(i, tp=0.0, fp=0.0) for i in range(3))
        got = one(data, ratio("tp", {"tp": 1, "fp": 1}))
        assert math.isnan(got.value) and got.method == "undefined: the denominator is 0 over 3 samples"

    def test_perfect_f1_still_has_an_interval(self) -> None:
        data = Rows.of(row(i, str(i // 2), tp=1.0, fp=0.0, fn=0.0) for i in range(40))
        got = one(data, ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1}))
        assert got.method == "wilson" and (got.low, got.high) == pytest.approx(wilson(1, 20))


class TestSums:
    def test_disjoint_parts_add_their_variances(self) -> None:
        values, clusters = clustered_sample()
        kinds = ["left" if cluster < 20 else "right" for cluster in clusters]
        data = rows(values, clusters, kinds)
        left, right = (one(data, mean("x", where={"kind": kind})) for kind in ("left", "right"))
        total = one(data, combine([(2, mean("x", where={"kind": "left"})), (3, mean("x", where={"kind": "right"}))]))
        assert total.value == pytest.approx(2 * left.value + 3 * right.value)
        assert total.se == pytest.approx(math.hypot(2 * left.se, 3 * right.se), abs=1e-12)
        assert total.n == 200

    def test_parts_on_the_same_clusters_know_of_each_other(self) -> None:
        values, clusters = clustered_sample()
        data = rows(values * 2, clusters * 2, ["a"] * 200 + ["b"] * 200)
        single, both = one(rows(values, clusters), mean("x")), one(data, mean_over("kind", mean("x")))
        assert both.se == pytest.approx(single.se, abs=1e-12)
        assert both.n == 400 and both.clusters == single.clusters

    def test_a_difference_of_a_thing_with_itself_is_zero_without_error(self) -> None:
        values, clusters = clustered_sample()
        got = one(rows(values, clusters), combine([(1, mean("x")), (-1, mean("x"))]))
        assert got.value == 0 and got.se == 0

    def test_sum_over_takes_the_values_that_are_there(self) -> None:
        data = rows([1, 0, 1, 1], groups=["a", "a", "b", "c"])
        assert one(data, sum_over("kind", mean("x"))).value == 2.5
        assert one(data, sum_over("kind", mean("x"), ("a", "b", "absent"))).value == 1.5
        assert one(data, sum_over("kind", mean("x"), ("absent",))).method == "undefined: no samples"

    def test_points_at_their_maximum_have_a_lower_bound(self) -> None:
        data = rows([1] * 40, [i // 2 for i in range(40)], [f"picture {i // 2}" for i in range(40)])
        got = one(data, combine([(100, mean("x")), (100, all_of("x", by="kind"))]))
        assert got.value == got.high == 200
        assert got.low == pytest.approx(200 * wilson(1, 20)[0])

    def test_an_undefined_part_makes_the_sum_undefined_and_says_why(self) -> None:
        data = Rows.of([row(0, "p", "a", tp=1.0), row(1, "q", "b", tp=0.0)])
        assert one(data, mean_over("kind", ratio("tp", "tp"))).method == "undefined: the denominator is 0 over 1 samples"

    def test_a_part_with_one_cluster_leaves_the_error_unknown(self) -> None:
        data = rows([0.5, 0.25, 0.75, 1.0], [1, 2, 3, 4], ["a", "b", "b", "b"])
        got = one(data, sum_over("kind", mean("x")))
        assert got.value == pytest.approx(0.5 + 2 / 3) and math.isnan(got.se) and math.isnan(got.low)


class TestMetric:
    def test_expands_by_a_group_in_sorted_order(self) -> None:
        data = rows([1, 0, 1], groups=["b", "a", "b"])
        got = aggregate(data, [Metric(name="acc", estimator=mean("x"), by="kind", unit="points")])
        assert [(each.name, each.value, each.unit) for each in got] == [("acc/a", 0, "points"), ("acc/b", 1, "points")]

    def test_a_sample_with_several_labels_counts_for_each(self) -> None:
        data = rows([1, 0], groups=["one, two", "two"])
        got = aggregate(data, [Metric(name="acc", estimator=mean("x"), by="kind", separator=", ")])
        assert {each.name: (each.value, each.n) for each in got} == {"acc/one": (1, 1), "acc/two": (0.5, 2)}

    def test_data_without_the_group_give_no_estimates(self) -> None:
        assert aggregate(rows([1]), [Metric(name="acc", estimator=mean("x"), by="ability")]) == []

    def test_samples_without_a_label_are_in_no_part(self) -> None:
        got = aggregate(rows([1, 0], groups=["a", ""]), [Metric(name="acc", estimator=mean("x"), by="kind")])
        assert [(each.name, each.n) for each in got] == [("acc/a", 1)]


class TestRows:
    def test_read_from_parquet_as_collected(self, tmp_path: Path) -> None:
        import pyarrow
        from pyarrow import parquet

        scored = [
            Scored(sample_id="1", cluster="c", groups={"kind": "a"}, reply="r", parsed=Parsed("x"), scores={"x": 1.0}),
            Scored(
                sample_id="2",
                cluster="c",
                groups={},
                reply=None,
                parsed=Parsed(None, "no reply"),
                scores={"x": 0.0},
                missing=True,
            ),
            Scored(
                sample_id="3",
                cluster="",
                groups={},
                reply="r",
                parsed=Parsed("x"),
                scores={},
                failed="media: gone",
                truncated=True,
            ),
        ]
        table = {
            "sample_id": [each.sample_id for each in scored],
            "cluster": [each.cluster for each in scored],
            "reason": [each.parsed.reason for each in scored],
            "failed": [each.failed for each in scored],
            "missing": [each.missing for each in scored],
            "truncated": [each.truncated for each in scored],
            "score.x": [each.scores.get("x") for each in scored],
            "group.kind": [each.groups.get("kind") for each in scored],
        }
        path = tmp_path / "scores.parquet"
        parquet.write_table(pyarrow.table(table), path)
        collected, read = Rows.of(scored), Rows.read(path)
        assert collected.n == read.n == 3
        for both in (collected, read):
            assert both.cluster.tolist() == [0, 0, 1] and both.cluster_count == 2
            assert both.score("x")[:2].tolist() == [1, 0] and math.isnan(both.score("x")[2])
            assert both.group("kind").tolist() == ["a", "", ""]
            assert {name: flag.tolist() for name, flag in both.flags.items()} == {
                "unparsed": [False, True, False],
                "failed": [False, False, True],
                "missing": [False, True, False],
                "truncated": [False, False, True],
            }

    def test_samples_without_a_cluster_are_each_their_own(self) -> None:
        assert rows([1, 0, 1]).cluster_count == 3


answers = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 5), st.sampled_from("ab")), min_size=1, max_size=40
)
ESTIMATORS = {
    "mean": mean("x"),
    "all": all_of("x", by="kind"),
    "macro": mean_over("kind", mean("x")),
    "points": combine([(100, mean("x")), (100, all_of("x", by="kind"))]),
}


@given(answers, st.sampled_from(sorted(ESTIMATORS)), st.randoms())
def test_order_of_samples_and_names_of_clusters_do_not_matter(
    data: list[tuple[float, int, str]], name: str, draw: random.Random
) -> None:
    def of(data: list[tuple[float, int, str]], cluster: str) -> Rows:  # a group lies within one cluster, as in CircularEval
        return rows([x for x, _, _ in data], [cluster.format(c) for _, c, _ in data], [f"{k}{c}" for _, c, k in data])

    first = one(of(data, "{}"), ESTIMATORS[name])
    again = one(of(draw.sample(data, len(data)), "picture {}"), ESTIMATORS[name])
    for field in ("value", "se", "low", "high", "n", "clusters"):
        assert getattr(again, field) == pytest.approx(getattr(first, field), abs=1e-9, nan_ok=True)


@given(answers, st.sampled_from(sorted(ESTIMATORS)), st.floats(0.5, 0.99))
def test_interval_holds_the_value_and_keeps_to_the_bounds(
    data: list[tuple[float, int, str]], name: str, confidence: float
) -> None:
    got = one(
        rows([x for x, _, _ in data], [c for _, c, _ in data], [k for _, _, k in data]), ESTIMATORS[name], confidence=confidence
    )
    top = 200 if name == "points" else 1
    assert -1e-9 <= got.value <= top + 1e-9
    if not math.isnan(got.low):
        assert -1e-9 <= got.low <= got.value + 1e-9 and got.value - 1e-9 <= got.high <= top + 1e-9
        assert got.high > got.low or got.se == 0


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("p", [0.5, 0.9])
@pytest.mark.parametrize("largest", [2, 10])
def test_intervals_cover_as_often_as_they_say(p: float, correlation: float, largest: int) -> None:
    """Beta-binomial clusters of 1 to ``largest``, 500 answers: 95 % within what 1,000 draws and skewed counts allow."""
    draw = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        values: list[float] = []
        clusters: list[int] = []
        while len(values) < 500:
            own = p if correlation == 0 else draw.beta(p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1))
            size = int(draw.integers(1, largest + 1))
            values += (draw.random(size) < own).astype(float).tolist()
            clusters += [len(values)] * size
        got = one(rows(values, clusters), mean("x"))
        covered += got.low <= p <= got.high
    assert 0.925 <= covered / 1000 <= 0.975
