"""Which experts tokens go to: by layer, benchmark, category, modality and correctness; how evenly, and how alike in two models.

Figure 4 of the paper (arXiv 2402.05935) shows how often each expert is chosen in every layer while MME's artwork, celebrity
and OCR questions are answered, for pictures, language and both, and concludes that no expert is a specialist and that both
ends of the stack are flatter than its middle. Here both are tested statements: "no specialist" means that the bootstrap bound
of the largest ratio (use for one label over use for the rest) stays below `SPECIALIST`; that routing depends on the label at
all is a weaker claim, and is reported beside it. Not here: how traces are read (``loads``), the tests (``dependence``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.results import Result
from reports.studies import likeness, routing_figures
from reports.studies.dependence import Dependence, depend, depend_within, entropy, ratio_bound, reflected, resampled
from reports.studies.loads import PANELS, Loads, by_unit, co_activation, read_loads, shares
from reports.studies.study import Finding, Options, Study, Tables, Verdict, p_text

if TYPE_CHECKING:
    from reports.studies.dependence import Floats, Ints

SPECIALIST = 2.0
"""An expert is a specialist of a label if it is used at least so many times as often for it as for the rest."""

ONE = {"benchmark": "one benchmark", "category": "one category", "modality": "one modality", "right": "wrong or right answers"}
WHICH = {
    "benchmark": "the benchmark",
    "category": "the category",
    "modality": "the modality",
    "right": "whether the answer is right",
}

LABELS = {
    "benchmark": "benchmark",
    "category": "category within its benchmark",
    "modality": "modality",
    "right": "right or wrong",
}


def load(runs: Sequence[Result], options: Options) -> Tables:
    """Make all tables of the study. Raises `ResultError` for runs without traces."""
    models = read_loads(runs)
    return {
        "usage": pd.concat([_usage(one) for one in models], ignore_index=True),
        "evenness": pd.concat([_evenness(one, options) for one in models], ignore_index=True),
        "ends": pd.DataFrame([row for one in models for row in _ends(one, options)]),
        "dependence": pd.DataFrame([row for one in models for row in _dependences(one, options)]),
        "pairs": pd.DataFrame(
            [row for one in models for row in _pairs(one)],
            columns=["model", "layer", "expert", "with_expert", "tokens", "share", "lift"],
        ),
        "stability": likeness.compare(models, options),
    }


def _usage(loads: Loads) -> pd.DataFrame:
    """Share of tokens by benchmark or category, panel, layer and expert, pooled over the tokens of the label."""
    samples = loads.samples
    labels = [("benchmark", samples["title"]), ("category", samples["title"] + ": " + samples["category"])]
    frames = []
    for level, column in labels:
        for name in sorted(set(column[(samples["category"] != "") | (level == "benchmark")])):
            inside = (column == name).to_numpy()
            for panel in PANELS:
                total = loads.of(panel)[inside].sum(axis=0)
                with np.errstate(invalid="ignore"):
                    share = total / total.sum(axis=-1, keepdims=True)
                layer, expert = np.indices(total.shape)
                frames.append(pd.DataFrame({
                    "model": loads.model, "level": level, "label": name, "panel": panel, "samples": int(inside.sum()),
                    "layer": layer.ravel(), "expert": expert.ravel(), "tokens": total.ravel(), "share": share.ravel(),
                }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _evenness(loads: Loads, options: Options) -> pd.DataFrame:
    """Normalised entropy, coefficient of variation and max over mean of the load, by layer, with intervals over clusters."""
    frames = []
    for panel in PANELS:
        units = by_unit(loads.of(panel), loads.unit)
        drawn = np.tensordot(resampled(len(units), options.draws, options.seed), units, axes=1)
        columns: dict[str, Any] = {"model": loads.model, "panel": panel, "layer": range(units.shape[1])}
        for name, measure in (("entropy", entropy), ("variation", _variation), ("peak", _peak)):
            columns[name] = measure(units.sum(axis=0))
            columns[f"{name}_low"], columns[f"{name}_high"] = reflected(columns[name], measure(drawn), options.confidence)
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _variation(loads: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        found: Floats = loads.std(axis=-1) / loads.mean(axis=-1)
    return found


def _peak(loads: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        found: Floats = loads.max(axis=-1) / loads.mean(axis=-1)
    return found


def _ends(loads: Loads, options: Options) -> Iterator[dict[str, Any]]:
    """Mean entropy of the outer quarters of the layers (one each at least) minus that of the layers between, by panel."""
    layers = loads.vision.shape[1]
    outer = max(1, layers // 4)
    if layers < 2 * outer + 1:
        return

    def difference(total: Floats) -> Floats:
        value = entropy(total)
        ends = np.concatenate([value[..., :outer], value[..., -outer:]], axis=-1)
        found: Floats = ends.mean(axis=-1) - value[..., outer:-outer].mean(axis=-1)
        return found

    for panel in PANELS:
        units = by_unit(loads.of(panel), loads.unit)
        drawn = difference(np.tensordot(resampled(len(units), options.draws, options.seed), units, axes=1))
        value = difference(units.sum(axis=0))
        low, high = reflected(value, drawn, options.confidence)
        yield {"model": loads.model, "panel": panel, "outer": outer, "difference": float(value), "low": low, "high": high}


def _dependences(loads: Loads, options: Options) -> Iterator[dict[str, Any]]:
    """Rows of the table ``dependence``: a row a label and layer, the label's tests repeated in each."""
    for name, tested, bound, units in _tests(loads, options):
        peak, upper = bound
        for layer in range(len(tested.information)):
            yield {
                "model": loads.model, "label": name, "units": units, "layer": layer, "information": tested.information[layer],
                "null": tested.null[layer], "null_high": tested.high[layer], "p": tested.p[layer], "p_all": tested.p_all,
                "ratio": peak, "ratio_high": upper, "p_ratio": tested.p_ratio,
            }  # fmt: skip


