"""The pictures of the scaling study: the sum of scores by parameters, data and computation, and the paper's five models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reports.studies.scaling_fits import along, band
from reports.studies.study import Options, Tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "parameters": "parameters",
    "pictures": "training pictures",
    "compute": "active parameters x training pictures",
}
MARKS = {"dense": "o", "sparse": "s"}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by the colour-blind."""


def draw(tables: Tables) -> Mapping[str, Figure]:
    """Draw every axis that has more than one value, and the paper's points."""
    models = tables["models"]
    figures = {name: _figure(models, name) for name in LABELS if models[name].nunique() > 1}
    return {**figures, "published": _published(tables["published"])}


def _figure(models: pd.DataFrame, axis: str) -> Figure:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    other = {"parameters": "pictures", "pictures": "variant"}.get(axis)
    lines = [("", models)] if other is None else list(models.groupby(other, sort=False))
    for number, (name, group) in enumerate(lines):
        for kind, of_kind in group.groupby("kind", sort=True):
            told = f"{name!s} pictures" if other == "pictures" else str(name).removesuffix("_moe")
            _points(axes, of_kind, axis, COLOURS[number % len(COLOURS)], f"{told} {kind}".strip())
    for kind, group in models.groupby("kind", sort=True):
        found = band(along(group, axis), axis, Options())
        if found:
            grid, curve, low, high = found
            line = "-" if kind == "dense" else "--"
            axes.plot(grid, curve, color="0.3", linewidth=1, linestyle=line, label=f"power law, {kind}")
            axes.fill_between(grid, low, high, color="0.5", alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel(LABELS[axis])
    axes.set_ylabel(f"sum over {int(models['benchmarks'].iloc[0])} benchmarks (per cent)")
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _points(axes: Axes, models: pd.DataFrame, axis: str, colour: str, name: str) -> None:
    """Every seed faintly, their mean on top, joined from small to large."""
    kind = str(models["kind"].iloc[0])
    axes.scatter(models[axis], models["total"], s=8, alpha=0.4, color=colour, marker=MARKS[kind], linewidth=0)
    mean = models.groupby(axis)["total"].mean()  # in order of the axis
    filled, line = (colour, "-") if kind == "dense" else ("white", ":")
    look: Any = {"color": colour, "linestyle": line, "linewidth": 1, "markersize": 5, "markerfacecolor": filled}
    axes.plot(mean.index, mean, marker=MARKS[kind], label=name, **look)


def _published(table: pd.DataFrame) -> Figure:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.4))
    axes.scatter(table["language_parameters"], table["total"], color=COLOURS[0], s=24)
    for row in table.to_dict("records"):
        place = float(row["language_parameters"]), float(row["total"])
        axes.annotate(str(row["model"]), place, xytext=(5, 4), textcoords="offset points")
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.12)
    axes.set_xlabel("parameters of the language model")
    axes.set_ylabel("sum of the paper's Tables 1, 4, 5")
    axes.set_title("published (arXiv 2402.05935)")
    return figure
