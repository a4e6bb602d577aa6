"""How well a box meets another: intersection over union in the arithmetic of the official scorers, and centre accuracy.

Not here: frames and conversions (`harness.boxes`), reading boxes from replies (`harness.parsers.box`). The arithmetic is
float32, step by step as ``torchvision.ops.box_iou``, because a hit is IoU >= 0.5 and replies at exactly one half exist: in
double precision some of them land on the other side.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from harness.boxes import Box, Frame, from_pixels, padding, read, to_pixels
from harness.errors import DatasetError
from harness.metrics.aggregate import Metric, mean
from harness.task import Score
from harness.types import Parsed, Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]


def iou(prediction: Sequence[float], reference: Sequence[float]) -> float:
    """Intersection over union of two boxes given by corners in one frame, in float32.

        |A and B| / (|A| + |B| - |A and B|),  |A| = (x2 - x1) (y2 - y1)

    Range 0 to 1; no pixel is added, nothing is clipped or sorted. Boxes with swapped corners give 0. Where the formula is
    undefined (two empty boxes, not a number, infinite) the result is 0, where the official code gets NaN, a miss as well.

    Source: ``box_iou`` in Alpha-VLLM/LLaMA2-Accessory@3777c43, ``accessory/eval_mm/evaluate.py`` (torchvision's).

    >>> iou((0, 0, 256, 256), (0, 0, 128, 256)), iou((3, 0, 1, 2), (0, 0, 3, 2)), iou((0, 0, 0, 0), (0, 0, 0, 0))
    (0.5, 0.0, 0.0)
    """
    return _iou_of_singles(array("f", prediction), array("f", reference))


def _iou_of_singles(a: array[float], b: array[float]) -> float:
    """One pair in float32 without numpy, whose calls cost more than the arithmetic.

    Each step is computed in double precision and rounded to float32 by an array, which gives the float32 result exactly
    (double rounding is harmless where 53 >= 2 * 24 + 2; Figueroa, SIGNUM 30 (1995) 21-26).
    """
    if not math.isfinite(sum(a) + sum(b)):
        return 0.0
    sides = array(
        "f",
        (
            max(min(a[2], b[2]) - max(a[0], b[0]), 0.0), max(min(a[3], b[3]) - max(a[1], b[1]), 0.0),
            a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1],
        ),
    )  # fmt: skip
    shared, one, other = array("f", (sides[0] * sides[1], sides[2] * sides[3], sides[4] * sides[5]))
    (both,) = array("f", (one + other,))
    (union,) = array("f", (both - shared,))
    if shared <= 0 or not 0 < union < math.inf:
        return 0.0
    (ratio,) = array("f", (shared / union,))
    return ratio


def iou_of_pairs(predictions: npt.NDArray[np.floating], references: npt.NDArray[np.floating]) -> Array:
    """`iou` of n pairs at once: float[n, 4] and float[n, 4], made float32 first, give float32[n]."""
    import numpy as np

    with np.errstate(all="ignore"):
        a, b = predictions.astype(np.float32), references.astype(np.float32)
        overlap = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), np.float32(0))
        shared = overlap[:, 0] * overlap[:, 1]
        union = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]) + (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) - shared
        ratio = shared / union
    sensible = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1) & np.isfinite(ratio)
    return np.where(sensible, np.maximum(ratio, np.float32(0)), np.float32(0))


def padded_square_iou(fractions: Sequence[float], reference: Sequence[float], width: int, height: int) -> float:
    """`iou` of a box in fractions of the padded square and a reference in pixels, rounded where the SPHINX authors round.

    The prediction becomes float32 first and is then scaled by the longer side; the reference is shifted into the square
    before it becomes float32.

    >>> padded_square_iou((0.25, 0.25, 0.5, 0.75), (64, 64, 128, 192), 256, 256)
    1.0
    """
    dx, dy = padding(width, height)
    x1, y1, x2, y2 = reference
    side = max(width, height)
    scaled = array("f", (edge * side for edge in array("f", fractions)))
    return _iou_of_singles(scaled, array("f", (x1 + dx, y1 + dy, x2 + dx, y2 + dy)))


def precise_iou(prediction: Sequence[float], reference: Sequence[float]) -> float:
    """`iou` in double precision, as VLMEvalKit and lmms-eval compute it; 0 where the boxes do not meet or have no area.

    lmms-eval's ``compute_iou`` divides by zero for some boxes with swapped corners; they count 0 here.
    """
    width = min(prediction[2], reference[2]) - max(prediction[0], reference[0])
    height = min(prediction[3], reference[3]) - max(prediction[1], reference[1])
    if not (width > 0 and height > 0):
        return 0.0
    shared = width * height
    union = _area(prediction) + _area(reference) - shared
    return shared / union if 0 < union < float("inf") else 0.0


def centre_is_inside(prediction: Sequence[float], reference: Sequence[float]) -> bool:
    """Whether the centre of the predicted box lies in the reference, edges included (lmms-eval's ``Center_ACC``)."""
    x, y = (prediction[0] + prediction[2]) / 2, (prediction[1] + prediction[3]) / 2
    return reference[0] <= x <= reference[2] and reference[1] <= y <= reference[3]


def box_by_magnitude(box: Sequence[float], width: int, height: int) -> Box:
    """Guess a box's frame as VLMEvalKit does, and return it in pixels, clipped to the picture, with its corners sorted.

    Values up to 1.5 are fractions, up to 1000 thousandths, beyond that pixels; so pixels of most pictures are misread. Only
    the convention that reproduces VLMEvalKit (e8e78f0, ``vlmeval/dataset/refcoco.py``) does it.
    """
    largest = max(abs(value) for value in box)
    frame: Frame = "unit" if largest <= 1.5 else "thousandths" if largest <= 1000 else "pixels"
    x1, y1, x2, y2 = to_pixels(box, frame, width, height)
    x1, x2 = sorted(min(max(x, 0.0), float(width)) for x in (x1, x2))
    y1, y2 = sorted(min(max(y, 0.0), float(height)) for y in (y1, y2))
    return x1, y1, x2, y2


def best_box(candidates: Sequence[Box], reference: Sequence[float]) -> Box:
    """Return the candidate that meets the reference best, the first of equals; all zeros if there is none.

    Choosing with the reference at hand is an oracle: only the convention that reproduces lmms-eval's grounding task does it.
    """
    return max(candidates, key=lambda box: precise_iou(box, reference), default=(0.0, 0.0, 0.0, 0.0))


Compare = Callable[[Any, Box, Sample], float]
"""The overlap of a parsed answer and the reference in pixels; the sample knows the size of its picture."""

Place = Callable[[Any, Box, Sample], tuple[Box, Box]]
"""The box that a parsed answer means, and the reference (given in pixels), in the frame in which they are compared."""


def hit_score(compare: Compare) -> Score:
    """Make the scores ``hit`` (overlap at least 0.5) and ``iou``. The sample's first reference is its box in pixels."""

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        value = 0.0 if parsed.answer is None else compare(parsed.answer, read(sample.references[0]), sample)
        return {"hit": float(value >= 0.5), "iou": value}

    return score


def frame_score(frame: Frame) -> Score:
    """The scores ``hit`` and ``iou`` of a box given in a named frame; ``square`` is rounded where the SPHINX authors round."""
    if frame == "square":
        return hit_score(lambda box, reference, sample: padded_square_iou(box, reference, *picture_size(sample)))
    if frame == "pixels":
        return hit_score(lambda box, reference, sample: iou(box, reference))
    return hit_score(lambda box, reference, sample: iou(to_pixels(box, frame, *picture_size(sample)), reference))


def square_scores(parsed: Sequence[Parsed], samples: Sequence[Sample]) -> list[Mapping[str, float]]:
    """``frame_score("square")`` of many samples: equal to the last bit, as the same steps are rounded to float32."""
    import numpy as np

    if not parsed:
        return []
    sizes = np.fromiter(chain.from_iterable(map(picture_size, samples)), np.int64, 2 * len(samples)).reshape(-1, 2)
    edges = ",".join([sample.references[0] for sample in samples]).split(",")
    references = np.fromiter(map(float, edges), np.float64, len(edges)).reshape(len(samples), 4)
    read_boxes = chain.from_iterable([_UNREAD if one.answer is None else one.answer for one in parsed])
    boxes = np.fromiter(read_boxes, np.float64, 4 * len(parsed)).reshape(-1, 4)
    sides = sizes.max(axis=1, keepdims=True)
    margins = (sides - sizes) // 2
    with np.errstate(all="ignore"):
        scaled = boxes.astype(np.float32).astype(np.float64) * sides
        values = iou_of_pairs(scaled, references + np.concatenate((margins, margins), axis=1))
    return [{"hit": float(value >= 0.5), "iou": value} for value in values.tolist()]


_UNREAD = (math.nan,) * 4


def guessed_frame_score() -> Score:
    """VLMEvalKit's ``hit`` and ``iou``: in double precision, the frame guessed by `box_by_magnitude`."""
    return hit_score(lambda box, reference, sample: precise_iou(box_by_magnitude(box, *picture_size(sample)), reference))


HIT_METRICS = (Metric(name="accuracy", estimator=mean("hit")), Metric(name="mean_iou", estimator=mean("iou"), unit="fraction"))
"""Over the scores of `hit_score`."""


THRESHOLDS = (0.5, 0.1, 0.3, 0.7, 0.9)


def threshold_score(place: Place) -> Score:
    """lmms-eval's scores: ``acc@t`` for five thresholds, ``iou``, ``center_acc``."""

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        value, inside = 0.0, False
        if parsed.answer is not None:
            box, reference = place(parsed.answer, read(sample.references[0]), sample)
            value, inside = precise_iou(reference, box), centre_is_inside(box, reference)
        hits = {f"acc@{threshold}": float(value >= threshold) for threshold in THRESHOLDS}
        return {**hits, "iou": value, "center_acc": float(inside)}

    return score


THRESHOLD_METRICS = (
    *(Metric(name=f"acc@{threshold}", estimator=mean(f"acc@{threshold}")) for threshold in THRESHOLDS),
    Metric(name="iou", estimator=mean("iou"), unit="fraction"),
    Metric(name="center_acc", estimator=mean("center_acc")),
)
"""Over the scores of `threshold_score`."""


def in_unit_frame(box: Box, reference: Box, sample: Sample) -> tuple[Box, Box]:
    """A box in fractions of the unpadded picture is compared in fractions."""
    return box, from_pixels(reference, "unit", *picture_size(sample))


def best_reading(boxes: Sequence[Box], reference: Box, sample: Sample) -> tuple[Box, Box]:
    """`best_box` of all boxes, each as pixels and as thousandths; compared in pixels."""
    size = picture_size(sample)
    readings = [reading for box in boxes for reading in (box, to_pixels(box, "thousandths", *size))]
    return best_box(readings, reference), reference


def picture_size(sample: Sample) -> tuple[int, int]:
    """Width and height from the sample's fields. Raises `DatasetError` where the annotations do not tell them."""
    width, height = sample.fields.get("width"), sample.fields.get("height")
    if not width or not height:
        raise DatasetError(
            f"sample {sample.id!r}: neither annotation nor file tells the size of the picture, which this convention needs; "
            "put the picture where the annotation names it, or use convention=pixels, which does without"
        )
    return width, height


def _area(box: Sequence[float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
