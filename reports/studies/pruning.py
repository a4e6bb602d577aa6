"""What is left when experts are taken out: scores of draws and of informed criteria, by the number of experts kept.

Figure 6 of the paper (arXiv 2402.05935): for each n, three runs with 8 - n experts a layer drawn at random and removed, and
their mean as a dotted line. Here a mean over draws has an interval over both draws and samples,

    SE^2 = s^2_draws / k + SE^2_samples(mean over the draws)

which counts their interaction twice and so errs on the wide side, with Welch and Satterthwaite's degrees of freedom. Not
here: how experts are chosen and removed (the model's affair).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.errors import ResultError
from harness.results import Result
from reports.aligned import align, finished
from reports.paired import clustered_se, holm
from reports.studies.study import Finding, Options, Study, Tables, Verdict, details, label, p_text, scale, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.studies.dependence import Floats, Ints

RANDOM, WHOLE = "random", "unpruned"
ENOUGH = 3
"""Draws of one number of experts that a mean needs."""


def load(runs: Sequence[Result], options: Options) -> Tables:
    """Make the tables ``runs`` (a row a run), ``draws`` (a row a number kept), ``criteria`` and ``trend``.

    Raises:
        ResultError: no run is of a pruned model.
    """
    rows = [_row(run) for run in runs if details(run)]
    table = pd.DataFrame([row for row in rows if row is not None])
    if table.empty or (table["by"] == WHOLE).all():
        raise ResultError(
            "study pruning: needs runs of pruned models: riddle eval -m model=nano_moe model.pruned_experts.keep=2,4,6 "
            "model.pruned_experts.seed=0,1,2 task=... runs=study_runs (and one run without pruning)"
        )
    groups = ["model", "benchmark", "data"]
    table = table.sort_values([*groups, "kept", "by", "seed", "folder"])
    table = table.drop_duplicates([*groups, "kept", "by", "seed", "same"])
    table = table[table.groupby(groups)["by"].transform(lambda by: (by != WHOLE).any())]  # benchmarks with pruned runs
    draws, criteria, trend = [], [], []
    for _, group in table.groupby(groups, sort=True):
        units = _Units(group)
        draws += [_drawn(own, units, options) for _, own in group[group["by"] == RANDOM].groupby("kept", sort=True)]
        criteria += list(_criteria(group, units, options))
        trend += list(_trend(group, options))
    return {
        "runs": table.drop(columns="folder").reset_index(drop=True),
        "draws": _adjusted(pd.DataFrame(draws)),
        "criteria": _adjusted(pd.DataFrame(criteria)),
        "trend": pd.DataFrame(trend),
    }


def _row(run: Result) -> dict[str, Any] | None:
    """A run as a row; None for one whose active experts were changed without pruning."""
    metric, about = run.metric(), details(run)
    kept = about.get("kept_experts")
    trained = about.get("trained_active_experts", about["active_experts"])
    if not kept and about["active_experts"] != trained:
        return None
    said = (run.run.get("config", {}).get("model") or {}).get("pruned_experts") or {}
    number = min(len(layer) for layer in kept) if kept else int(about["experts"])
    by = ("explicit" if said.get("remove") else str(said.get("by", RANDOM))) if kept else WHOLE
    return {
        **label(run),
        "data": run.run["data"]["fingerprint"],
        "kept": number,
        "by": by,
        "seed": int(said.get("seed") or 0) if by == RANDOM else 0,
        "same": bool(said.get("same")),
        "active": int(about["active_experts"]),
        "metric": metric.name,
        "unit": metric.unit,
        "n": metric.n,
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "parameters": int(about.get("parameters", 0)),
        "parameters_saved": int(about.get("parameters_saved", 0)),
        "bytes_saved": int(about.get("bytes_saved", 0)),
        "folder": str(run.folder),
    }


class _Units:
    """Scores of the runs of one model and benchmark, by unit, aligned with one of them."""

    def __init__(self, group: pd.DataFrame) -> None:
        whole = group[group["by"] == WHOLE]
        self._base = finished(Path((whole if len(whole) else group).iloc[0]["folder"]))

    def of(self, folder: str) -> tuple[Floats, Ints]:
        """Scores of a run, float[units], and the clusters of the units, int[units] from 0."""
        pair = align(self._base, finished(Path(folder)))
        return pair.b, np.unique(pair.cluster, return_inverse=True)[1]

    def all(self, folders: Sequence[str]) -> tuple[Floats, Ints]:
        """Scores of several runs, float[runs, units], and the clusters."""
        found = [self.of(folder) for folder in folders]
        return np.stack([scores for scores, _ in found]), found[0][1]


def _drawn(own: pd.DataFrame, units: _Units, options: Options) -> dict[str, Any]:
    """Mean, spread and test of the draws of one number of experts."""
    from scipy.stats import t

    scores, cluster = units.all(own["folder"].tolist())
    values = own["value"].to_numpy(dtype=np.float64)
    k = len(values)
    spread = float(values.std(ddof=1)) if k > 1 else math.nan
    sampling, degrees = clustered_se(scores.mean(axis=0), cluster)
    se = math.sqrt(spread**2 / k + sampling**2) if k > 1 else math.nan
    freedom = _freedom((spread**2 / k, k - 1), (sampling**2, degrees)) if k > 1 else math.nan
    half = float(t.ppf((1 + options.confidence) / 2, freedom)) * se if se > 0 else 0.0 if se == 0 else math.nan
    first = own.iloc[0]
    mean = float(values.mean())
    return {
        **{name: first[name] for name in ("model", "benchmark", "title", "kept", "unit", "active")},
        "parameters_saved": first["parameters_saved"], "bytes_saved": first["bytes_saved"],
        "draws": k, "mean": mean, "low": mean - half, "high": mean + half, "se": se, "sd_draws": spread, "se_samples": sampling,
        "least": float(values.min()), "most": float(values.max()), "p": _spread_p(scores, cluster, options),
    }  # fmt: skip


def _freedom(*parts: tuple[float, float]) -> float:
    """Welch and Satterthwaite's degrees of freedom of a sum of variances, each with its own."""
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / degrees for variance, degrees in parts if degrees > 0)
    return total**2 / below if below else math.inf


