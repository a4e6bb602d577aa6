"""Whether a point lies in the element it should click on, and the averages that are printed of it.

Not here: reading the point from a reply (`harness.parsers.click`). The groups of a sample are ``platform``, ``data_type`` and
``cell``, which is both.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.boxes import Frame, corner_and_size, corners, from_pixels, read
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.metrics.grounding import picture_size
from harness.task import Score
from harness.types import Parsed, Sample


def click_score(frame: Frame = "unit", shrunk: bool = False) -> Score:
    """Make the scores ``hit`` (the point lies in the box, edges included) and ``wrong_format`` (there is no point).

    Args:
        frame: of the point; box and point are compared in it.
        shrunk: whether the box ends a pixel earlier, and its -1 is 0, as in VLMEvalKit.
    """

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        if parsed.answer is None:
            return {"hit": 0.0, "wrong_format": 1.0}
        box = read(sample.references[0])
        if shrunk:
            x, y, width, height = corner_and_size(box)
            x1, y1, x2, y2 = (0.0 if edge == -1 else edge for edge in corners((x, y, width - 1, height - 1)))
            box = x1, y1, x2, y2
        if frame != "pixels":
            box = from_pixels(box, frame, *picture_size(sample))
        x, y = parsed.answer
        return {"hit": float(box[0] <= x <= box[2] and box[1] <= y <= box[3]), "wrong_format": float(parsed.unparsed)}

    return score


def cell_metrics(score: str = "hit") -> tuple[Metric, ...]:
    """Accuracy as tables average it, over all samples, by platform, by platform and type, and the mean of types a platform."""
    right = mean(score)
    return (
        Metric(name="average", estimator=mean_over("cell", right)),
        Metric(name="accuracy", estimator=right),
        Metric(name="mean_of_platforms", estimator=mean_over("platform", right)),
        Metric(name="accuracy", estimator=right, by="cell"),
        Metric(name="accuracy", estimator=right, by="platform"),
        Metric(name="mean_of_types", estimator=mean_over("data_type", right), by="platform"),
    )


CLICK_METRICS = (*cell_metrics(), Metric(name="wrong_format", estimator=mean("wrong_format")))
"""Over the scores of `click_score`."""