def _tests(loads: Loads, options: Options) -> Iterator[tuple[str, Dependence, tuple[float, float], int]]:
    """Each label that the runs can tell apart, with its test, its largest ratio with the bound, and the number of units."""
    samples = loads.samples
    draws, seed = options.draws, options.seed
    bounds = min(draws, 500)
    for name, label, stratum in (
        ("benchmark", samples["title"], pd.Series([""] * len(samples))),
        ("category", samples["category"], samples["title"]),
        ("right", samples["right"].astype(str), samples["title"]),
    ):
        values, codes, strata = _units(loads, label, stratum)
        if not len(values):
            continue
        tested = depend(values, codes, strata, draws, seed)
        found = [
            ratio_bound(values[strata == one], codes[strata == one], bounds, seed, options.confidence)
            for one in np.unique(strata)
        ]
        yield name, tested, max(found, key=lambda pair: pair[1]), len(values)
    both = (loads.vision.sum(axis=(1, 2)) > 0) & (loads.language.sum(axis=(1, 2)) > 0)
    if both.any():
        units = np.unique(loads.unit[both], return_inverse=True)[1]
        first, second = (shares(by_unit(counts[both], units)) for counts in (loads.vision, loads.language))
        kinds = np.repeat([0, 1], len(first))
        bound = ratio_bound(np.concatenate([first, second]), kinds, bounds, seed, options.confidence)
        yield "modality", depend_within(first, second, draws, seed), bound, len(first)


def _units(loads: Loads, label: pd.Series, stratum: pd.Series) -> tuple[Floats, Ints, Ints]:
    """Shares, label and stratum codes of the units: a cluster's samples of one label; strata with one label are left out.

    A cluster whose samples differ in the label gives a unit for each.
    """
    table = pd.DataFrame({"unit": loads.unit, "label": label.to_numpy(), "stratum": stratum.to_numpy()})
    several = table.groupby("stratum")["label"].transform("nunique") > 1
    keep = several.to_numpy() & (table["label"] != "").to_numpy()
    if not keep.any():
        return np.zeros((0, *loads.vision.shape[1:])), np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    table = table[keep]
    units = table.groupby(["unit", "label", "stratum"], sort=True).ngroup().to_numpy()
    first = np.unique(units, return_index=True)[1]
    counts = by_unit(loads.of("both")[keep], np.asarray(units, dtype=np.int64))
    codes = np.unique(table["stratum"] + "\0" + table["label"], return_inverse=True)[1][first]
    strata = np.unique(table["stratum"], return_inverse=True)[1][first]
    return shares(counts), codes, strata


def _pairs(loads: Loads) -> Iterator[dict[str, Any]]:
    """Which experts tokens choose together, where token-level traces are; lift 1 is what independence would give."""
    layers, experts = loads.vision.shape[1:]
    found = [one for one in (co_activation(folder, layers, experts) for folder in loads.runs) if one is not None]
    if not found:
        return
    total = np.sum(found, axis=0)
    for layer in range(layers):
        alone = np.diag(total[layer])
        together = total[layer] - np.diag(alone)
        pairs = together.sum() / 2
        odds = np.outer(alone, alone)
        np.fill_diagonal(odds, 0.0)
        for one in range(experts):
            for other in range(one + 1, experts):
                share = together[one, other] / pairs if pairs else np.nan
                expected = 2 * odds[one, other] / odds.sum() if odds.sum() else np.nan
                yield {
                    "model": loads.model, "layer": layer, "expert": one, "with_expert": other,
                    "tokens": int(together[one, other]), "share": share, "lift": share / expected if expected else np.nan,
                }  # fmt: skip