def _spread_p(scores: Floats, cluster: Ints, options: Options) -> float:
    """P of the hypothesis that the draws differ by noise of the samples only: draws are exchanged within each cluster."""
    if len(scores) < 2:
        return math.nan
    random = np.random.default_rng(options.seed)
    sums = np.stack([np.bincount(cluster, weights=one) for one in scores])  # [draws, clusters]
    observed = sums.sum(axis=1).var()
    hits = sum(random.permuted(sums, axis=0).sum(axis=1).var() >= observed - 1e-12 for _ in range(options.draws))
    return (1 + int(hits)) / (1 + options.draws)


def _criteria(group: pd.DataFrame, units: _Units, options: Options) -> Iterator[dict[str, Any]]:
    """Each informed run against the mean of the random draws with as many experts."""
    from scipy.stats import t

    for _, row in group[~group["by"].isin([RANDOM, WHOLE])].iterrows():
        drawn = group[(group["by"] == RANDOM) & (group["kept"] == row["kept"])]
        if len(drawn) < 2:
            continue
        scores, cluster = units.all([row["folder"], *drawn["folder"]])
        difference = float(row["value"] - drawn["value"].mean())
        spread = float(drawn["value"].var(ddof=1)) / len(drawn)
        sampling, degrees = clustered_se(scores[0] - scores[1:].mean(axis=0), cluster)
        freedom = _freedom((spread, len(drawn) - 1), (sampling**2, degrees))
        se = math.sqrt(spread + sampling**2)
        half = float(t.ppf((1 + options.confidence) / 2, freedom)) * se
        yield {
            **{name: row[name] for name in ("model", "benchmark", "title", "kept", "by", "unit", "value")},
            "draws": len(drawn), "random_mean": float(drawn["value"].mean()), "difference": difference,
            "low": difference - half, "high": difference + half, "beats": int((row["value"] > drawn["value"]).sum()),
            "p": float(2 * t.sf(abs(difference) / se, freedom)) if se > 0 else 1.0,
        }  # fmt: skip


