"""Paired differences and their tests, against statsmodels and scipy, and by what must hold of any data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.composite import Part, composite
from reports.crossed import crossed
from reports.paired import benjamini_hochberg, holm, paired, sign_flip

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 9)), min_size=2, max_size=60)


def drawn(n: int, gain: float, seed: int = 0, size: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    a = random.random(n) < 0.6
    b = np.where(random.random(n) < 0.7, a, random.random(n) < 0.6 + gain)
    return a.astype(float), b.astype(float), np.arange(n) // size


def test_error_is_that_of_statsmodels_and_p_that_of_its_mcnemar() -> None:
    regression = pytest.importorskip("statsmodels.api")
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    a, b, cluster = drawn(240, 0.05)
    fit = regression.OLS(b - a, np.ones(240)).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert paired(a, b, cluster).se == pytest.approx(fit.bse[0], abs=1e-9)
    alone = paired(a, b, np.arange(240))
    table = [[((a == x) & (b == y)).sum() for y in (1, 0)] for x in (1, 0)]
    assert alone.p == pytest.approx(tables.mcnemar(table, exact=True).pvalue, abs=1e-9)
    assert alone.method == "mcnemar exact"
    assert (alone.wins, alone.losses) == (table[1][0], table[0][1])


@pytest.mark.parametrize("graded", [False, True])
def test_p_is_that_of_scipys_exact_permutation_test(graded: bool) -> None:
    stats = pytest.importorskip("scipy.stats")
    sums = np.random.default_rng(1).integers(-3, 4, 11).astype(float) + (0.25 if graded else 0)
    exact = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(sums) == (pytest.approx(exact.pvalue, abs=1e-9), "sign-flip exact")


def test_drawn_flips_are_seeded_and_near_the_exact_p() -> None:
    sums = np.random.default_rng(2).normal(0.35, 1, 40)
    first, method = sign_flip(sums, draws=40_000)
    assert (first, method) == sign_flip(sums, draws=40_000) and method == "sign-flip 40000 draws"
    assert sign_flip(sums, draws=40_000, seed=1)[0] == pytest.approx(first, abs=0.01)
    lattice = np.rint(sums * 4)
    assert sign_flip(lattice)[0] == pytest.approx(sign_flip(lattice + 1e-6, draws=40_000)[0], abs=0.01)


def test_mid_p_counts_ties_by_half() -> None:
    assert sign_flip(np.ones(4)) == (pytest.approx(2 / 16), "sign-flip exact")
    assert sign_flip(np.ones(4), middle=True)[0] == pytest.approx(1 / 16)
    assert sign_flip(np.full(4, 0.5), middle=True)[0] == pytest.approx(1 / 16)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.randoms())
def test_exchanging_the_models_turns_the_sign_and_no_order_matters(answers: list, shuffler: object) -> None:
    def both(rows: list) -> tuple:
        a, b, cluster = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        return paired(a, b, cluster.astype(int)), paired(b, a, cluster.astype(int))

    forth, back = both(answers)
    assert back.difference == pytest.approx(-forth.difference) and back.p == pytest.approx(forth.p)
    assert (back.wins, back.losses, back.ties) == (forth.losses, forth.wins, forth.ties)
    if forth.clusters > 1:
        assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))
        assert forth.low <= forth.difference <= forth.high and forth.high > forth.low
    shuffled = list(answers)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    again, _ = both(shuffled)
    assert (again.difference, again.p) == pytest.approx((forth.difference, forth.p))


def test_a_planted_difference_is_found_and_none_is_not() -> None:
    found = paired(*drawn(1500, 0.3))
    assert found.p < 1e-6 and found.low > 0
    none = paired(*drawn(1500, 0.0, seed=3))
    assert none.p > 0.05 and none.low < 0 < none.high


def test_equal_answers_are_no_proof_of_equality() -> None:
    same = paired(np.ones(40), np.ones(40), np.arange(40))
    assert (same.difference, same.p, same.ties) == (0, 1, 40)
    assert same.high == pytest.approx(1 - 0.025 ** (1 / 40)) and math.isnan(same.mde) and same.n_needed is None


def test_the_needed_size_finds_the_margin() -> None:
    a, b, cluster = drawn(600, 0.1)
    found = paired(a, b, cluster, margin=0.02)
    assert found.n_needed == pytest.approx(600 * (found.mde / 0.02) ** 2, abs=1)
    assert found.mde == pytest.approx(2.81 * found.se, rel=0.01)


@pytest.mark.parametrize(("a", "b", "says"), [([1.0], [1.0, 0.0], "shape"), ([], [], "shape"), ([math.nan], [1.0], "1 of 1")])
def test_scores_that_cannot_be_paired_are_named(a: list, b: list, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        paired(a, b, [0] * len(a))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_corrections_are_those_of_statsmodels(ps: list) -> None:
    multiple = pytest.importorskip("statsmodels.stats.multitest")
    assert holm(ps) == pytest.approx(multiple.multipletests(ps, method="holm")[1], abs=1e-9)
    assert benjamini_hochberg(ps) == pytest.approx(multiple.multipletests(ps, method="fdr_bh")[1], abs=1e-9)


class TestCrossed:
    def test_one_checkpoint_a_side_says_nothing_of_the_method(self) -> None:
        a, b, cluster = drawn(90, 0.1)
        got = crossed(a[None], b[None], cluster)
        assert math.isnan(got.p) and math.isnan(got.low)
        assert "one seed says nothing about the method" in got.says
        assert got.se_samples == pytest.approx(paired(a, b, cluster).se)

    def test_seeds_that_differ_widen_what_samples_alone_say(self) -> None:
        random = np.random.default_rng(4)
        base = random.normal(0, 1, 300)
        a, b = (base + random.normal(0, 0.2, (4, 1)) + random.normal(0, 0.1, (4, 300)) for _ in range(2))
        got = crossed(a, b, np.arange(300))
        assert got.se > 3 * got.se_samples
        assert got.low < 0 < got.high and got.p > 0.05
        assert crossed(b, a, np.arange(300)).difference == pytest.approx(-got.difference)
        assert "4 and 4 training seeds" in got.says

    @pytest.mark.slow
    def test_its_interval_covers_methods_that_are_alike(self) -> None:
        random, hits = np.random.default_rng(0), 0
        for _ in range(2000):
            base = random.normal(0, 0.4, 200)
            a, b = (base + random.normal(0, 0.03, (3, 1)) + random.normal(0, 0.2, (3, 200)) for _ in range(2))
            got = crossed(a, b, np.arange(200))
            hits += got.low <= 0 <= got.high
        assert 93 <= hits / 20 <= 97

    def test_shapes_that_do_not_fit_are_named(self) -> None:
        with pytest.raises(ValueError, match="no checkpoints on the same units"):
            crossed(np.ones((2, 3)), np.ones((2, 4)), np.zeros(3, dtype=np.int64))


class TestComposite:
    def parts(self, shared: bool) -> list[Part]:
        random = np.random.default_rng(5)
        values = random.normal(0.1, 1, 100)
        names = [("x", "y"), ("x", "x")][shared]
        media = [{i: frozenset({f"{name}{i}"}) for i in range(100)} for name in names]
        return [Part(weight=0.5, values=values, cluster=np.arange(100), media=own) for own in media]

    def test_disjoint_benchmarks_add_in_squares_and_shared_pictures_do_not(self) -> None:
        apart, joined = composite(self.parts(False)), composite(self.parts(True))
        alone = paired(np.zeros(100), self.parts(False)[0].values, np.arange(100)).se
        assert apart.value == joined.value
        assert apart.se == pytest.approx(alone / math.sqrt(2)) and joined.se == pytest.approx(alone)
        assert (apart.clusters, apart.joined, joined.clusters, joined.joined) == (200, 0, 100, 100)

    def test_a_chain_of_shared_pictures_is_one_cluster(self) -> None:
        one = Part(
            weight=1,
            values=np.arange(3.0),
            cluster=np.arange(3),
            media={0: frozenset("ab"), 1: frozenset("bc"), 2: frozenset("d")},
        )
        assert composite([one]).clusters == 2

    def test_a_single_joint_cluster_has_no_error_and_claims_no_certainty(self) -> None:
        media = {code: frozenset("a") for code in range(3)}
        parts = [Part(weight=1, values=np.arange(3.0) + shift, cluster=np.arange(3), media=media) for shift in (0, 1)]
        found = composite(parts)
        assert found.clusters == 1 and found.value == 3
        assert np.isnan([found.se, found.low, found.high, found.p]).all()
