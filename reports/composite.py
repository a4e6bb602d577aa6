"""Several benchmarks as one number (a mean, a sum, the paper's Figure 1), with an error that knows which pictures they share.

POPE, RefCOCO, VQAv2, OK-VQA and parts of MME ask about the same COCO pictures. Errors of a sum over benchmarks add in squares
only where nothing is shared; else the clusters that hold a common picture (the digest of its bytes) are one cluster:

    SE^2 = sum over joint clusters c of (sum over benchmarks w psi_c)^2      (psi: `harness.metrics.aggregate`)

Not here: the benchmarks' own numbers (`reports.aligned`, `reports.paired`).
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ResultError
from harness.metrics.intervals import degrees, symmetric
from harness.store import Reader
from reports.aligned import align
from reports.load import Run

if TYPE_CHECKING:
    from reports.paired import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One benchmark: its weight, a value for each unit (float[n]), their clusters (int[n]), and what media each cluster shows."""

    weight: float
    values: Floats
    cluster: Ints
    media: Mapping[int, frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Composite:
    """A weighted sum over benchmarks; ``joined``: how many clusters have joined others through media they share."""

    value: float
    se: float
    low: float
    high: float
    p: float
    clusters: int
    joined: int


def composite(parts: Sequence[Part], *, confidence: float = 0.95) -> Composite:
    """Sum the means of the parts, each times its weight; ``p`` is two-sided, of the sum being 0 (Student's t).

    With fewer than two clusters, error, interval and ``p`` are NaN.

    Raises:
        ValueError: there is no part, or one of them has no unit.
    """
    import numpy as np
    from scipy.special import stdtr

    if not parts or any(not len(part.values) for part in parts):
        raise ValueError(f"a composite of {len(parts)} benchmarks, of which one has no unit")
    joint = _joint(parts)
    count = 1 + max(max(codes.values()) for codes in joint)
    psi, value = np.zeros(count), 0.0
    for part, codes in zip(parts, joint, strict=True):
        own, sums = _influence(part)
        np.add.at(psi, [codes[code] for code in own], part.weight * sums)
        value += part.weight * float(part.values.mean())
    second = float((psi**2).sum())
    se = math.sqrt(second) if count > 1 else math.nan  # influences of a single joint cluster cancel, which is no certainty
    freedom = float(degrees(second, float((psi**4).sum()), count))
    low, high = symmetric(value, se, freedom, confidence)
    p = math.nan if math.isnan(se) else float(2 * stdtr(freedom, -abs(value) / se)) if se > 0 else float(value == 0)
    before = sum(len(codes) for codes in joint)
    return Composite(value=value, se=se, low=float(low), high=float(high), p=p, clusters=count, joined=before - count)


def _influence(part: Part) -> tuple[list[int], Floats]:
    """The codes of a part's clusters, and the influence of each on its mean; NaN where there is one cluster."""
    import numpy as np

    labels, place = np.unique(part.cluster, return_inverse=True)
    sums = np.bincount(place, weights=part.values - part.values.mean(), minlength=len(labels)) / len(part.values)
    factor = math.sqrt(len(labels) / (len(labels) - 1)) if len(labels) > 1 else math.nan
    return labels.tolist(), sums.astype(np.float64) * factor


def _joint(parts: Sequence[Part]) -> list[dict[int, int]]:
    """For each part, its cluster codes to joint codes 0, 1, ...: clusters with a medium in common get the same."""
    parent: dict[object, object] = {}

    def root(node: object) -> object:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    nodes = [(number, code) for number, part in enumerate(parts) for code in dict.fromkeys(part.cluster.tolist())]
    for number, code in nodes:
        for digest in parts[number].media.get(code, frozenset()):
            parent[root((number, code))] = root(digest)
    codes: dict[object, int] = {}
    joint: list[dict[int, int]] = [{} for _ in parts]
    for number, code in nodes:
        joint[number][code] = codes.setdefault(root((number, code)), len(codes))
    return joint


def part_of(run: Run, metric: str | None = None, weight: float = 1.0) -> Part:
    """A metric of a finished run, the primary one unless named, as a part of a sum over benchmarks (the paper's Figure 1).

    Raises:
        ResultError: as `reports.aligned.align`.
    """
    own = align(run, run, metric)
    media = media_of(run, own.sample_ids, own.rows_a.cluster)
    return Part(weight=weight, values=own.a, cluster=own.cluster, media=media)


def media_of(run: Run, sample_ids: Sequence[str], cluster: Ints) -> dict[int, frozenset[str]]:
    """The digests of the media that each cluster's samples show, as the run has stored them; empty where it has not.

    Args:
        run: a finished run.
        sample_ids: all its samples.
        cluster: the code of each, int[n].
    """
    code_of = dict(zip(sample_ids, cluster.tolist(), strict=True))
    found: dict[int, set[str]] = {}
    try:
        with Reader(run.folder) as reader:
            for sample, key, _ in reader.planned():
                request = reader.request(key) if sample in code_of else None
                shown = {str(part["digest"]) for part in (request or {}).get("parts", ()) if part.get("digest")}
                found.setdefault(code_of.get(sample, -1), set()).update(shown)
    except (ResultError, sqlite3.Error):
        return {}
    return {code: frozenset(digests) for code, digests in found.items()}
