"""The scaling study: sums of the same benchmarks only, laws that are recovered where planted and refused where points are few."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.errors import ResultError
from harness.metrics.aggregate import Estimate
from harness.results import Result
from reports.studies.build import build_study
from reports.studies.scaling import STUDY, _laws, _published
from reports.studies.scaling_fits import fits, slopes
from reports.studies.study import Options

QUICK = Options(draws=200)
SIZES = (100, 250, 500, 1000, 2000)


def grown(law: Any, sizes: tuple[int, ...] = SIZES, noise: float = 0.5) -> pd.DataFrame:
    """Models of a family whose sum over two benchmarks follows a law of parameters and pictures, with noise over seeds."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "model": f"{size}-{pictures}-{seed}", "variant": f"v{size}", "kind": "dense", "parameters": size,
            "active_parameters": size, "pictures": pictures, "compute": size * pictures, "seed": seed, "benchmarks": 2,
            "total": 200 - law(size, pictures) + rng.normal(0, noise), "se": 0.3,
        }
        for size in sizes
        for pictures in (400, 1200, 3600)
        for seed in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def law_of(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    found = fits(table, QUICK)
    return found[found["axis"] == axis].set_index("law")


def test_a_planted_power_law_is_found() -> None:
    found = law_of(grown(lambda size, _: 150 * (size / 100) ** -0.3), "parameters")
    assert found.loc["power", "low"] < 0.3 < found.loc["power", "high"]
    assert found.loc["power", "left_out_error"] < 3
    assert not found.loc["saturating", "lead_low"] > 0, "a floor that is not there foretells nothing better"


def test_a_planted_floor_is_foretold_by_the_saturating_law_only() -> None:
    found = law_of(grown(lambda size, _: 60 + 90 * (size / 100) ** -1.0, noise=0.1), "parameters")
    assert found.loc["saturating", "left_out_error"] < 1 < found.loc["power", "left_out_error"]
    assert 0 < found.loc["saturating", "lead_low"] < found.loc["saturating", "lead"] < found.loc["saturating", "lead_high"]


def test_which_law_foretells_better_is_undecided_where_seeds_decide() -> None:
    found = fits(grown(lambda size, _: 60 + 90 * (size / 100) ** -1.0, noise=20), QUICK)
    row = found[found["axis"] == "parameters"].set_index("law").loc["saturating"]
    assert row["lead_low"] < 0 < row["lead_high"]
    verdicts = {finding.hypothesis: finding.verdict for finding in _laws({"fits": found})}
    assert verdicts["A saturating law foretells the largest dense models along parameters better than a power law"] == "undecided"


def test_too_few_points_are_refused_with_the_number_needed() -> None:
    found = law_of(grown(lambda size, _: 150 * (size / 100) ** -0.3), "pictures")
    assert found.loc["power", "refused"] == "needs 4 different values to leave the largest out, there are 3"
    assert np.isnan(found.loc["power", "exponent"])


def test_growth_is_told_from_none() -> None:
    found = slopes(grown(lambda size, _: 160 - 20 * np.log10(size / 100)), QUICK).set_index("axis")
    assert found.loc["parameters", "low"] < 20 < found.loc["parameters", "high"] and found.loc["parameters", "low"] > 15
    assert found.loc["pictures", "low"] < 0 < found.loc["pictures", "high"]


def run(model: str, kind: str, size: int, pictures: int, seed: int, task: str, value: float, unit: str = "percent") -> Result:
    training = {"pictures": pictures, "seed": seed, "core_seconds": 5}
    variant = f"v{size}" + ("_moe" if kind == "sparse" else "")
    details = {"variant": variant, "parameters": size * (3 if kind == "sparse" else 1), "active_parameters": size}
    details |= {"training": training} | ({"experts": 8} if kind == "sparse" else {})
    about = {
        "model": {"name": model, "details": details},
        "task": {"name": task, "title": task},
        "data": {"fingerprint": task},
    }
    metric = Estimate(name="m", value=value, se=0.01, low=0, high=1, n=50, clusters=50, unit=unit)
    return Result(
        folder=Path(model), run=about, n=50, failed=0, unparsed=0, missing=0, truncated=0, reused=0, convention="official",
        primary="m", metrics=(metric,),
    )  # fmt: skip


def family() -> list[Result]:
    return [
        run(f"{kind}-{size}-{pictures}-{seed}", kind, size, pictures, seed, task, value + 0.001 * seed + gain, unit)
        for kind, gain in (("dense", 0.0), ("sparse", 0.1))
        for size in SIZES
        for pictures in (400, 1200, 3600)
        for seed in (1, 2, 3)
        for task, value, unit in (
            ("pope", 0.2 + 0.1 * np.log10(size), "percent"),
            ("docvqa", 0.1 + 0.1 * np.log10(pictures / 100), "percent"),
            ("mme", 900.0, "points"),
        )
    ]


def test_the_sum_leaves_out_points_and_counts_size_data_and_experts() -> None:
    tables = STUDY.load(family(), QUICK)
    models = tables["models"]
    assert set(models["benchmarks"]) == {2} and set(models["left_out"]) == {"mme"}
    assert models["total"].between(0, 200).all() and len(models) == 90
    verdicts = {one.hypothesis: one.verdict for one in STUDY.find(tables, QUICK)}
    assert verdicts["Performance grows with size"] == verdicts["Performance grows with data"] == "supported"
    assert verdicts["Experts that add parameters but no computation a token raise performance"] == "supported"
    assert {"parameters", "pictures", "compute", "published"} == set(STUDY.draw(tables))


def test_models_asked_different_benchmarks_are_not_summed() -> None:
    runs = [one for one in family() if not (one.run["model"]["name"] == "dense-100-400-1" and one.run["task"]["name"] == "pope")]
    with pytest.raises(ResultError, match=r"pope \(only 89 of 90 models\)"):
        STUDY.load(runs, QUICK)


def test_runs_without_an_account_of_their_training_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no finished runs"):
        build_study("scaling", [tmp_path], tmp_path / "out")
    bare = run("m", "dense", 1, 1, 1, "pope", 0.5)
    bare.run["model"].pop("details")
    with pytest.raises(ResultError, match="tells its model's size and training"):
        STUDY.load([bare], QUICK)


def test_the_published_sums_are_those_of_the_printed_tables() -> None:
    found = _published().set_index("model")["total"].round(2).to_dict()
    assert found == {
        "SPHINX-Tiny": 2033.69,
        "SPHINX-Intern2": 2306.32,
        "SPHINX": 2207.27,
        "SPHINX-Plus": 2483.22,
        "SPHINX-MoE": 2631.66,
    }
