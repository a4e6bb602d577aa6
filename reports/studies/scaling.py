"""Does performance grow with size and data? Figure 1 of the paper (arXiv 2402.05935) on a family of models trained here.

A model's score is the sum over benchmarks as in the paper: every benchmark in per cent, those in points (MME) left out because
they would dominate. Every model needs the same benchmarks on the same data, and says itself how large it is and what it was
trained with (``run.json``, the model's details). Not here: the fitted laws (``scaling_fits``) and the pictures
(``scaling_figures``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ResultError
from harness.results import Result
from reports.reference import published_tables
from reports.studies.scaling_figures import draw
from reports.studies.scaling_fits import AXES, fits, slopes
from reports.studies.study import Finding, Options, Study, Tables, Verdict, label

if TYPE_CHECKING:
    import pandas as pd

PUBLISHED_PARAMETERS = {
    "SPHINX-Tiny": 1.1e9,
    "SPHINX-Intern2": 7e9,
    "SPHINX": 13e9,
    "SPHINX-Plus": 13e9,
    "SPHINX-MoE": 8 * 7e9,
}
"""Parameters of the language models as the paper's figure labels them."""

SUMMED, LEFT_OUT = ("table1", "table4", "table5"), ("MME-P",)
"""Which of the paper's numbers its figure sums."""

COMMAND = "riddle train -m model=scaling sweep=scaling"


def load(runs: Sequence[Result], options: Options) -> Tables:
    """Make the tables: ``scores`` a row a model and benchmark, ``models`` a row a model, ``fits``, ``slopes``, ``published``.

    Raises:
        ResultError: no run tells what its model was trained with, or models lack benchmarks that others have.
    """
    import pandas as pd

    rows = [_row(run) for run in runs if "training" in (run.run["model"].get("details") or {})]
    if not rows:
        raise ResultError(f"study scaling: no run tells its model's size and training; train some with {COMMAND}")
    scores = pd.DataFrame(rows).drop_duplicates(["model", "benchmark"], keep="last")
    summed = scores[scores["unit"].isin(["percent", "fraction"])]
    _refuse_gaps(summed)
    models = _sums(summed)
    left = sorted(set(scores["benchmark"]) - set(summed["benchmark"]))
    models = models.assign(left_out=", ".join(left))
    found = fits(models, options)
    return {"models": models, "fits": found, "slopes": slopes(models, options), "scores": scores, "published": _published()}


def _row(run: Result) -> dict[str, Any]:
    metric, about = run.metric(), run.run["model"]["details"]
    trained = about["training"]
    return {
        **label(run),
        "data": run.run["data"]["fingerprint"],
        "variant": about["variant"],
        "kind": "sparse" if "experts" in about else "dense",
        "parameters": int(about["parameters"]),
        "active_parameters": int(about["active_parameters"]),
        "pictures": int(trained["pictures"]),
        "seed": int(trained["seed"]),
        "core_seconds": float(trained["core_seconds"]),
        "metric": metric.name,
        "unit": metric.unit,
        "n": metric.n,
        "value": metric.value,
        "se": metric.se if metric.se is not None else math.nan,
    }


def _refuse_gaps(scores: pd.DataFrame) -> None:
    """Refuse sums over different benchmarks: they would rank models by what they were asked."""
    cells = scores.groupby("benchmark").agg(models=("model", "nunique"), data=("data", "nunique"))
    everyone = scores["model"].nunique()
    counts: list[Any] = cells.reset_index().to_dict("records")
    lacking = [f"{one['benchmark']} (only {one['models']} of {everyone} models)" for one in counts if one["models"] < everyone]
    lacking += [f"{one['benchmark']} ({one['data']} different data)" for one in counts if one["data"] > 1]
    if lacking:
        raise ResultError(
            f"study scaling: models can be summed over the same benchmarks and data only; mend {'; '.join(lacking)}, "
            "or choose benchmarks with tasks=[...]"
        )


