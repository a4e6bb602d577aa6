"""Words for things and places in a scene: names, descriptions that fit one thing alone, what is absent, and hints of places.

Pairs of shape and colour that are held out for evaluation are never asked about: asked about only where they are absent, they
would teach the answer "no". Not here: questions (``scenes``, ``places``, ``clips``).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.world import COLOURS, MORE_COLOURS, MORE_SHAPES, SHAPES, Box, Scene, Thing, is_held_out
from models.sphinx_x.corpus.templates import TRAIN_TEMPLATES
from models.sphinx_x.corpus.turns import (
    NUMBER_WORDS,
    Hint,
    fractions,
    placed,
)

PLAIN_COLOURS = tuple(COLOURS)
_MORE_COLOURS, _MORE_SHAPES = (*COLOURS, *MORE_COLOURS), (*SHAPES, *MORE_SHAPES)
MARGIN_PX = 8
_COLUMNS, _ROWS = ("left", "", "right"), ("top", "", "bottom")


def words_of(scene: Scene) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The shapes and colours that a question about this scene may name: all of training's where it shows one of the further."""
    if any(thing.shape in MORE_SHAPES or thing.colour in MORE_COLOURS for thing in scene.things):
        return _MORE_SHAPES, _MORE_COLOURS
    return SHAPES, PLAIN_COLOURS


def ask(family: str, rng: random.Random, *slots: object) -> str:
    """One of the family's wordings with its slots filled."""
    return rng.choice(TRAIN_TEMPLATES[family]).format(*slots)


def place_of(box: Box, width: int, height: int) -> str:
    """Which third of the picture, in words: ``top left`` to ``bottom right``, ``middle`` for the centre."""
    x, y = box.centre
    row, column = _ROWS[min(int(3 * y / height), 2)], _COLUMNS[min(int(3 * x / width), 2)]
    return f"{row} {column}".strip() or "middle"


def corner_of(box: Box, width: int, height: int) -> str:
    """Which quarter of the picture, ``top left`` to ``bottom right``; nothing for what lies near a middle line."""
    right, down = (middle - length / 2 for middle, length in zip(box.centre, (width, height), strict=True))
    if min(abs(right), abs(down)) < MARGIN_PX:
        return ""
    return f"{'bottom' if down > 0 else 'top'} {'right' if right > 0 else 'left'}"


def place_word(thing: Thing, width: int, height: int) -> str:
    """`place_of` a thing."""
    return place_of(thing.box, width, height)


def full_name(thing: Thing) -> str:
    """``large red ring``."""
    return f"{thing.size} {thing.colour} {thing.shape}"


def pair_name(thing: Thing) -> str:
    """``red ring``."""
    return f"{thing.colour} {thing.shape}"


def describe(thing: Thing, things: Sequence[Thing], rng: random.Random, avoid: str = "") -> str:
    """Words that fit this thing and no other; ``avoid`` names an attribute that must not be given away."""
    forms: list[tuple[tuple[str, ...], str]] = [
        (("shape",), thing.shape),
        (("colour",), f"{thing.colour} " + rng.choice(("object", "shape", "thing", "one", "item"))),
        (("colour", "shape"), pair_name(thing)),
        (("colour", "shape"), f"{thing.shape} {rng.choice(('in', 'that is', 'coloured'))} {thing.colour}"),
        (("size", "shape"), f"{thing.size} {thing.shape}"),
        (("size", "colour", "shape"), full_name(thing)),
        (("size", "colour"), f"{thing.size} {thing.colour} one"),
    ]
    fitting = [
        text
        for names, text in forms
        if avoid not in names and sum(all(getattr(other, n) == getattr(thing, n) for n in names) for other in things) == 1
    ]
    return rng.choice(fitting) if fitting else ""


def values_of(name: str, thing: Thing, words: tuple[tuple[str, ...], tuple[str, ...]] = (SHAPES, PLAIN_COLOURS)) -> list[str]:
    """Values an attribute of this thing could have had without becoming a held-out pair; ``words`` are shapes and colours."""
    shapes, colours = words
    if name == "size":
        return ["small", "large"]
    if name == "colour":
        return [colour for colour in colours if not is_held_out(thing.shape, colour)]
    return [shape for shape in shapes if not is_held_out(shape, thing.colour)]


def absent_pair(scene: Scene, rng: random.Random) -> tuple[str, str] | None:
    """A (shape, colour) of training that the scene lacks, mostly one that shares a word with something in it."""
    present = {(thing.shape, thing.colour) for thing in scene.things}
    shapes, colours = words_of(scene)
    for _ in range(12):
        thing = rng.choice(scene.things)
        hard = rng.random()
        shape = thing.shape if hard < 0.4 else rng.choice(shapes)
        colour = thing.colour if 0.4 <= hard < 0.8 else rng.choice(colours)
        if (shape, colour) not in present and not is_held_out(shape, colour):
            return shape, colour
    return None


def place_hints(phrase: str, thing: Thing | None, scene: Scene) -> tuple[Hint, ...]:
    """Hints of where a thing is that the phrase names."""
    return placed(phrase, None if thing is None else thing.box.centre, max(scene.image.size))


def box_of(thing: Thing, scene: Scene) -> str:
    """Its box as `fractions` of the scene."""
    at = thing.box
    return fractions((at.x0, at.y0, at.x1, at.y1), *scene.image.size)


def number_word(number: int, words: bool) -> str:
    """``three``, or ``3``."""
    return NUMBER_WORDS[number] if words else str(number)
