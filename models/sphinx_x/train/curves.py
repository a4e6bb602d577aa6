"""A run's curves: rows appended to CSV files, and a picture drawn from them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path


def append(path: Path, row: Mapping[str, object]) -> None:
    """Add one row; the first one writes the header. Later rows must have the same columns."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}


def plot_steps(folder: Path) -> None:
    """Draw ``curves.png`` of a one-stage run: loss, learning rate and gradient norm by step, and the share of each expert."""
    from matplotlib.figure import Figure

    train = _columns(folder / "train.csv") if (folder / "train.csv").exists() else {}
    experts = _columns(folder / "experts.csv") if (folder / "experts.csv").exists() else {}
    figure = Figure(figsize=(14, 4))
    axes = figure.subplots(1, 4 if experts else 3)
    steps = [int(step) for step in train.get("step", ())]
    for axis, name in zip(axes, ("loss", "lr", "grad_norm"), strict=False):
        axis.plot(steps, [float(value) for value in train.get(name, ())], linewidth=0.8)
        axis.set(xlabel="step", title=name)
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    rows = zip(*(experts[name] for name in ("step", "layer", "expert", "share")), strict=True) if experts else ()
    for step, layer, expert, share in rows:
        series.setdefault((layer, expert), []).append((int(step), float(share)))
    for points in series.values():
        axes[3].plot([x for x, _ in points], [y for _, y in points], linewidth=0.5)
        axes[3].set(xlabel="step", title="share of each expert, by layer")
    figure.tight_layout()
    figure.savefig(folder / "curves.png", dpi=120)


def plot(folder: Path) -> None:
    """Draw ``curves.png``: training loss over core-seconds, and the held-out loss of every family."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5))
    left, right = figure.subplots(1, 2)
    if (folder / "train.csv").exists() and (train := _columns(folder / "train.csv")):
        left.plot([float(v) for v in train["total_s"]], [float(v) for v in train["loss"]], linewidth=0.8)
        left.set(xlabel="core-seconds", ylabel="loss on answers (per answer)", title="training")
    if (folder / "heldout.csv").exists() and (held := _columns(folder / "heldout.csv")):
        series: dict[str, list[tuple[float, float]]] = {}
        for at, family, loss in zip(held["total_s"], held["family"], held["loss"], strict=True):
            series.setdefault(family, []).append((float(at), float(loss)))
        for family, points in sorted(series.items()):
            right.plot([x for x, _ in points], [y for _, y in points], linewidth=0.8, label=family)
        right.set(xlabel="core-seconds", title="held-out loss by family")
        right.legend(fontsize=4, ncol=3)
    figure.tight_layout()
    figure.savefig(folder / "curves.png", dpi=120)