def find(tables: Tables, options: Options) -> list[Finding]:
    """Say of each model whether experts specialise, where the stack is flat, and how even the load is."""
    findings: list[Finding] = []
    dependence = tables["dependence"]
    for model in dict.fromkeys(tables["usage"]["model"]):
        for name, text in LABELS.items():
            part = dependence[(dependence["model"] == model) & (dependence["label"] == name)] if len(dependence) else dependence
            findings.append(_specialists(str(model), name, text, part, options))
        ends = tables["ends"]
        if len(ends):
            findings.append(_flatness(str(model), ends[(ends["model"] == model) & (ends["panel"] == "both")].iloc[0]))
        evenness = tables["evenness"]
        findings.append(_balance(str(model), evenness[(evenness["model"] == model) & (evenness["panel"] == "both")]))
    return [*findings, *likeness.find(tables["stability"], options)]


def _specialists(model: str, name: str, text: str, part: pd.DataFrame, options: Options) -> Finding:
    hypothesis = (
        f"{model}: no expert is a specialist of a {text}" if name != "right" else f"{model}: no expert marks wrong answers"
    )
    if part.empty:
        said = f"The runs given have no two values of {name} to compare."
        return Finding(hypothesis=hypothesis, verdict="not tested", text=said, paper=name != "right")
    one = part.iloc[0]
    verdict: Verdict = "undecided"
    if one["ratio_high"] < SPECIALIST:
        verdict = "supported"
    elif one["ratio"] >= SPECIALIST and one["p_ratio"] < options.alpha:
        verdict = "contradicted"
    said = (
        f"The most partial of all experts is used {one['ratio']:.2f} times as often for {ONE[name]} as for the rest "
        f"(upper bound {one['ratio_high']:.2f}, a specialist would be at {SPECIALIST:g}; {p_text(one['p_ratio'])} over "
        f"all experts). "
        f"Which expert a token goes to {'does depend' if one['p_all'] < options.alpha else 'is not shown to depend'} on "
        f"{WHICH[name]} at all: {part['information'].sum():.4f} bits over all layers, {part['null'].sum():.4f} by chance "
        f"({p_text(one['p_all'])}, {int(one['units'])} units)."
    )
    return Finding(hypothesis=hypothesis, verdict=verdict, text=said, paper=name != "right")


def _flatness(model: str, row: pd.Series) -> Finding:
    verdict: Verdict = "supported" if row["low"] > 0 else "contradicted" if row["high"] < 0 else "undecided"
    word = {"supported": "flatter", "contradicted": "less flat", "undecided": "not shown to differ"}[verdict]
    text = (
        f"Normalised entropy of the {row['outer']} outermost layers at each end minus that of the layers between is "
        f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]: the ends are {word}."
    )
    return Finding(
        hypothesis=f"{model}: routing is flatter at both ends of the stack than in its middle", verdict=verdict, text=text
    )


def _balance(model: str, table: pd.DataFrame) -> Finding:
    worst = table.sort_values("peak").iloc[-1]
    verdict: Verdict = "undecided"
    if table["peak_high"].max() < SPECIALIST:
        verdict = "supported"
    elif worst["peak_low"] > SPECIALIST:
        verdict = "contradicted"
    text = (
        f"The busiest expert has {worst['peak']:.2f} times the mean load [{worst['peak_low']:.2f}, "
        f"{worst['peak_high']:.2f}], in layer "
        f"{int(worst['layer'])}; the coefficient of variation is {table['variation'].min():.2f} to "
        f"{table['variation'].max():.2f} "
        f"over the layers."
    )
    return Finding(hypothesis=f"{model}: no expert carries twice the mean load", verdict=verdict, text=text, paper=False)


def draw(tables: Tables) -> Mapping[str, Any]:
    """Draw all figures that the tables have rows for."""
    return routing_figures.draw(tables)


STUDY = Study(
    name="routing",
    title="Routing of tokens to experts",
    question="Which experts do tokens go to, by layer, benchmark, category and modality, and how evenly?",
    load=load,
    draw=draw,
    find=find,
    notes=(
        "Vision is the tokens of pictures with their marks, language those of prompts and replies. Shares in the "
        "figure of usage are "
        "of all tokens of a label together; the tests give every cluster of samples the same weight.",
        "Information is the mutual information of expert and label in bits, by layer; its null exchanges labels "
        "between clusters "
        "(of one benchmark, for categories and correctness; for modality, the two kinds of tokens within a cluster).",
        "Intervals are basic bootstrap intervals over clusters. Where a cluster's samples differ in the label, each "
        "label's part is a unit.",
    ),
)
