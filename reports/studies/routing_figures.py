"""The figures of the routing study, each from one table.

Not here: the tables (``routing``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.studies.loads import PANELS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from reports.studies.study import Tables

MOST_COLUMNS = 6
"""Labels side by side in the figure of usage."""

PAPER_CATEGORIES = ("artwork", "celebrity", "OCR")
"""The sub-tasks of MME that the paper shows."""


def draw(tables: Tables) -> Mapping[str, Figure]:
    """Return the figures by name: usage of each model by benchmark and by category, evenness, dependence, stability, pairs."""
    usage = tables["usage"]
    found: dict[str, Figure] = {}
    models = list(dict.fromkeys(usage["model"]))
    for place, model in enumerate(models):
        end = f"_{place + 1}" if len(models) > 1 else ""
        own = usage[usage["model"] == model]
        found[f"usage_by_benchmark{end}"] = _usage(own[own["level"] == "benchmark"], model)
        categories = own[own["level"] == "category"]
        if len(categories):
            found[f"usage_by_category{end}"] = _usage(categories, model)
    found["evenness"] = _evenness(tables["evenness"])
    if len(tables["dependence"]):
        found["dependence"] = _dependence(tables["dependence"])
    if len(tables["stability"]):
        found["stability"] = _stability(tables["stability"])
    if len(tables["pairs"]):
        found["pairs"] = _pairs(tables["pairs"])
    return found


def _chosen(labels: Sequence[str]) -> list[str]:
    """At most `MOST_COLUMNS` labels, those of the paper first."""
    first = [name for name in labels if name.rpartition(": ")[2] in PAPER_CATEGORIES and name.startswith("MME")]
    return [*first, *(name for name in labels if name not in first)][:MOST_COLUMNS]


def _usage(table: pd.DataFrame, model: str) -> Figure:
    """A heat map of expert by layer for each label and panel, around an even share."""
    import matplotlib.pyplot as plt

    labels = _chosen(list(dict.fromkeys(table["label"])))
    experts, layers = table["expert"].max() + 1, table["layer"].max() + 1
    even = 1 / experts
    size = (1.9 * len(labels) + 1.2, 5.6)
    figure, axes = plt.subplots(len(PANELS), len(labels), figsize=size, squeeze=False, sharex=True, sharey=True)
    most = max(2 * even, float(table.loc[table["label"].isin(labels), "share"].max()))
    for row, panel in enumerate(PANELS):
        for column, label in enumerate(labels):
            own = table[(table["label"] == label) & (table["panel"] == panel)]
            grid = own.pivot(index="expert", columns="layer", values="share").to_numpy()
            axis = axes[row, column]
            axis.grid(False)
            image = axis.imshow(grid, aspect="auto", origin="lower", cmap="viridis", vmin=0, vmax=most)
            if layers <= 12:
                axis.set_xticks(range(layers))
            axis.set_yticks(range(experts) if experts <= 16 else range(0, experts, 8))
            if row == 0:
                name = label.partition(": ")[2] or label
                axis.set_title(f"{name}\n(n = {int(own['samples'].iloc[0])})", fontsize=8)
            if column == 0:
                axis.set_ylabel(f"{panel}\nexpert")
            if row == len(PANELS) - 1:
                axis.set_xlabel("layer")
    bar = figure.colorbar(image, ax=axes.ravel().tolist(), shrink=0.7)
    bar.set_label(f"share of tokens (even: {even:.3f})")
    figure.suptitle(f"{model}: experts used", fontsize=10)
    return figure


def _evenness(table: pd.DataFrame) -> Figure:
    """Normalised entropy by layer with its interval."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.6))
    styles = dict(zip(PANELS, ("-", "--", ":"), strict=True))
    colours = plt.get_cmap("tab10")
    for number, (model, own) in enumerate(table.groupby("model", sort=False)):
        for panel in PANELS:
            part = own[own["panel"] == panel]
            colour = colours((number * len(PANELS) + PANELS.index(panel)) % 10)
            axis.plot(part["layer"], part["entropy"], marker="o", markersize=3, linestyle=styles[panel], color=colour,
                      label=f"{model}, {panel}")  # fmt: skip
            axis.fill_between(part["layer"], part["entropy_low"], part["entropy_high"], color=colour, alpha=0.2, linewidth=0)
    axis.set_xlabel("layer")
    axis.set_ylabel("normalised entropy of expert load")
    axis.locator_params(axis="x", integer=True)
    axis.legend(fontsize=7)
    return figure


