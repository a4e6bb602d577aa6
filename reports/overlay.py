"""Places to draw over a picture, in its pixels: boxes and points, of the references and of the answers.

Answers come in three forms: four numbers (a box), two (a point), both in the frame that the run's convention declares, and lists
of labelled regions (`harness.regions`), one of which a reference is in JSON. Not here: how a place looks (``sample.html.j2``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from harness.boxes import Frame, pairs_to_pixels
from harness.regions import Region
from harness.regions import to_pixels as region_to_pixels
from reports.load import SampleRow
from reports.visible import plain

_EDGE = r"\s*(-?(?:\d+\.?\d*|\.\d+))\s*"
_BOX = re.compile(",".join([_EDGE] * 4))

MOST = 200
"""Places that are drawn of one kind."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A rectangle, or a point (``form``; without extent), over a picture in its pixels.

    Attributes:
        kind: ``reference``, ``prediction`` or ``beside`` (another model's).
        ignored: finding it is neither right nor wrong.
    """

    kind: str
    x: float
    y: float
    width: float = 0.0
    height: float = 0.0
    form: str = "box"
    label: str = ""
    ignored: bool = False

    def meets(self, width: int, height: int) -> bool:
        """Whether any of it lies on a picture of this size; one far outside would only stretch the drawing."""
        return self.x <= width and self.y <= height and self.x + self.width >= 0 and self.y + self.height >= 0

    def outline(self, size: float) -> str:
        """A point's shape in SVG's path language, ``2 * size`` across: ring, cross or diamond by its kind."""
        u, w = f"{size:.2f}", f"{2 * size:.2f}"
        shapes = {
            "reference": f"m-{u},0 a{u},{u} 0 1 0 {w},0 a{u},{u} 0 1 0 -{w},0",
            "prediction": f"m-{u},-{u} l{w},{w} m0,-{w} l-{w},{w}",
            "beside": f"m0,-{u} l{u},{u} l-{u},{u} l-{u},-{u} z",
        }
        return f"M{self.x},{self.y} {shapes[self.kind]}"

    @property
    def name(self) -> str:
        """It in words, for who cannot see it."""
        corners = (self.x, self.y) if self.form == "point" else (self.x, self.y, self.x + self.width, self.y + self.height)
        return f"{self.kind} {self.form} {f'{self.label} ' * bool(self.label)}{', '.join(f'{edge:.0f}' for edge in corners)}"


Places = Callable[[int, int], tuple[Place, ...]]
"""The places to draw over a picture of a width and a height."""


def places_of(row: SampleRow, frame: str, beside: SampleRow | None = None, other_frame: str = "") -> Places:
    """Return a function from a picture's size to the places of a sample: references in pixels, each answer in its frame.

    Only a sample whose references are all places has any.
    """
    boxes = [_BOX.fullmatch(reference) for reference in row.references]
    regions = [] if all(boxes) else regions_of(row.references)

    def on(width: int, height: int) -> tuple[Place, ...]:
        if not row.references or not (all(boxes) or regions):
            return ()
        found = [_box("reference", [float(edge) for edge in match.groups()]) for match in boxes if match]
        found += [place for region in regions for place in _region("reference", region)]
        kinds = [list(_answer("prediction", row.prediction, frame, width, height))]
        if beside is not None:
            kinds.append(list(_answer("beside", beside.prediction, other_frame, width, height)))
        shown = [one[:MOST] for one in (found, *kinds)]
        return tuple(place for one in shown for place in one if place.meets(width, height))

    return on


def regions_of(texts: Iterable[str]) -> list[Region]:
    """Read regions from their JSON texts; nothing if any is none."""
    found: list[Region] = []
    for text in texts:
        try:
            value = json.loads(text)
        except ValueError:
            return []
        if not is_region(value):
            return []
        found.append(value)
    return found


def is_region(value: Any) -> bool:
    """Whether a value from a file has the form of `harness.regions.Region`, with numbers that can be drawn."""
    if not isinstance(value, dict) or not isinstance(value.get("label"), str):
        return False
    box, points = value.get("box", [0.0] * 4), value.get("points", [])
    if not isinstance(box, list) or len(box) != 4 or not isinstance(points, list):
        return False
    pairs = all(isinstance(point, list) and 2 <= len(point) <= 3 for point in points)
    return pairs and all(map(_is_number, [*box, *(edge for point in points for edge in point)]))


def region_text(region: Region) -> str:
    """A region on one line: its label and where it is."""
    corners = [", ".join(f"{edge:.4g}" for edge in region["box"])] if "box" in region else []
    pairs = [f"({point[0]:.4g}, {point[1]:.4g})" for point in region.get("points", []) if len(point) < 3 or point[2]]
    note = " not counted" if region.get("ignored") else ""
    return f"{region['label'] or 'nothing'}: {' '.join([*corners, *pairs])}{note}"


def _answer(kind: str, answer: Any, frame: str, width: int, height: int) -> Iterator[Place]:
    if frame not in get_args(Frame) or not isinstance(answer, list):
        return
    known = cast(Frame, frame)
    if len(answer) in (2, 4) and all(map(_is_number, answer)):
        corners = pairs_to_pixels(answer, known, width, height)
        yield _box(kind, corners) if len(corners) == 4 else _point(kind, corners)
    elif all(map(is_region, answer)):
        for region in answer[:MOST]:
            flat: Region = region.copy()
            flat["points"] = [point[:2] for point in region.get("points", []) if len(point) < 3 or point[2]]
            yield from _region(kind, region_to_pixels(flat, known, width, height))


def _region(kind: str, region: Region) -> Iterator[Place]:
    label, ignored = plain(region["label"], 24), bool(region.get("ignored"))
    if "box" in region and not (ignored and not label):  # else nothing is to be found there
        yield _box(kind, region["box"], label, ignored)
    for point in region.get("points", []):
        if len(point) < 3 or point[2]:
            yield _point(kind, point, "" if "box" in region else label)


def agreement(places: Sequence[Place], kind: str) -> str:
    """In words how an answer's places lie to the references'; empty where one of them has none."""
    own, truth = ([place for place in places if place.kind == one and not place.ignored] for one in (kind, "reference"))
    boxes = [place for place in truth if place.form == "box"]
    if not own or not truth:
        return ""
    if len(own) == 1 and own[0].form == "box" and boxes and not own[0].label:
        return f"overlap (IoU) {max(overlap(own[0], box) for box in boxes):.2f} with the reference"
    if len(own) == 1 and own[0].form == "point" and boxes:
        away = min(_distance(own[0], box) for box in boxes)
        return "the point lies in the reference" if away == 0 else f"the point lies {away:.0f} pixels outside the reference"
    return f"{len(own)} named, {len(truth)} to find"


def _distance(point: Place, box: Place) -> float:
    across = max(box.x - point.x, 0.0, point.x - box.x - box.width)
    down = max(box.y - point.y, 0.0, point.y - box.y - box.height)
    return math.hypot(across, down)


def overlap(one: Place, other: Place) -> float:
    """Intersection over union of two boxes, 0 where both are empty."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0.0, across) * max(0.0, down)
    union = one.width * one.height + other.width * other.height - shared
    return shared / union if union > 0 else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e9


def _box(kind: str, corners: Sequence[float], label: str = "", ignored: bool = False) -> Place:
    left, top, right, bottom = (round(float(corner), 2) for corner in corners)
    x, y, width, height = min(left, right), min(top, bottom), abs(right - left), abs(bottom - top)
    return Place(kind=kind, x=x, y=y, width=width, height=height, label=label, ignored=ignored)


def _point(kind: str, pair: Sequence[float], label: str = "") -> Place:
    return Place(kind=kind, x=round(float(pair[0]), 2), y=round(float(pair[1]), 2), form="point", label=label)
