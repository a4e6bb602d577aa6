"""The scores and metrics of samples whose answer is a set of labelled regions.

Average precision is no mean over samples: it is computed from the stored answers of all, and its standard error by leaving out
one block of pictures after another. F1 is pooled over all regions. Not here: what a hit is (`harness.metrics.detection`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.metrics.aggregate import Estimator, Metric, Moment, Rows, ratio
from harness.metrics.detection import (
    THRESHOLDS,
    Picture,
    Similarity,
    average_precision,
    box_similarity,
    key_point_similarity,
    match_picture,
)
from harness.regions import Region, loads
from harness.task import Score
from harness.types import Parsed, Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCKS = 50
"""Parts that the pictures are cut into for the jackknife; with fewer clusters, each is one."""

NEAR = 0.1
"""A key point is near if it is no farther than this share of the object's longer side."""


def region_score(similarity: Similarity = box_similarity, fold: Callable[[str], str] = str) -> Score:
    """Make the scores ``f1`` of a sample at a similarity of 0.5, and what it is pooled from: ``tp``, ``fp``, ``fn``.

    Args:
        similarity: of a prediction and a reference of one label.
        fold: brings the references' labels to the form in which the parser has those of predictions.
    """

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        references = list(map(loads, sample.references))
        for one in references:
            one["label"] = fold(one["label"])
        matched = match_picture(parsed.answer or (), references, similarity, thresholds=(0.5,))
        tp = sum(int(one.hits.sum()) for one in matched.values())
        said = sum(int((~one.ignored).sum()) for one in matched.values())
        wanted = sum(one.wanted for one in matched.values())
        f1 = 2 * tp / (said + wanted) if said + wanted else float(not parsed.unparsed or parsed.answer == ())
        return {"f1": f1, "tp": float(tp), "fp": float(said - tp), "fn": float(wanted - tp)}

    return score


def pose_score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """`region_score` by OKS, and ``near`` of ``points``: annotated points to which those of the best match are near."""
    references = [one for one in map(loads, sample.references) if "points" in one and not one.get("ignored")]
    near = sum(_near(parsed.answer or (), one) for one in references)
    points = sum(point[2] > 0 for one in references for point in one["points"])
    return {**region_score(key_point_similarity)(parsed, sample), "near": float(near), "points": float(points)}


def _near(predictions: Sequence[Region], reference: Region) -> int:
    """Count the annotated points that the prediction with the best OKS has within `NEAR` of the box's longer side."""
    own = [one for one in predictions if one["label"] == reference["label"]]
    best = max(own, key=lambda one: key_point_similarity(one, reference), default=None)
    if best is None or len(best["points"]) != len(reference["points"]):
        return 0
    x1, y1, x2, y2 = reference["box"]
    radius = NEAR * max(x2 - x1, y2 - y1)
    pairs = zip(best["points"], reference["points"], strict=True)
    return sum(true[2] > 0 and math.hypot(x - true[0], y - true[1]) <= radius for (x, y), true in pairs)


F1 = (
    Metric(name="f1", estimator=ratio({"tp": 2}, {"tp": 2, "fp": 1, "fn": 1})),
    Metric(name="precision", estimator=ratio("tp", {"tp": 1, "fp": 1})),
    Metric(name="recall", estimator=ratio("tp", {"tp": 1, "fn": 1})),
)
"""Over the scores of `region_score`."""


def precision_metrics(similarity: Similarity = box_similarity, most: int = 100) -> tuple[Metric, ...]:
    """COCO's AP over ten thresholds, at 0.50 and at 0.75, and its recall (AR); ``most`` predictions a label and picture."""
    every = tuple(range(len(THRESHOLDS)))
    chosen = {"ap": (0, every), "ap50": (0, every[:1]), "ap75": (0, every[5:6]), "ar": (1, every)}
    return tuple(
        Metric(name=name, estimator=_precision(similarity, most, table, places)) for name, (table, places) in chosen.items()
    )


def _precision(similarity: Similarity, most: int, table: int, places: Sequence[int]) -> Estimator:
    def estimate(rows: Rows) -> Moment:
        import numpy as np

        whole, blocks, members = _tables(rows, similarity, most)
        value, *without = (_mean_of(tables[table][:, list(places)]) for tables in (whole, *blocks))
        clusters = np.zeros(rows.cluster_count, dtype=bool)
        clusters[rows.cluster] = True
        influence = np.full(rows.cluster_count, math.nan)
        if len(blocks) > 1:
            influence = np.zeros(rows.cluster_count)
            influence[members] = math.sqrt((len(blocks) - 1) / len(blocks)) * (np.nanmean(without) - np.array(without))
        reason = "no region to find" if math.isnan(value) else None
        return Moment(value=value, influence=influence, samples=rows.position, clusters=clusters, reason=reason)

    return estimate


def _mean_of(table: npt.NDArray[np.float64]) -> float:
    return float(table.mean()) if table.size else math.nan


Tables = tuple[Any, Any]


@lru_cache(maxsize=1)
def _tables(rows: Rows, similarity: Similarity, most: int) -> tuple[Tables, list[Tables], list[int]]:
    """The tables of all pictures, those without each block, and a cluster of each block to book its influence on."""
    pictures = [_picture(answer, references, similarity, most) for answer, references in rows.answers()]
    codes = {cluster: place for place, cluster in enumerate(dict.fromkeys(rows.cluster.tolist()))}
    count = min(BLOCKS, len(codes))
    block = [codes[cluster] % count for cluster in rows.cluster.tolist()]
    left = [[one for one, own in zip(pictures, block, strict=True) if own != out] for out in range(count)]
    return average_precision(pictures), [average_precision(part) for part in left if count > 1], list(codes)[:count]


def _picture(answer: Sequence[Region] | None, references: Sequence[str], similarity: Similarity, most: int) -> Picture:
    return match_picture(answer or (), map(loads, references), similarity, most=most)
