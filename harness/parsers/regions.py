"""Reading labelled places from the text forms of SPHINX-X: ``word[x1,y1,x2,y2;x1,y1,x2,y2]``, key points, marks.

Labels stand straight before their bracket, with or without a blank; ``There are``, a number word before the first label,
``and`` before the last and stray quotation marks do not belong to them. A bracket holds boxes between semicolons, one point,
or key points ``x,y,x,y,...``. Everything is read in one pass over the text, so that hostile replies cost no more than long ones.
Source: Figures 2 and 7 of arXiv 2402.05935; `demo_places` is the authors' demo. Not here: frames and scores.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.boxes import Frame, corners
from harness.metrics.grounding import picture_size
from harness.regions import Region, to_pixels
from harness.task import Parse
from harness.types import Parsed, Sample

_BRACKET = re.compile(r"\[([-+\d.,;\s]*+)\]")
_NUMBER = re.compile(r"[-+]?+(?:\d++\.?+\d*+|\.\d++)")
_SEPARATORS = re.compile(r"[\s,;.:、，。；]++")
_JOINED = re.compile(r"(?:and|和)\s++(?=\S)", re.IGNORECASE)
_LEAD = re.compile(r"(?:there (?:is|are)|the detected key ?points (?:is|are))\s++(?=\S)", re.IGNORECASE)
_COUNT = re.compile(
    r"(?:an?|the|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,3})\s++(?=\S)", re.IGNORECASE
)
_QUOTES = ' \t\r\n"“”„«»'
_NAMED = "</p>"
_POINTS = re.compile(r"\s*+key ?points?$", re.IGNORECASE)
_LONGEST_LABEL = 200

_MARK_AT = re.compile(r"<?Mark (\d{1,6})>?\s*+\[([-+\d.,\s]*+)\]", re.IGNORECASE)
_MARKS = re.compile(r"\s*+((?:<?Mark \d{1,6}>?\s*+)+):(.*)", re.IGNORECASE)
_DEMO = re.compile(r"</p>\s*+\[([\d.,; ]*+)\]|\[([\d.,; ]*+)\]")
_DEMO_NUMBER = re.compile(r"\d++\.\d++")


@dataclass(frozen=True, slots=True)
class Place:
    """A bracket with the text before it: ``groups`` are its numbers, a group between semicolons."""

    label: str
    groups: tuple[tuple[float, ...], ...]


def places(reply: str, *, counted: bool = True) -> Iterator[Place]:
    """Yield the brackets of a reply that hold finite numbers, with their labels.

    Args:
        reply: the text.
        counted: whether an article or number word before a label is not its own, as it is of a word that was spotted.

    >>> [(place.label, len(place.groups)) for place in places("There are two text[0,0,1,1;0,0,.5,.5], and title [0,0,1,.1].")]
    [('text', 2), ('title', 1)]
    """
    end = 0
    for found in _BRACKET.finditer(reply):
        groups = tuple(map(_numbers, found[1].split(";")))
        if any(groups):
            yield Place(_label(reply, end, found.start(), counted), tuple(filter(None, groups)))
        end = found.end()


def _numbers(text: str) -> tuple[float, ...]:
    """The numbers between two semicolons; none if one is beyond what a float can hold."""
    values = tuple(float(number) for number in _NUMBER.findall(text))
    return values if all(map(math.isfinite, values)) else ()


def _label(reply: str, start: int, stop: int, counted: bool) -> str:
    """What a bracket's text names: the end of what stands between it and the bracket before."""
    cut = max(start, stop - _LONGEST_LABEL)
    text = reply[cut:stop].strip()
    if text.endswith(_NAMED):
        return text[: -len(_NAMED)].rpartition("<p>")[2].strip()
    first = start == 0 and cut == 0
    for pattern in (_SEPARATORS, _JOINED, *((_LEAD,) if first else ()), *((_COUNT,) if counted else ())):
        found = pattern.match(text)
        text = text[found.end() :] if found else text
    return text.strip(_QUOTES)


Labeller = Callable[[str, Sample], str]
"""Brings a label as it is written to the words of the benchmark."""


def as_written(label: str, sample: Sample) -> str:
    """The label itself."""
    return label


def folded(label: str, sample: Sample) -> str:
    """The label, letter case aside."""
    return label.casefold()


def category_of(label: str, sample: Sample) -> str:
    """Name the category that a label ends with, the longest of them, in either number; else the label in small letters.

    Categories are the sample's options. ``two red buses`` and ``Bus`` are ``bus``.
    """
    return _category(label, sample.options)


@lru_cache(maxsize=4096)
def _category(label: str, categories: tuple[str, ...]) -> str:
    text = f" {' '.join(label.lower().replace('_', ' ').split())}"
    forms = (text, text.removesuffix("s"), text.removesuffix("es"), re.sub("ies$", "y", text))
    known = sorted(categories, key=len, reverse=True)
    return next((one for one in known for form in forms if form.endswith(f" {_plain(one)}")), text.strip())


def _plain(category: str) -> str:
    return category.lower().replace("_", " ")


def read_boxes(labeller: Labeller = category_of, frame: Frame = "square", *, counted: bool = True) -> Parse:
    """Make a parser of boxes with labels; they are returned in pixels.

    Args:
        labeller: what a label counts as.
        frame: in which the model writes.
        counted: see `places`.
    """

    def regions(reply: str, sample: Sample) -> Iterator[Region]:
        for place in places(reply, counted=counted):
            for group in place.groups:
                if len(group) == 4:
                    yield {"label": labeller(place.label, sample), "box": list(group)}

    return _reader(regions, frame, "no [x1,y1,x2,y2]")


