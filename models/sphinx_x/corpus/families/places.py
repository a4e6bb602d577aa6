"""Places in pictures, from pixels to what is said: ``[x1,y1,x2,y2]`` in two decimals of the centred, padded square.

Points are ``[x,y]``; several boxes of one name share a bracket, separated by ``;``. The frame is `harness.boxes`' ``square``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.boxes import Box, from_pixels
from models.sphinx_x.corpus.families.source import BadRecord
from models.sphinx_x.corpus.families.wordings import COUNTS
from models.sphinx_x.corpus.records import Mark

SLACK = 0.01
"""How far a box may leave the picture, as a share of its longer side, before its record counts as bad; what does is cut off."""


@dataclass(frozen=True, slots=True)
class Place:
    """One named place: ``box`` in pixels (x1, y1, x2, y2), ``points`` by name in pixels (key points of a person)."""

    name: str
    box: Box
    points: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture with its places, as a layout's reader finds it.

    Attributes:
        id: names it within the data set.
        image: path relative to the root.
        size: width and height in pixels.
        where: file and record, for messages.
    """

    id: str
    image: str
    size: tuple[int, int]
    places: tuple[Place, ...]
    where: str


def fractions(box: Box, size: tuple[int, int], where: str) -> tuple[float, ...]:
    """Return the corners in two decimals of the padded square.

    Raises:
        BadRecord: the box leaves the picture, has no area, or is no box.
    """
    width, height = size
    x1, y1, x2, y2 = box
    slack = SLACK * max(size)
    if not (-slack <= x1 and -slack <= y1 and x2 <= width + slack and y2 <= height + slack):  # false for NaN too
        raise BadRecord("box outside of the picture", where, f"{_short(box)} in {width} x {height}")
    if not (x1 < x2 and y1 < y2):
        raise BadRecord("box without area", where, _short(box))
    inside = (max(x1, 0.0), max(y1, 0.0), min(x2, width), min(y2, height))
    return tuple(round(value, 2) for value in from_pixels(inside, "square", width, height))


def point_fractions(x: float, y: float, size: tuple[int, int], where: str) -> tuple[float, ...]:
    """Return a point in two decimals of the padded square. Raises `BadRecord` if it lies outside of the picture."""
    width, height = size
    slack = SLACK * max(size)
    if not (-slack <= x <= width + slack and -slack <= y <= height + slack):
        raise BadRecord("point outside of the picture", where, f"({x:g}, {y:g}) in {width} x {height}")
    x, y = min(max(x, 0.0), width), min(max(y, 0.0), height)
    return tuple(round(value, 2) for value in from_pixels((x, y, x, y), "square", width, height)[:2])


def bracket(*places: Sequence[float]) -> str:
    """Write boxes or points of one name.

    >>> bracket((0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 1.0, 1.0))
    '[0.10,0.20,0.30,0.40;0.50,0.50,1.00,1.00]'
    """
    return "[" + ";".join(",".join(f"{value:.2f}" for value in place) for place in places) + "]"


def by_name(marks: Iterable[Mark]) -> dict[str, list[tuple[float, ...]]]:
    """Gather the places of each name, names in the order in which they first occur."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for mark in marks:
        found.setdefault(mark.name, []).append(mark.at)
    return found


def listing(named: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """List names with their places, as the paper's Figure 7 does.

    >>> listing({"text": [(0, 0, 0.5, 0.5), (0, 0.5, 1, 1)], "title": [(0, 0, 1, 0.1)]})
    'There are two text[0.00,0.00,0.50,0.50;0.00,0.50,1.00,1.00] and title[0.00,0.00,1.00,0.10] in the image.'
    """
    items = [f"{_count(len(places))}{name}{bracket(*places)}" for name, places in named.items()]
    several = sum(map(len, named.values())) > 1
    return f"There {'are' if several else 'is'} {joined(items)} in the image."


def joined(items: Sequence[str]) -> str:
    """Join with commas and ``and``: ``a``, ``a and b``, ``a, b, and c``."""
    if len(items) < 3:
        return " and ".join(items)
    return ", ".join(items[:-1]) + f", and {items[-1]}"


def _count(number: int) -> str:
    if number == 1:
        return ""
    return f"{COUNTS[number] if number < len(COUNTS) else number} "


def _short(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in box)
