"""Average precision and F1 of labelled regions: boxes by IoU, key points by object key point similarity (OKS).

The rule is COCO's, step by step (cocodataset/cocoapi, ``PythonAPI/pycocotools/cocoeval.py``): predictions in the order of their
confidence take the reference they meet best; what meets an ignored one counts neither way; precision is read off at 101 recalls.
Replies in words have no confidences, so their predictions count as equally sure and stand in the order of the reply and of the
data, as COCO's stable sort leaves ties. Not here: reading regions (`harness.parsers.regions`), and the metrics of a run
(`harness.metrics.regions`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.boxes import corner_and_size
from harness.regions import Region, by_label

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Floats = npt.NDArray[np.float64]

Similarity = Callable[[Region, Region], float]
"""How well a prediction meets a reference: 0 to 1."""

THRESHOLDS = (*(0.5 + (0.95 - 0.5) / 9 * step for step in range(9)), 0.95)
"""The similarities at which COCO counts: 0.50, 0.55, ..., 0.95, to the last bit."""

ANYTHING = ""
"""The label of an ignored region in which predictions of every label are forgiven, such as an illegible text."""

PERSON_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
"""How far annotators are apart on COCO's 17 key points of a person, as a share of the object's size."""
OTHER_SIGMA = 0.05
"""For objects with other key points, of which no spread was measured: about the mean of a person's in the face and hands."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What became of the predictions of one label on one picture.

    Attributes:
        hits: whether a prediction took a reference that counts: bool[thresholds, predictions].
        ignored: whether it counts neither way: bool[thresholds, predictions].
        scores: how sure each prediction is: float[predictions].
        wanted: references that count.
    """

    hits: Bools
    ignored: Bools
    scores: Floats
    wanted: int


def box_similarity(prediction: Region, reference: Region) -> float:
    """IoU in double precision; the share of the prediction that lies inside where the reference is a crowd.

    >>> box_similarity({"label": "", "box": [0, 0, 2, 2]}, {"label": "", "box": [1, 0, 3, 2]})
    0.3333333333333333
    """
    x1, y1, width, height = corner_and_size(prediction["box"])
    x2, y2, broad, high = corner_and_size(reference["box"])
    across = min(x1 + width, x2 + broad) - max(x1, x2)
    down = min(y1 + height, y2 + high) - max(y1, y2)
    if not (across > 0 and down > 0 and width > 0 and height > 0):
        return 0.0
    shared = across * down
    union = width * height + (0.0 if reference.get("crowd") else broad * high - shared)
    return shared / union if math.isfinite(union) else 0.0


def key_point_similarity(prediction: Region, reference: Region) -> float:
    """OKS: the mean over annotated points of exp(-d^2 / (2 area (2 sigma)^2)), as ``computeOks``.

    A reference without annotated points is met by what lies within its box widened by half on each side (it is ignored).
    Key points of another number than the reference's have none of them.
    """
    said, points = prediction.get("points", []), reference.get("points", [])
    if len(said) != len(points) or not points:
        return 0.0
    sigmas = PERSON_SIGMAS if len(points) == len(PERSON_SIGMAS) else (OTHER_SIGMA,) * len(points)
    seen = any(point[2] > 0 for point in points)
    area = reference.get("area", 0.0) + math.ulp(1.0)
    total, count = 0.0, 0
    for (x, y), point, sigma in zip(said, points, sigmas, strict=True):
        if seen and not point[2] > 0:
            continue
        away = (x - point[0], y - point[1]) if seen else _outside(x, y, reference["box"])
        total += math.exp(-min(745.0, (away[0] ** 2 + away[1] ** 2) / (2 * sigma) ** 2 / area / 2))
        count += 1
    return total / count


def _outside(x: float, y: float, box: Sequence[float]) -> tuple[float, float]:
    """How far a point lies outside of a box that is widened by its own size."""
    left, top, width, height = corner_and_size(box)
    return (
        max(0.0, left - width - x) + max(0.0, x - left - 2 * width),
        max(0.0, top - height - y) + max(0.0, y - top - 2 * height),
    )


def match(
    predictions: Sequence[Region],
    references: Sequence[Region],
    similarity: Similarity,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Matched:
    """Match the predictions of one label on one picture with its references, apart for each threshold.

    Args:
        predictions: the surest first.
        references: of the label.
        similarity: of one of each.
        thresholds: from which on a prediction meets a reference.
    """
    import numpy as np

    ordered = sorted(references, key=lambda one: bool(one.get("ignored") or one.get("crowd")))
    counts = [not (one.get("ignored") or one.get("crowd")) for one in ordered]
    met = [[similarity(said, one) for one in ordered] for said in predictions]
    crowd = [bool(one.get("crowd")) for one in ordered]
    taken = [_assign(met, counts, crowd, min(threshold, 1 - 1e-10)) for threshold in thresholds]
    shape = (len(thresholds), len(predictions))
    hits = [[place is not None and counts[place] for place in row] for row in taken]
    ignored = [[place is not None and not counts[place] for place in row] for row in taken]
    return Matched(
        hits=np.array(hits, dtype=bool).reshape(shape),
        ignored=np.array(ignored, dtype=bool).reshape(shape),
        scores=np.array([surety(one) for one in predictions], dtype=np.float64),
        wanted=sum(counts),
    )


def surety(region: Region) -> float:
    """How sure a prediction is; 1 where the reply does not say."""
    return region.get("score", 1.0)


def _assign(met: Sequence[Sequence[float]], counts: Sequence[bool], crowd: Sequence[bool], threshold: float) -> list[int | None]:
    """The reference that each prediction takes, in order; a crowd can be taken by many."""
    free = [True] * len(counts)
    taken: list[int | None] = []
    for row in met:
        best, found = threshold, None
        for place, value in enumerate(row):
            if found is not None and counts[found] and not counts[place]:
                break  # one that counts goes before all that do not
            if (free[place] or crowd[place]) and value >= best:
                best, found = value, place
        if found is not None:
            free[found] = False
        taken.append(found)
    return taken


Picture = Mapping[str, Matched]
"""What became of the predictions on one picture, by label."""


def match_picture(
    predictions: Iterable[Region],
    references: Iterable[Region],
    similarity: Similarity,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    most: int | None = None,
) -> Picture:
    """Match a picture label by label.

    Args:
        predictions: in the reply's order.
        references: of the picture.
        similarity: of one of each.
        thresholds: from which on a prediction meets a reference.
        most: predictions of a label that count, the surest (COCO: 100 boxes, 20 poses); None is all.
    """
    said, true = by_label(predictions), by_label(references)
    anywhere = true.pop(ANYTHING, [])
    return {
        label: match(
            sorted(said.get(label, ()), key=surety, reverse=True)[:most],
            [*true.get(label, []), *anywhere],
            similarity,
            thresholds,
        )
        for label in dict.fromkeys((*true, *said))
    }


def average_precision(pictures: Sequence[Picture]) -> tuple[Floats, Floats]:
    """Average precision and recall by label and threshold: float[labels, thresholds] each.

    Labels without a reference that counts have no row, as in COCO.
    """
    import numpy as np

    parts: dict[str, list[Matched]] = {}
    for picture in pictures:
        for label, matched in picture.items():
            parts.setdefault(label, []).append(matched)
    rows = [_of_label(own) for _, own in sorted(parts.items()) if any(one.wanted for one in own)]
    if not rows:
        nothing = np.full((0, len(THRESHOLDS)), math.nan)
        return nothing, nothing
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def _of_label(matched: Sequence[Matched]) -> tuple[Floats, Floats]:
    """Average precision and recall of a label, one a threshold (``accumulate``)."""
    import numpy as np

    wanted = sum(one.wanted for one in matched)
    order = np.argsort(-np.concatenate([one.scores for one in matched]), kind="mergesort")
    hits = np.concatenate([one.hits for one in matched], axis=1)[:, order]
    counted = ~np.concatenate([one.ignored for one in matched], axis=1)[:, order]
    right = np.cumsum(hits & counted, axis=1)
    wrong = np.cumsum(~hits & counted, axis=1)
    recall = right / wanted
    precision = right / (wrong + right + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    levels = np.linspace(0.0, 1.0, 101)
    means = []
    for known, highest in zip(recall, best, strict=True):
        places = np.searchsorted(known, levels, side="left")
        means.append(np.append(highest, 0.0)[places].mean())
    return np.array(means), recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
