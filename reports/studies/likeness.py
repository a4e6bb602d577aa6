"""How alike two models use their experts: two checkpoints of one training, or two trainings from different seeds.

A usage is the share of tokens that each expert of a layer gets, for every benchmark and modality. Two questions, each with a
null by permutation: do experts *keep their numbers* (the usages are closer as experts are numbered than if one model's were
numbered at random, layer by layer), and do the models *divide the work alike* (their usages, with experts matched as well as
can be, are closer than if the other model's tokens were labelled at random: benchmarks exchanged between clusters of samples,
the two modalities within them). Matching makes any two models look alike; only its null tells how much. Not here: whether a
model's experts specialise at all (``dependence``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from reports.studies.loads import Loads, by_unit, shares
from reports.studies.study import Finding, Options, Verdict, p_text

if TYPE_CHECKING:
    from reports.studies.dependence import Floats, Ints

COLUMNS = ("model", "other", "layer", "distance", "matched_distance", "null", "matched_null", "p_numbers", "p_matched", "labels")
MOST_DRAWS = 999


def compare(models: Sequence[Loads], options: Options) -> pd.DataFrame:
    """Compare the models of one shape two by two, a row a layer.

    Distances are total variation, 0 to 1, averaged over labels; ``null`` and ``matched_null`` are their means by chance;
    ``p_numbers`` and ``p_matched`` are of the mean over all layers, (1 + as close) / (1 + permutations).
    """
    rows = [row for one, other in combinations(models, 2) for row in _pair(one, other, options)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pair(one: Loads, other: Loads, options: Options) -> Iterator[dict[str, object]]:
    names = sorted(set(one.samples["benchmark"]) & set(other.samples["benchmark"]))
    if one.vision.shape[1:] != other.vision.shape[1:] or not names:
        return
    mine, theirs, codes = _usage(*_units(one, names)), *_units(other, names)
    own = _usage(theirs, codes)
    draws = min(options.draws, MOST_DRAWS)
    rng = np.random.default_rng(options.seed)
    distance, matched = _distance(mine, own), _matched(mine, own)
    numbered = np.stack([_distance(mine, _renumbered(own, rng)) for _ in range(draws)])
    labelled = np.stack([_matched(mine, _usage(*_relabelled(theirs, codes, rng))) for _ in range(draws)])
    found = {"p_numbers": _p(distance, numbered), "p_matched": _p(matched, labelled), "labels": len(mine)}
    for layer in range(len(distance)):
        yield {
            "model": one.model, "other": other.model, "layer": layer, "distance": distance[layer],
            "matched_distance": matched[layer], "null": numbered[:, layer].mean(),
            "matched_null": labelled[:, layer].mean(), **found,
        }  # fmt: skip


def _units(loads: Loads, names: Sequence[str]) -> tuple[Floats, Ints]:
    """Tokens of each cluster of samples by modality, float[units, 2, layers, experts], and the clusters' benchmarks as codes."""
    inside = loads.samples["benchmark"].isin(names).to_numpy()
    samples = loads.samples[inside]
    units = pd.factorize(samples["benchmark"] + "\n" + samples["unit"].astype(str))[0]
    tokens = np.stack([by_unit(loads.of(panel)[inside], units) for panel in ("vision", "language")], axis=1)
    first = pd.Series(samples["benchmark"].map(list(names).index).to_numpy()).groupby(units).first()
    return tokens, first.to_numpy()


def _usage(tokens: Floats, codes: Ints) -> Floats:
    """Share of each expert, for every benchmark and modality: float[labels, layers, experts]."""
    found: Floats = np.concatenate([shares(tokens[codes == code].sum(axis=0)) for code in np.unique(codes)])
    return found


def _costs(mine: Floats, theirs: Floats) -> Floats:
    """Total variation that each pair of experts adds if they are taken for one another: float[layers, experts, experts]."""
    found: Floats = np.abs(mine[..., :, None] - theirs[..., None, :]).mean(axis=0) / 2
    return found


def _distance(mine: Floats, theirs: Floats) -> Floats:
    found: Floats = np.abs(mine - theirs).sum(axis=-1).mean(axis=0) / 2
    return found


def _matched(mine: Floats, theirs: Floats) -> Floats:
    """The least distance by layer over all ways to number the other model's experts."""
    from scipy.optimize import linear_sum_assignment

    return np.array([cost[linear_sum_assignment(cost)].sum() for cost in _costs(mine, theirs)])


def _renumbered(usage: Floats, rng: np.random.Generator) -> Floats:
    """Number the experts of every layer at random."""
    order = np.stack([rng.permutation(usage.shape[-1]) for _ in range(usage.shape[1])])
    return np.take_along_axis(usage, np.broadcast_to(order, usage.shape), axis=-1)


def _relabelled(tokens: Floats, codes: Ints, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Exchange the modalities within clusters at random, and the benchmarks between them."""
    swapped = rng.random(len(tokens)) < 0.5
    return np.where(swapped[:, None, None, None], tokens[:, ::-1], tokens), rng.permutation(codes)


def _p(distance: Floats, null: Floats) -> float:
    return float((1 + (null.mean(axis=1) <= distance.mean()).sum()) / (1 + len(null)))


def find(table: pd.DataFrame, options: Options) -> Iterator[Finding]:
    """Say of each pair of models whether experts kept their numbers and whether the work is divided alike."""
    for (one, other), part in table.groupby(["model", "other"], sort=False):
        row = part.iloc[0]
        means = part[["distance", "null", "matched_distance", "matched_null"]].mean()
        said = (
            ("number their experts alike", "as experts are numbered", "distance", "null", "p_numbers"),
            ("divide the work alike", "with experts matched", "matched_distance", "matched_null", "p_matched"),
        )
        for what, how, distance, null, p in said:
            verdict: Verdict = "supported" if row[p] < options.alpha else "undecided"
            text = (
                f"Total variation between their usages is {means[distance]:.3f} {how}, {means[null]:.3f} by chance "
                f"({p_text(row[p])}; mean over {len(part)} layers, {int(row['labels'])} labels)."
            )
            yield Finding(hypothesis=f"{one} and {other} {what}", verdict=verdict, text=text, paper=False)