def read_key_points(labeller: Labeller = category_of, frame: Frame = "square") -> Parse:
    """Make a parser of key points: a bracket an object, or named points (``<p>nose</p>[x,y]``) of one.

    The names are the sample's ``fields["key_points"]``; a named point that is absent stands at minus one picture, far from all.
    """

    def regions(reply: str, sample: Sample) -> Iterator[Region]:
        names = [name.lower().replace(" ", "_") for name in sample.fields.get("key_points", ())]
        named: dict[str, list[float]] = {}
        for place in places(reply):
            numbers = [value for group in place.groups for value in group]
            name = place.label.lower().replace(" ", "_")
            if len(numbers) == 2 and name in names:
                named.setdefault(name, numbers)
            elif len(numbers) % 2 == 0:
                label = labeller(_POINTS.sub("", place.label), sample)
                yield {"label": label, "points": _pairs(numbers)}
        if named:
            label = sample.options[0] if sample.options else ""
            yield {"label": label, "points": [named.get(name, [-1.0, -1.0]) for name in names]}

    return _reader(regions, frame, "no [x,y,x,y,...]")


def _reader(read: Callable[[str, Sample], Iterator[Region]], frame: Frame, none: str) -> Parse:
    def parse(reply: str, sample: Sample) -> Parsed:
        results = coco_results(reply, sample)
        if results is not None:
            return Parsed(results)
        size = picture_size(sample)
        found = tuple(to_pixels(region, frame, *size) for region in read(reply, sample))
        return Parsed(found, None if found else none)

    return parse


def coco_results(reply: str, sample: Sample) -> tuple[Region, ...] | None:
    """Read results in COCO's form (``[{"category_id": 1, "bbox": [x, y, width, height], "score": 0.9}]``), which are in pixels.

    The names of categories are the sample's ``fields["categories"]``. None if the reply is nothing of the kind.
    """
    if not reply.startswith('[{"category_id":'):
        return None
    try:
        return tuple(_result(one, sample.fields.get("categories", {})) for one in json.loads(reply))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _result(one: Mapping[str, Any], categories: Mapping[str, str]) -> Region:
    number = str(one["category_id"])
    region: Region = {"label": categories.get(number, number), "score": float(one.get("score", 1.0))}
    if "bbox" in one:
        region["box"] = list(corners([float(edge) for edge in one["bbox"]]))
    if "keypoints" in one:
        values = [float(value) for value in one["keypoints"]]
        region["points"] = [[x, y] for x, y in zip(values[0::3], values[1::3], strict=True)]
    points = (value for point in region.get("points", ()) for value in point)
    if not all(map(math.isfinite, (region["score"], *region.get("box", ()), *points))):
        raise ValueError("not finite")
    return region


def _pairs(numbers: Sequence[float]) -> list[list[float]]:
    return [list(numbers[place : place + 2]) for place in range(0, len(numbers), 2)]


def marked_points(text: str) -> list[Region]:
    """Read the marks of a prompt: ``<Mark 1> [0.56, 0.24]`` is the point of mark ``1``; others than of two numbers are left out.

    >>> marked_points("<Mark 1> [0.56, 0.24], <Mark 2> [0.76, 0.50]")[1]
    {'label': '2', 'points': [[0.76, 0.5]]}
    """
    found = ((mark[1], _numbers(mark[2])) for mark in _MARK_AT.finditer(text))
    return [{"label": label, "points": [list(point)]} for label, point in found if len(point) == 2]


def mark_texts(reply: str) -> dict[str, str]:
    r"""Read what a reply says of marks, a line each: ``Mark 1: a cat`` or, of several, ``<Mark 1> <Mark 2> : beside``.

    Lines without a mark go on with what the line before says. Of lines about the same marks the first counts.

    >>> mark_texts("Mark 1: A cat\n<Mark 1> <Mark 2> : beside")
    {'1': 'A cat', '1 2': 'beside'}
    """
    said: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in reply.splitlines():
        found = _MARKS.fullmatch(line)
        if found:
            lines = []
            said.setdefault(" ".join(re.findall(r"\d+", found[1])), lines)
            line = found[2]
        lines.append(line.strip())
    return {marks: " ".join(filter(None, words)) for marks, words in said.items()}


@dataclass(frozen=True, slots=True)
class Named:
    """What the authors' demo takes from a reply: a name and lists of numbers."""

    name: str
    numbers: tuple[tuple[float, ...], ...]


def demo_places(reply: str) -> list[Named]:
    """Read places as the authors' demo does: names in ``<p>..</p>`` only, numbers with a decimal point only.

    The last match comes first, those with a name before those without. A sign hides a bracket.

    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43, ``accessory/demos/multi_turn_mm_box.py`` ``extract_and_color``.
    """
    named, bare = [], []
    start = 0
    for found in _DEMO.finditer(reply):
        if found[1] is not None:
            line = reply.rfind("\n", start, found.start()) + 1
            opening = reply.find("<p>", max(start, line), found.start())
            start = found.end()
            if opening != -1:
                named.append(Named(reply[opening + 3 : found.start()], _decimals(found[1])))
                continue
        bare.append(Named("", _decimals(found[1] if found[2] is None else found[2])))
    return named[::-1] + bare[::-1]


def _decimals(text: str) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(number) for number in _DEMO_NUMBER.findall(group)) for group in text.split(";"))