def _trend(group: pd.DataFrame, options: Options) -> Iterator[dict[str, Any]]:
    """The slope of score on the number kept, over random draws, with its interval."""
    from scipy.stats import linregress, t

    own = group[group["by"] == RANDOM]
    if own["kept"].nunique() < 2 or len(own) < ENOUGH:
        return
    fit = linregress(own["kept"], own["value"])
    half = float(t.ppf((1 + options.confidence) / 2, len(own) - 2)) * fit.stderr
    first = own.iloc[0]
    yield {
        **{name: first[name] for name in ("model", "benchmark", "title", "unit")}, "runs": len(own), "slope": float(fit.slope),
        "low": float(fit.slope - half), "high": float(fit.slope + half), "correlation": float(fit.rvalue),
        "lowest": int(own["kept"].min()), "highest": int(own["kept"].max()),
    }  # fmt: skip


def _adjusted(table: pd.DataFrame) -> pd.DataFrame:
    """Add Holm's adjustment over all rows that have a p."""
    if table.empty:
        return pd.DataFrame(columns=["model", "benchmark", "title", "kept", "p", "p_holm"])
    tested = table["p"].notna()
    table["p_holm"] = math.nan
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].tolist())
    return table


def draw(tables: Tables) -> Mapping[str, Figure]:
    """Draw a panel a benchmark: every draw, their mean with its interval, criteria and the unpruned model."""
    import matplotlib.pyplot as plt

    runs, draws = tables["runs"], tables["draws"]
    panels = list(runs.groupby(["model", "title"], sort=True))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.8 * columns + 0.4, 3.2 * rows + 0.4), squeeze=False)
    for axis in axes.ravel()[len(panels) :]:
        axis.axis("off")
    for axis, ((model, title), own) in zip(axes.ravel(), panels, strict=False):
        mean = draws[(draws["model"] == model) & (draws["title"] == title)]
        _panel(axis, own, mean)
        axis.set_title(title if runs["model"].nunique() == 1 else f"{title}, {model}", fontsize=9)
    handles = {name: handle for axis in axes.ravel() for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), fontsize=7, loc="lower center", bbox_to_anchor=(0.5, -0.14), ncols=4)
    figure.tight_layout()
    return {"pruning": figure}


def _panel(axis: Any, runs: pd.DataFrame, mean: pd.DataFrame) -> None:
    """One model and benchmark."""
    factor = scale(str(runs["unit"].iloc[0]))
    for seed, own in runs[runs["by"] == RANDOM].groupby("seed", sort=True):
        axis.plot(own["kept"], own["value"] * factor, marker="o", markersize=4, linewidth=0.8, alpha=0.7, label=f"draw {seed}")
    if len(mean):
        error = [(mean["mean"] - mean["low"]).fillna(0) * factor, (mean["high"] - mean["mean"]).fillna(0) * factor]
        axis.errorbar(
            mean["kept"], mean["mean"] * factor, yerr=error, color="black", linestyle=":", capsize=2, label="mean of draws"
        )
    for number, (by, own) in enumerate(runs[~runs["by"].isin([RANDOM, WHOLE])].groupby("by", sort=True)):
        axis.plot(own["kept"], own["value"] * factor, linestyle="", marker="sD^vP"[number % 5], markersize=6, label=by)
    for value in runs.loc[runs["by"] == WHOLE, "value"] * factor:
        axis.axhline(value, color="grey", linewidth=0.8, linestyle="--", label=WHOLE)
    axis.set_xlabel("experts kept a layer")
    axis.set_ylabel("score (%)" if runs["unit"].iloc[0] == "percent" else "score")
    axis.locator_params(axis="x", integer=True)


def find(tables: Tables, options: Options) -> list[Finding]:
    """Say whether draws differ, whether more experts are better, whether criteria beat chance, and what is saved."""
    findings: list[Finding] = []
    draws, trend, criteria = tables["draws"], tables["trend"], tables["criteria"]
    for model, title in sorted(set(zip(tables["runs"]["model"], tables["runs"]["title"], strict=True))):
        findings.append(_spread(model, title, _part(draws, model, title), options))
        findings.append(_growth(model, title, _part(trend, model, title)))
        own = _part(criteria, model, title)
        findings += [_criterion(model, title, str(by), part, options) for by, part in (own.groupby("by") if len(own) else ())]
    return [*findings, *_savings(tables["runs"])]


def _part(table: pd.DataFrame, model: str, title: str) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["title"] == title)] if len(table) else table


