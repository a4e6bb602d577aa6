"""The traces of finished runs as arrays: how many tokens of each sample chose each expert, joined with its scores.

Not here: what they mean (``routing``). The contract with the models that write traces is their columns: ``routing`` has
``sample_id, key, layer, expert, modality, view, count, weight``, ``routing_tokens`` has ``sample_id, key, layer, position,
modality, view, expert, weight``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from harness.errors import ResultError
from harness.results import Result
from harness.traces import traces_path
from reports.studies.study import details, label

if TYPE_CHECKING:
    from reports.studies.dependence import Floats, Ints

PANELS = ("vision", "language", "both")
"""Tokens of pictures; of prompts and replies; all."""

MOST_CATEGORIES = 40
"""A group of samples with more values than that is no category."""

RIGHT = 0.5
"""A sample counts as right from this score on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Loads:
    """Samples of the runs of one model.

    Attributes:
        model: its name.
        samples: a row a sample: ``benchmark``, ``title``, ``unit`` (its cluster as a code), ``category`` (or empty), ``right``.
        vision, language: tokens by sample, layer and expert, float[samples, layers, experts].
        runs: the runs' folders.
    """

    model: str
    samples: pd.DataFrame
    vision: Floats
    language: Floats
    runs: tuple[Path, ...]

    def of(self, panel: str) -> Floats:
        """Return the tokens of a panel."""
        return {"vision": self.vision, "language": self.language}.get(panel, self.vision + self.language)

    @property
    def unit(self) -> Ints:
        """Cluster code of each sample."""
        found: Ints = self.samples["unit"].to_numpy()
        return found


def read_loads(runs: Sequence[Result]) -> list[Loads]:
    """Read the traces of runs, by model (fingerprint), in order of name; models without a traced run are left out.

    Raises:
        ResultError: no run has traces, or some of a model's have none; these are named, with the command that makes them.
    """
    traced = {str(run.run["model"]["fingerprint"]) for run in runs if traces_path(run.folder, "routing").is_file()}
    sparse = [run for run in runs if details(run) and str(run.run["model"]["fingerprint"]) in traced]
    lacking = [run.folder for run in sparse or runs if not traces_path(run.folder, "routing").is_file()]
    if lacking:
        named = "\n".join(f"  {folder}" for folder in lacking)
        raise ResultError(
            f"no traces of the routing in\n{named}\n"
            "evaluate again with model.trace_routing=true (a finished run is asked again, and keeps its folder)"
        )
    groups: dict[str, list[Result]] = {}
    for run in sparse:
        groups.setdefault(str(run.run["model"]["fingerprint"]), []).append(run)
    names = [str(group[0].run["model"]["name"]) for group in groups.values()]
    found = [
        _loads(group, name if names.count(name) == 1 else f"{name} ({fingerprint[:6]})")
        for (fingerprint, group), name in zip(groups.items(), names, strict=True)
    ]
    return sorted(found, key=lambda one: one.model)


def _loads(runs: Sequence[Result], model: str) -> Loads:
    about = details(runs[0])
    shape = (int(about["layers"]), int(about["experts"]))
    samples, vision, language = [], [], []
    for run in runs:
        rows, counts = _of_run(run, shape)
        samples.append(rows)
        vision.append(counts[..., 0])
        language.append(counts[..., 1])
    table = pd.concat(samples, ignore_index=True)
    table["unit"] = table.groupby(["benchmark", "cluster"], sort=False).ngroup()
    return Loads(
        model=model,
        samples=table,
        vision=np.concatenate(vision),
        language=np.concatenate(language),
        runs=tuple(run.folder for run in runs),
    )


def _of_run(run: Result, shape: tuple[int, int]) -> tuple[pd.DataFrame, Floats]:
    """Samples with a trace, and their tokens by layer, expert and panel: [samples, layers, experts, 2]."""
    path = traces_path(run.folder, "routing")
    trace = pd.read_parquet(path, columns=["sample_id", "layer", "expert", "modality", "count"])
    if len(trace) and (trace["layer"].max() >= shape[0] or trace["expert"].max() >= shape[1]):
        raise ResultError(f"{path}: has more layers or experts than the {shape[0]} and {shape[1]} that run.json names")
    scores = pd.read_parquet(run.scores_path)
    scores = scores[scores["sample_id"].isin(trace["sample_id"].unique())].reset_index(drop=True)
    place = pd.Series(scores.index, index=scores["sample_id"].astype(str))
    counts = np.zeros((len(scores), *shape, 2))
    kind = (trace["modality"].astype(str) != "image").to_numpy().astype(int)
    rows = place.reindex(trace["sample_id"].astype(str)).to_numpy()
    keep = ~np.isnan(rows)
    index = (rows[keep].astype(int), trace["layer"].to_numpy()[keep], trace["expert"].to_numpy()[keep], kind[keep])
    np.add.at(counts, index, trace["count"].to_numpy()[keep])
    columns = [name for name in scores.columns if name.startswith("score.")]
    right = scores[columns[0]].to_numpy() >= RIGHT if columns else np.zeros(len(scores), dtype=bool)
    rows_of = pd.DataFrame({**label(run), "cluster": scores["cluster"], "category": _category(scores), "right": right})
    return rows_of, counts


def _category(scores: pd.DataFrame) -> pd.Series:
    """The group that is called category, else the first with several values but not too many; empty if there is none."""
    groups = [name for name in scores.columns if name.startswith("group.")]
    ordered = sorted(groups, key=lambda name: name != "group.category")
    for name in ordered:
        if 2 <= scores[name].nunique() <= MOST_CATEGORIES:
            return scores[name].fillna("").astype(str)
    return pd.Series([""] * len(scores))


def by_unit(counts: Floats, unit: Ints) -> Floats:
    """Sum of samples' values by unit: [units, ...]."""
    total = np.zeros((int(unit.max()) + 1, *counts.shape[1:]))
    np.add.at(total, unit, counts)
    return total


def shares(counts: Floats) -> Floats:
    """Share of the tokens that each expert got, by sample and layer; even where there is no token."""
    total = counts.sum(axis=-1, keepdims=True)
    found: Floats = np.divide(counts, total, out=np.full_like(counts, 1 / counts.shape[-1]), where=total > 0)
    return found


def co_activation(folder: Path, layers: int, experts: int) -> Floats | None:
    """How many tokens chose two experts together: [layers, experts, experts]; None where a run has no token-level traces."""
    path = traces_path(folder, "routing_tokens")
    if not path.is_file():
        return None
    total = np.zeros((layers, experts, experts))
    for part in _token_groups(path):
        token = part.groupby(["sample_id", "layer", "position"], sort=False, observed=True).ngroup().to_numpy()
        chosen = np.zeros((token.max() + 1, experts))
        chosen[token, part["expert"].to_numpy()] = 1.0
        layer = np.zeros(len(chosen), dtype=np.int64)
        layer[token] = part["layer"].to_numpy()
        for one in range(layers):
            own = chosen[layer == one]
            total[one] += own.T @ own
    return total


def _token_groups(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a file by row group; a sample's rows never part, since a row group ends with a sample."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    for number in range(file.num_row_groups):
        yield file.read_row_group(number, columns=["sample_id", "layer", "position", "expert"]).to_pandas()
