"""Two models beside one another: shared experts are found whatever their numbers, and chance is not called likeness."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.studies.likeness import compare, find
from reports.studies.loads import Loads
from reports.studies.study import Options

LAYERS, EXPERTS, CLUSTERS = 3, 6, 24


def routed(name: str, seed: int, taste: np.ndarray[Any, Any] | None, noise: float = 3.0) -> Loads:
    """A model whose clusters follow ``taste`` [benchmarks, modalities, layers, experts], each with an inclination of its own."""
    random = np.random.default_rng(seed)
    benchmarks = np.arange(CLUSTERS) % 3
    wanted = np.ones((CLUSTERS, 2, LAYERS, EXPERTS)) if taste is None else taste[benchmarks]
    inclination = random.gamma(noise * wanted + 0.2)
    tokens = random.poisson(40 * inclination / inclination.sum(axis=-1, keepdims=True)).astype(float)
    samples = pd.DataFrame({"benchmark": [f"b{i}" for i in benchmarks], "unit": np.arange(CLUSTERS)})
    return Loads(model=name, samples=samples, vision=tokens[:, 0], language=tokens[:, 1], runs=())


def planted(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).gamma(1.0, size=(3, 2, LAYERS, EXPERTS))


def verdicts(*models: Loads) -> list[str]:
    options = Options(draws=199)
    return [one.verdict for one in find(compare(models, options), options)]


def test_two_models_with_the_same_division_keep_their_numbers_and_divide_alike() -> None:
    taste = planted(1)
    assert verdicts(routed("one", 2, taste), routed("two", 3, taste)) == ["supported", "supported"]


def test_experts_that_only_changed_numbers_still_divide_the_work_alike() -> None:
    taste = planted(1)
    renumbered = taste[..., np.random.default_rng(7).permutation(EXPERTS)]
    table = compare([routed("one", 2, taste), routed("two", 3, renumbered)], Options(draws=199))
    assert table["p_numbers"].iloc[0] > 0.05 and table["p_matched"].iloc[0] <= 0.05
    assert (table["matched_distance"] <= table["distance"] + 1e-12).all() and len(table) == LAYERS


@pytest.mark.parametrize("taste", [None, planted(5)], ids=["no model has a taste", "one model has"])
def test_models_that_share_nothing_are_called_alike_no_more_often_than_stated(taste: np.ndarray[Any, Any] | None) -> None:
    tables = [
        compare([routed("one", 2 * seed, taste), routed("two", 2 * seed + 1, None)], Options(draws=99, seed=seed)).iloc[0]
        for seed in range(60)
    ]
    for name in ("p_numbers", "p_matched"):
        assert np.mean([row[name] <= 0.05 for row in tables]) <= 0.05 + 2 * (0.05 * 0.95 / 60) ** 0.5


def test_models_without_a_benchmark_or_a_shape_in_common_are_not_compared() -> None:
    one, two = routed("one", 1, None), routed("two", 2, None)
    other = replace(two, samples=two.samples.assign(benchmark="elsewhere"))
    smaller = replace(two, vision=two.vision[..., :4], language=two.language[..., :4])
    assert not len(compare([one, other], Options(draws=9))) and not len(compare([one, smaller], Options(draws=9)))
    assert not list(find(compare([one], Options(draws=9)), Options()))
