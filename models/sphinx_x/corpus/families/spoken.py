"""What is said about a picture with named places: detection, layout, text spotting, pose, grounding.

Every style takes a `Picture` and its dice and returns turns; the places they speak of become the conversation's marks. Not
here: reading layouts (`coco`, `boxes`, `grounding`) and how a box is written (`places`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from models.sphinx_x.corpus.families.places import Picture, bracket, by_name, fractions, joined, listing, point_fractions
from models.sphinx_x.corpus.families.source import BadRecord
from models.sphinx_x.corpus.families.wordings import ASK
from models.sphinx_x.corpus.records import Mark

Turn = tuple[str, str]
Style = Callable[[Picture, Sequence[Mark], random.Random, int], Iterator[Turn]]
"""Picture, its places as marks in the same order, dice, most turns -> turns."""

LISTED = 60
"""Most boxes that one answer lists: more are neither learned nor short enough for a context; their names are asked singly."""


def listed(
    picture: Picture, marks: Sequence[Mark], dice: random.Random, turns: int, *, everything: str, single: str
) -> Iterator[Turn]:
    """Ask for everything at once, then for single names."""
    named = by_name(marks)
    if len(marks) <= LISTED:
        yield dice.choice(ASK[everything]), listing(named)
    names = [name for name, places in named.items() if len(places) <= LISTED]
    for name in dice.sample(names, min(len(names), turns - 1)):
        yield dice.choice(ASK[single]).format(name), name + bracket(*named[name])


def spotting(picture: Picture, marks: Sequence[Mark], dice: random.Random, turns: int) -> Iterator[Turn]:
    """All text with its boxes in reading order, one text by its box, one box by its text."""
    if len(marks) <= LISTED:
        items = [mark.name + bracket(mark.at) for mark in marks]
        yield dice.choice(ASK["spotting"]), f"There {'are' if len(items) > 1 else 'is'} {joined(items)} in the image."
    named = by_name(marks)
    for name in dice.sample(list(named), min(len(named), turns - 1)):
        if dice.random() < 0.5:
            yield dice.choice(ASK["read"]).format(bracket(dice.choice(named[name]))), name
        else:
            yield dice.choice(ASK["find_text"]).format(name), bracket(*named[name])


def pose(picture: Picture, marks: Sequence[Mark], dice: random.Random, turns: int) -> Iterator[Turn]:
    """All people, then the key points of each by name; people without labelled points are not asked about."""
    named = by_name(marks)
    yield dice.choice(ASK["people"]), listing(named)
    for place, mark in list(zip(picture.places, marks, strict=True)):
        points = [f"{name}{bracket(point_fractions(x, y, picture.size, picture.where))}" for name, x, y in place.points]
        if points and turns > 1:
            turns -= 1
            yield dice.choice(ASK["pose"]).format(bracket(mark.at)), ", ".join(points)


def grounding(picture: Picture, marks: Sequence[Mark], dice: random.Random, turns: int) -> Iterator[Turn]:
    """The boxes of a phrase, or the phrase of a box."""
    named = by_name(marks)
    for name in dice.sample(list(named), min(len(named), turns)):
        boxes = named[name]
        if len(boxes) == 1 and dice.random() < 0.5:
            yield dice.choice(ASK["region"]).format(bracket(*boxes)), name
        elif len(boxes) <= LISTED:
            yield dice.choice(ASK["grounding"]).format(name), bracket(*boxes)


STYLES: dict[str, Style] = {
    "detection": partial(listed, everything="detection", single="category"),
    "layout": partial(listed, everything="layout", single="layout_category"),
    "spotting": spotting,
    "pose": pose,
    "grounding": grounding,
}


def say(picture: Picture, style: str, dice: random.Random, turns: int) -> tuple[list[Turn], list[Mark]]:
    """Return turns about a picture and the places they may speak of.

    Raises:
        BadRecord: there are no places, or one lies outside of the picture or has no area or no name.
    """
    if not picture.places:
        raise BadRecord("no places", picture.where, picture.image)
    if not all(place.name.strip() for place in picture.places):
        raise BadRecord("place without a name", picture.where, picture.image)
    marks = [Mark(place.name, fractions(place.box, picture.size, picture.where)) for place in picture.places]
    said = list(STYLES[style](picture, marks, dice, turns))
    points = [
        Mark(name, point_fractions(x, y, picture.size, picture.where)) for place in picture.places for name, x, y in place.points
    ]
    return said, [*marks, *points]
