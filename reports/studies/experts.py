"""How many experts should be active: the score of each benchmark and the speed by the number of experts a token passes.

Figure 5 of the paper (arXiv 2402.05935): one axis for MME's points, one for the benchmarks in per cent. The runs are those of
one model with different ``model.active_experts``; each is compared with the number it was trained with on the same samples
(`reports.paired`), and p values are adjusted by Holm over all comparisons of the study. Not here: pruned models
(``pruning``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import ResultError
from harness.results import Result
from harness.store import Reader
from reports.aligned import align, finished
from reports.paired import holm, paired
from reports.studies.study import Finding, Options, Study, Tables, Verdict, details, label, p_text, scale, shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

POINTS = "mme"
"""The benchmark that the paper draws on an axis of its own, and for which another number is best."""


def load(runs: Sequence[Result], options: Options) -> Tables:
    """Make the table ``scores``: a row a model, benchmark and number of active experts.

    Raises:
        ResultError: no run is of a sparse model, or no model was run with two numbers.
    """
    import pandas as pd

    chosen = [run for run in runs if details(run) and not details(run).get("kept_experts")]
    rows = [_row(run) for run in chosen]
    table = pd.DataFrame(rows)
    if table.empty or table.groupby(["model", "benchmark", "data"])["active"].nunique().max() < 2:
        raise ResultError(
            "study experts: needs runs of one sparse model with different numbers of active experts: "
            "riddle eval -m model=nano_moe model.active_experts=1,2,4,8 task=... runs=study_runs"
        )
    table = table.drop_duplicates(["model", "benchmark", "data", "active"], keep="last")
    table = pd.concat([_compared(group, options) for _, group in table.groupby(["model", "benchmark", "data"], sort=True)])
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"].tolist())
    order = ["model", "benchmark", "data", "active"]
    return {"scores": table.drop(columns="folder").sort_values(order).reset_index(drop=True)}


def _row(run: Result) -> dict[str, Any]:
    metric, about = run.metric(), details(run)
    return {
        **label(run),
        "data": run.run["data"]["fingerprint"],
        "active": int(about["active_experts"]),
        "trained": int(about.get("trained_active_experts") or about["active_experts"]),
        "experts": int(about["experts"]),
        "metric": metric.name,
        "unit": metric.unit,
        "n": metric.n,
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "replies_per_s": speed(run),
        "folder": str(run.folder),
    }


def speed(run: Result) -> float:
    """Replies a second of the model's own time, over the replies that were made for this run; NaN where none says its time."""
    with Reader(run.folder) as reader:
        stored = [one for _, _, one in reader.planned() if one is not None and not one.reused]
    seconds = [one.response.seconds for one in stored if one.response.seconds]
    return len(seconds) / sum(seconds) if seconds else math.nan