def _sums(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a model: the sum over benchmarks in per cent, its standard error over samples (benchmarks share no pictures)."""
    about = ["model", "variant", "kind", "parameters", "active_parameters", "pictures", "seed", "core_seconds"]
    graded = scores.assign(points=100 * scores["value"], variance=(100 * scores["se"]) ** 2)
    sums = graded.groupby(about, as_index=False).agg(
        benchmarks=("benchmark", "nunique"), n=("n", "sum"), total=("points", "sum"), variance=("variance", "sum")
    )
    sums["se"] = sums.pop("variance") ** 0.5
    sums["compute"] = sums["active_parameters"] * sums["pictures"]
    return sums.sort_values(["kind", "parameters", "pictures", "seed"]).reset_index(drop=True)


def _published() -> pd.DataFrame:
    """The paper's five models: the sum of the printed numbers of its Tables 1, 4 and 5 without MME perception."""
    import pandas as pd

    rows = []
    for name, size in PUBLISHED_PARAMETERS.items():
        numbers = [
            float(printed)
            for table in published_tables()
            if table.name in SUMMED
            for row in table.rows
            if row.method == name and row.ours
            for column, printed in zip(table.columns, row.printed, strict=True)
            if printed is not None and column not in LEFT_OUT
        ]
        rows.append({"model": name, "language_parameters": size, "benchmarks": len(numbers), "total": sum(numbers)})
    return pd.DataFrame(rows)


def find(tables: Tables, options: Options) -> Sequence[Finding]:
    """Say whether scores grow with size and with data, which law foretells the largest better, and what experts change."""
    return [*_growth(tables, options), *_laws(tables), _experts(tables, options)]


def _growth(tables: Tables, options: Options) -> list[Finding]:
    found = []
    for axis, what in (("parameters", "size"), ("pictures", "data")):
        of_axis = tables["slopes"][tables["slopes"]["axis"] == axis]
        verdict: Verdict = "not tested"
        text = f"There are too few different amounts of {what} to say."
        if len(of_axis):
            row: Any = of_axis.to_dict("records")[0]
            verdict = "supported" if row["low"] > 0 else "contradicted" if row["high"] < 0 else "undecided"
            text = (
                f"Ten times the {axis} change the sum by {row['slope']:+.1f} points "
                f"[{row['low']:+.1f}, {row['high']:+.1f}] at equal {'data' if axis == 'parameters' else 'size'} "
                f"({row['cells']} cells of {row['seeds']} seeds, {options.confidence:.0%} over seeds and samples)."
            )
        found.append(Finding(hypothesis=f"Performance grows with {what}", verdict=verdict, text=text))
    return found


def _laws(tables: Tables) -> list[Finding]:
    found = []
    for (kind, axis), group in tables["fits"].groupby(["kind", "axis"], sort=True):
        hypothesis = f"A saturating law foretells the largest {kind} models along {AXES[str(axis)]} better than a power law"
        rows: list[Any] = group.to_dict("records")
        verdict, text = _law(rows)
        found.append(Finding(hypothesis=hypothesis, verdict=verdict, text=text, paper=False))
    return found


def _law(rows: Sequence[Mapping[str, Any]]) -> tuple[Verdict, str]:
    """Which of the two laws foretells better, or why one could not be fitted."""
    refused = "; ".join(f"{row['law']}: {row['refused']}" for row in rows if row["refused"])
    if refused:
        return "not tested", f"Refused: {refused}."
    law = {row["law"]: row for row in rows}
    power, saturating = law["power"], law["saturating"]
    low, high = saturating["lead_low"], saturating["lead_high"]
    return "supported" if low > 0 else "contradicted" if high < 0 else "undecided", (
        f"Fitted without the largest, the power law misses it by {power['left_out_error']:.1f} points, the saturating law by "
        f"{saturating['left_out_error']:.1f}, nearer by {saturating['lead']:+.1f} [{low:+.1f}, {high:+.1f}]. The power law's "
        f"exponent is {power['exponent']:.3f} [{power['low']:.3f}, {power['high']:.3f}]."
    )


def _experts(tables: Tables, options: Options) -> Finding:
    """Sparse against dense of the same computation a token, data and seed: paired by cell and seed."""
    import numpy as np
    from scipy.stats import t

    models = tables["models"].assign(cell=lambda table: table["variant"].str.removesuffix("_moe"))
    wide = models.pivot_table(index=["cell", "pictures", "seed"], columns="kind", values="total").dropna()
    hypothesis = "Experts that add parameters but no computation a token raise performance"
    if not {"dense", "sparse"} <= set(wide.columns) or len(wide) < 3:
        text = "No dense and sparse models of one size, data and seed are among the runs."
        return Finding(hypothesis=hypothesis, verdict="not tested", text=text, paper=False)
    difference = (wide["sparse"] - wide["dense"]).to_numpy()
    half = float(t.ppf((1 + options.confidence) / 2, len(difference) - 1) * difference.std(ddof=1) / math.sqrt(len(difference)))
    mean = float(np.mean(difference))
    verdict: Verdict = "supported" if mean > half else "contradicted" if mean < -half else "undecided"
    text = f"Sparse models score {mean:+.1f} points [{mean - half:+.1f}, {mean + half:+.1f}] more, over {len(wide)} pairs."
    return Finding(hypothesis=hypothesis, verdict=verdict, text=text, paper=False)


STUDY = Study(
    name="scaling",
    title="Performance by size and data",
    question="How does the sum over benchmarks grow with parameters, data and computation?",
    load=load,
    draw=draw,
    find=find,
    notes=(
        "Sum over benchmarks in per cent; benchmarks in points (MME) are left out, as the paper leaves out MME perception.",
        "Computation is active parameters times pictures, a constant away from floating-point operations.",
        "Laws are fitted to the distance from full marks. Bands resample seeds within a cell, and samples by their error.",
        "The paper's points are sums of the printed numbers of its Tables 1, 4 and 5; SPHINX lacks BenchLMM.",
    ),
)