def _dependence(table: pd.DataFrame) -> Figure:
    """Bits that the expert tells of each label, by layer, against what chance gives."""
    import matplotlib.pyplot as plt

    models = list(dict.fromkeys(table["model"]))
    labels = list(dict.fromkeys(table["label"]))
    figure, axes = plt.subplots(
        len(models), len(labels), figsize=(2.6 * len(labels) + 0.6, 2.4 * len(models) + 0.4), squeeze=False
    )
    for row, model in enumerate(models):
        for column, label in enumerate(labels):
            own = table[(table["model"] == model) & (table["label"] == label)]
            axis = axes[row, column]
            axis.bar(own["layer"], own["information"], color="tab:blue", label="measured")
            axis.plot(
                own["layer"], own["null_high"], color="black", marker="_", linestyle="", markersize=12, label="95 % by chance"
            )
            axis.set_title(f"{label} ({model})" if len(models) > 1 else label, fontsize=8)
            axis.set_xlabel("layer")
            axis.locator_params(axis="x", integer=True)
        axes[row, 0].set_ylabel("information (bits)")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    return figure


def _stability(table: pd.DataFrame) -> Figure:
    """A line a pair of models: distances as numbered and as matched, mean over layers, with what chance gives."""
    import matplotlib.pyplot as plt

    means = table.groupby(["model", "other"], sort=False).mean(numeric_only=True)
    figure, axis = plt.subplots(figsize=(7.2, 0.9 + 0.36 * len(means)))
    rows = range(len(means))
    for found, null, colour, label in (
        ("distance", "null", "tab:blue", "as numbered"),
        ("matched_distance", "matched_null", "tab:orange", "matched"),
    ):
        axis.plot(means[found], rows, "o", color=colour, label=label)
        axis.plot(means[null], rows, "|", color=colour, markersize=13, label=f"{label}, by chance")
    axis.set_yticks(rows, [f"{one}, {other}" for one, other in means.index], fontsize=7)
    axis.set_xlabel("total variation of usage, mean over layers")
    axis.set_xlim(left=0)
    axis.invert_yaxis()
    axis.legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    return figure


def _pairs(table: pd.DataFrame) -> Figure:
    """Lift of each pair of experts, by layer, for each model's first runs."""
    import matplotlib.pyplot as plt

    model = table["model"].iloc[0]
    own = table[table["model"] == model]
    layers, experts = own["layer"].max() + 1, own["with_expert"].max() + 1
    columns = min(6, layers)
    rows = -(-layers // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.9 * columns + 1, 1.9 * rows + 0.4), squeeze=False)
    for place, axis in enumerate(axes.ravel()):
        axis.grid(False)
        if place >= layers:
            axis.axis("off")
            continue
        grid = np.full((experts, experts), np.nan)
        part = own[own["layer"] == place]
        grid[part["expert"], part["with_expert"]] = part["lift"]
        grid[part["with_expert"], part["expert"]] = part["lift"]
        image = axis.imshow(grid, cmap="RdBu_r", vmin=0, vmax=2, origin="lower")
        axis.set_title(f"layer {place}", fontsize=8)
    figure.colorbar(image, ax=axes.ravel().tolist(), shrink=0.8).set_label("lift over independence")
    figure.suptitle(f"{model}: experts chosen together", fontsize=10)
    return figure