def _spread(model: str, title: str, table: pd.DataFrame, options: Options) -> Finding:
    hypothesis = f"{model}, {title}: which experts are removed matters, not only how many"
    several = table[table["draws"] > 1] if len(table) else table
    if several.empty:
        return Finding(hypothesis=hypothesis, verdict="not tested", text="There are no two draws of one number of experts.")
    widest = several.iloc[int((several["most"] - several["least"]).to_numpy().argmax())]
    found = int((several["p_holm"] < options.alpha).sum())
    unit = widest["unit"]
    few = f" With fewer than {ENOUGH} draws a number this says little." if several["draws"].min() < ENOUGH else ""
    text = (
        f"With {int(widest['kept'])} experts kept the {int(widest['draws'])} draws go from {shown(widest['least'], unit)} to "
        f"{shown(widest['most'], unit)} (standard deviation {shown(widest['sd_draws'], unit)}, where the samples alone leave "
        f"{shown(widest['se_samples'], unit)} of error); at {found} of {len(several)} numbers kept the draws differ by "
        f"more than chance "
        f"(Holm).{few}"
    )
    return Finding(hypothesis=hypothesis, verdict="supported" if found else "undecided", text=text)


def _growth(model: str, title: str, table: pd.DataFrame) -> Finding:
    hypothesis = f"{model}, {title}: the mean over draws grows with the number of experts kept"
    if table.empty:
        return Finding(hypothesis=hypothesis, verdict="not tested", text="There are no draws of two numbers of experts.")
    one = table.iloc[0]
    verdict: Verdict = "supported" if one["low"] > 0 else "contradicted" if one["high"] < 0 else "undecided"
    unit = one["unit"]
    text = (
        f"Each further expert adds {shown(one['slope'], unit)} [{shown(one['low'], unit)}, {shown(one['high'], unit)}] "
        f"on average, from "
        f"{int(one['lowest'])} to {int(one['highest'])} experts ({int(one['runs'])} runs)."
    )
    return Finding(hypothesis=hypothesis, verdict=verdict, text=text)


def _criterion(model: str, title: str, by: str, table: pd.DataFrame, options: Options) -> Finding:
    better = table[(table["p_holm"] < options.alpha) & (table["difference"] > 0)]
    worse = table[(table["p_holm"] < options.alpha) & (table["difference"] < 0)]
    verdict: Verdict = "undecided"
    if len(better) or len(worse):
        verdict = "supported" if len(better) > len(worse) else "contradicted"
    parts = [
        f"{int(row['kept'])} kept: {shown(row['difference'], row['unit'])} [{shown(row['low'], row['unit'])}, "
        f"{shown(row['high'], row['unit'])}], {p_text(row['p_holm'])}, above {int(row['beats'])} of {int(row['draws'])} draws"
        for _, row in table.iterrows()
    ]
    text = f"Difference from the mean of random draws: {'; '.join(parts)} (Holm)."
    return Finding(hypothesis=f"{model}, {title}: pruning by {by} beats chance", verdict=verdict, text=text, paper=False)


def _savings(runs: pd.DataFrame) -> Iterator[Finding]:
    """What each number of experts kept saves; a plain count."""
    for model, own in runs.groupby("model", sort=True):
        saved = own[own["parameters_saved"] > 0].drop_duplicates("kept").sort_values("kept")
        parts = [
            f"{int(row['kept'])} kept saves {int(row['parameters_saved']):,} of "
            f"{int(row['parameters'] + row['parameters_saved']):,} parameters ({row['bytes_saved'] / 2**20:.1f} MiB)"
            for _, row in saved.iterrows()
        ]
        text = f"{'; '.join(parts)}."
        yield Finding(hypothesis=f"{model}: pruning saves memory", verdict="supported", text=text, paper=False)


STUDY = Study(
    name="pruning",
    title="Pruned experts",
    question="How much of a score is left when experts are removed from every layer, at random or by a criterion?",
    load=load,
    draw=draw,
    find=find,
    notes=(
        "Draws are of every layer by itself unless a run says same=true. Fewer experts than active ones lower the active ones.",
        "The interval of a mean is over draws and samples. Draws are compared by exchanging them within clusters of samples.",
        "p values are adjusted by Holm, over all numbers kept and benchmarks, and over all criteria.",
    ),
)
