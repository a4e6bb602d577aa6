"""Places in a picture that answers and annotations name: boxes, points and key points with a label, as plain records.

They are dictionaries because they travel as JSON: a reply's places become the sample's prediction, an annotation's its
references, one text each. A report can draw both over the picture: predictions are in the frame that the convention declares,
references in pixels. Not here: reading them from replies (`harness.parsers.regions`) and comparing them
(`harness.metrics.detection`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Required, TypedDict

from harness.boxes import Frame, pairs_from_pixels, pairs_to_pixels


class Region(TypedDict, total=False):
    """A labelled place.

    Attributes:
        label: what is there: a category, a word, the number of a mark.
        box: corners ``x1, y1, x2, y2``.
        points: key points ``x, y`` in the category's order, or a single one; a reference has ``x, y, visibility`` (0: not
            annotated).
        score: how sure a prediction is, where its file says so.
        area: of the object in square pixels, where the annotation states it (key points are scaled by it).
        ignored: finding it is neither right nor wrong.
        crowd: any number of predictions may lie in it.
    """

    label: Required[str]
    box: list[float]
    points: list[list[float]]
    score: float
    area: float
    ignored: bool
    crowd: bool


def dumps(region: Region) -> str:
    """Write a region the way `harness.types.Sample.references` holds it."""
    return json.dumps(region, ensure_ascii=False)


def loads(text: str) -> Region:
    """Read what `dumps` wrote. Raises `ValueError` if it is no region."""
    value: Any = json.loads(text)
    if not isinstance(value, dict) or not isinstance(value.get("label"), str):
        raise ValueError(f"{text[:80]!r} is no region with a label")
    region: Region = value  # type: ignore[assignment]
    return region


def to_pixels(region: Region, frame: Frame, width: int, height: int) -> Region:
    """Return the region with its coordinates in pixels, from a named frame."""
    moved = region.copy()
    if "box" in region:
        moved["box"] = list(pairs_to_pixels(region["box"], frame, width, height))
    if "points" in region:
        moved["points"] = [list(pairs_to_pixels(point, frame, width, height)) for point in region["points"]]
    return moved


def written(numbers: Sequence[float], frame: Frame, width: int, height: int, decimals: int = 5) -> str:
    """Write pairs of pixels as they stand between the brackets of a reply."""
    return ",".join(f"{value:.{decimals}f}" for value in pairs_from_pixels(numbers, frame, width, height))


def by_label(regions: Iterable[Region]) -> dict[str, list[Region]]:
    """Part regions by their label, in order of first appearance."""
    parts: dict[str, list[Region]] = {}
    for region in regions:
        parts.setdefault(region["label"], []).append(region)
    return parts


NOTHING: Region = {"label": "", "box": [0.0, 0.0, 0.0, 0.0], "ignored": True}
"""The reference of a picture on which there is nothing to find: an empty place that no prediction meets."""
