from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports.bench import write_runs
from reports.load import Run, load_runs
from reports.paired import holm, paired
from reports.standing import _holm, influence, pair_words, stand
from reports.stored import score_columns
from tests.reports.conftest import write_run


@pytest.fixture
def five(runs: Path) -> list[Run]:
    write_runs(runs, models=5, benchmarks=1, samples=400)
    return load_runs(runs)


def test_the_error_of_every_difference_is_that_of_the_pair_alone(five: list[Run]) -> None:
    standing = stand(five, higher_is_better=True, ranked=[True] * 5)
    columns = [score_columns(run) for run in five]
    assert standing.paired.all()
    for i, j in ((0, 1), (1, 4), (3, 2)):
        apart = columns[i].scores["correct"] - columns[j].scores["correct"]
        se = paired(columns[j].scores["correct"], columns[i].scores["correct"], columns[i].cluster).se
        assert apart.mean() * standing.sign[i, j] >= 0
        assert standing.half[i, j] == pytest.approx(1.984217 * se, rel=1e-6)  # Student's t with 99 degrees of freedom


def test_ranks_are_ranges_and_their_ends_follow_from_the_marks(five: list[Run]) -> None:
    standing = stand(five, higher_is_better=True, ranked=[True] * 5)
    for place, rank in enumerate(standing.ranks):
        worse, better = (standing.sign[place] < 0).sum(), (standing.sign[place] > 0).sum()
        assert rank == (1 + worse, 5 - better)
    assert standing.ranks[4] == (1, 1) and standing.ranks[0] == (5, 5)
    assert (standing.sign == -standing.sign.T).all()


def test_where_lower_is_better_the_order_turns_and_the_unranked_do_not_count(five: list[Run]) -> None:
    standing = stand(five, higher_is_better=False, ranked=[True, False, False, False, True])
    assert standing.ranks == ((1, 1), None, None, None, (2, 2))


def test_runs_on_other_samples_are_compared_without_pairing(five: list[Run], tmp_path: Path) -> None:
    write_runs(tmp_path / "more", models=1, benchmarks=1, samples=300)
    standing = stand([*five[:2], *load_runs(tmp_path / "more")], higher_is_better=True, ranked=[True] * 3)
    assert standing.paired.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    ses = [run.headline.se or 0.0 for run in (five[0], *load_runs(tmp_path / "more"))]
    assert standing.half[0, 2] == pytest.approx(1.992543 * math.hypot(*ses), rel=1e-5)  # 74 degrees of freedom
    words = pair_words(standing, {0: 0, 1: 1, 2: 2}, 100).split()
    assert [word.endswith("u") for word in words] == [False, True, True]


def test_a_metric_that_is_no_mean_of_scores_is_not_guessed_at(five: list[Run], runs: Path) -> None:
    value = replace(five[0].headline, value=0.123)
    assert influence(replace(five[0], values=(value,))) is None
    (odd,) = load_runs(write_run(runs, "odd", "unheard_of", value=0.7))
    assert influence(odd) is None


def test_equal_models_and_models_without_a_value_share_every_rank(five: list[Run]) -> None:
    nothing = replace(five[0], values=(replace(five[0].headline, value=float("nan"), se=None),))
    standing = stand([five[0], five[0], nothing], higher_is_better=True, ranked=[True] * 3)
    assert standing.ranks == ((1, 2), (1, 2), None)
    assert standing.half[0, 1] == 0
    assert pair_words(standing, {0: 0, 1: 1, 2: 2}, 100) == "0.0= ?=u ?=u"


def test_the_adjustment_is_holms() -> None:
    p = np.array([[1, 0.01, 0.04], [0.01, 1, 0.03], [0.04, 0.03, 1]])
    assert _holm(p)[np.triu_indices(3, 1)].tolist() == pytest.approx(holm([0.01, 0.04, 0.03]))