def _compared(group: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Add the paired difference of each number from the one of training."""
    from pathlib import Path

    found = group.assign(difference=math.nan, difference_low=math.nan, difference_high=math.nan, p=math.nan, p_holm=math.nan)
    base = found[found["active"] == found["trained"]]
    if base.empty:
        return found
    first = finished(Path(base.iloc[0]["folder"]))
    for place, row in found[found["active"] != found["trained"]].iterrows():
        pair = align(first, finished(Path(row["folder"])))
        test = paired(pair.a, pair.b, pair.cluster, confidence=options.confidence, seed=options.seed)
        columns = ["difference", "difference_low", "difference_high", "p"]
        found.loc[place, columns] = [test.difference, test.low, test.high, test.p]
    return found


def draw(tables: Tables) -> Mapping[str, Figure]:
    """Draw scores on two axes as the paper does, and speed."""
    table = tables["scores"]
    return {"active_experts": _scores(table), "speed": _speed(table)}


def _scores(table: pd.DataFrame) -> Figure:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 4))
    other = axis.twinx()
    other.grid(False)
    colours = plt.get_cmap("tab10")
    several = table.groupby(["model", "title"], sort=True)
    for number, ((model, title), group) in enumerate(several):
        unit = str(group["unit"].iloc[0])
        shares = unit in ("percent", "fraction")
        factor = 100.0 if shares else scale(unit)
        low, high = (group["value"] - group["low"]) * factor, (group["high"] - group["value"]) * factor
        name = title if table["model"].nunique() == 1 else f"{title}, {model}"
        beside = 0.06 * (number - (len(several) - 1) / 2)  # so that intervals do not hide one another
        (axis if shares else other).errorbar(
            group["active"] + beside, group["value"] * factor, yerr=[low.fillna(0), high.fillna(0)], capsize=2, elinewidth=1,
            marker="o", markersize=4, linestyle="-" if shares else "--", color=colours(number % 10),
            label=name if shares else f"{name} (right axis)",
        )  # fmt: skip
    axis.set_xlabel("active experts")
    axis.set_ylabel("score (%)")
    other.set_ylabel("score (points)")
    axis.axvline(float(table["trained"].iloc[0]), color="grey", linewidth=0.8, linestyle=":")
    handles = [part for one in (axis, other) for part in one.get_legend_handles_labels()[0]]
    names = [part for one in (axis, other) for part in one.get_legend_handles_labels()[1]]
    if not other.lines:
        other.set_yticks([])
        other.set_ylabel("")
    axis.legend(handles, names, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)
    return figure


def _speed(table: pd.DataFrame) -> Figure:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3))
    for (model, title), group in table.groupby(["model", "title"], sort=True):
        axis.plot(group["active"], group["replies_per_s"], marker="o", label=f"{title}, {model}")
    axis.set_xlabel("active experts")
    axis.set_ylabel("replies a second")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    return figure


def find(tables: Tables, options: Options) -> list[Finding]:
    """Say for which benchmarks the number of training is best, and what the paper says of MME."""
    table = tables["scores"]
    findings: list[Finding] = []
    for model, group in table.groupby("model", sort=True):
        trained = int(group["trained"].iloc[0])
        rest = group[group["benchmark"] != POINTS]
        if len(rest):
            findings.append(_best(str(model), trained, rest, options.alpha))
        findings.append(_points(str(model), trained, group[group["benchmark"] == POINTS], options.alpha))
    return findings


def _best(model: str, trained: int, table: pd.DataFrame, alpha: float) -> Finding:
    """Whether the number of training is best on every benchmark but MME."""
    sentences: list[str] = []
    best_everywhere = True
    for title, group in table.groupby("title", sort=True):
        best = _best_of(group)
        own = group[group["active"] == trained]
        best_everywhere &= not own.empty and float(own["value"].iloc[0]) >= float(best["value"])
        said = f"on {title} {int(best['active'])} is best with {shown(best['value'], best['unit'])}"
        if int(best["active"]) != trained and not own.empty:
            said += f" ({_difference(best)} above {trained}, {p_text(best['p_holm'])})"
        sentences.append(said)
    better = table[(table["p_holm"] < alpha) & (table["difference"] > 0)]
    worse = table[(table["p_holm"] < alpha) & (table["difference"] < 0)]
    others = table[table["active"] != trained]
    verdict: Verdict = "contradicted" if len(better) else "supported" if len(worse) == len(others) else "undecided"
    if not len(others) or others["p"].isna().all():
        verdict = "not tested"
    summary = (
        f"Of {len(others)} comparisons with {trained} active experts on the same questions, {len(worse)} are "
        f"significantly worse "
        f"and {len(better)} significantly better (Holm); {', '.join(sentences)}. "
        f"By value alone {trained} is {'best everywhere' if best_everywhere else 'not best everywhere'}."
    )
    return Finding(
        hypothesis=f"{model}: as many active experts as in training ({trained}) are best on every benchmark but MME",
        verdict=verdict,
        text=summary,
    )


def _best_of(group: pd.DataFrame) -> Any:
    """The row with the highest score; of equals the one of training."""
    return group.assign(own=group["active"] == group["trained"]).sort_values(["value", "own"], kind="stable").iloc[-1]


def _points(model: str, trained: int, table: pd.DataFrame, alpha: float) -> Finding:
    """Whether twice as many as in training are better on MME."""
    wanted = 2 * trained
    hypothesis = f"{model}: on MME {wanted} active experts are better than {trained}"
    row = table[table["active"] == wanted]
    if row.empty or math.isnan(float(row["p"].iloc[0])):
        return Finding(
            hypothesis=hypothesis, verdict="not tested", text=f"There are no MME runs with {trained} and {wanted} experts."
        )
    one = row.iloc[0]
    verdict: Verdict = "undecided"
    if one["p_holm"] < alpha:
        verdict = "supported" if one["difference"] > 0 else "contradicted"
    best = _best_of(table)
    own = table.loc[table["active"] == trained, "value"]
    place = 1 + int((table["value"] > own.iloc[0]).sum())
    ranks = f" {trained} {'comes' if trained == 1 else 'come'} {place}. of {len(table)}."
    text = (
        f"The difference is {_difference(one)} ({p_text(one['p_holm'])}, Holm); best is {int(best['active'])} "
        f"with {shown(best['value'], best['unit'])}.{ranks}"
    )
    return Finding(hypothesis=hypothesis, verdict=verdict, text=text)


def _difference(row: Any) -> str:
    unit = row["unit"]
    return f"{shown(row['difference'], unit)} [{shown(row['difference_low'], unit)}, {shown(row['difference_high'], unit)}]"


STUDY = Study(
    name="experts",
    title="Number of active experts",
    question="How do scores and speed change with the number of experts that each token passes?",
    load=load,
    draw=draw,
    find=find,
    notes=(
        "Each point is one run with its own interval; differences are paired on the same samples, clustered by picture.",
        "p values are adjusted by Holm over all comparisons of the study. Speed is replies by the model's own seconds.",
    ),
)
