"""The mini world: small pictures and clips, drawn from a seed, with every fact about them.

``draw(kind, seed, split)`` is the whole of it. The same arguments give the same pixels on every machine. What the two splits
show is disjoint by construction: random streams, colour-shape pairs, the images of handwritten digits, words, values, and
what charts and tables say. It knows no benchmark and no question: ``tasks/mini`` writes benchmarks from it, a training corpus
can write conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from harness.world.dice import Dice, split_of
from harness.world.facts import Bar, Box, Chart, Clip, Digits, Direction, Field, Glyph, Page, Scene, Sign, Table, Thing, World
from harness.world.font import ALPHABET
from harness.world.handwriting import draw_digits
from harness.world.labels import CLASSES, KEYS, UNNAMED, DenseLabels, dense_labels
from harness.world.palette import COLOURS, MORE_COLOURS, MORE_SHAPES, SHAPES, Split, combinations, is_held_out
from harness.world.printed import draw_chart, draw_page, draw_sign, draw_table
from harness.world.scenes import draw_clip, draw_motley, draw_scene
from harness.world.words import NAMES

__all__ = [
    "ALPHABET", "CLASSES", "COLOURS", "KEYS", "KINDS", "MORE_COLOURS", "MORE_SHAPES",
    "NAMES", "SHAPES", "UNNAMED", "VERSION", "Bar", "Box", "Chart", "Clip", "DenseLabels",
    "Dice", "Digits", "Direction", "Field", "Glyph", "Page", "Scene", "Sign", "Split", "Table", "Thing", "World",
    "combinations", "dense_labels", "draw", "is_held_out", "split_of",
]  # fmt: skip

VERSION: Final = 1
"""Goes up whenever any seed would give other pixels or facts."""

_DRAW: Final[Mapping[str, Callable[[Dice, Split], World]]] = {
    "scene": draw_scene,
    "sign": draw_sign,
    "page": draw_page,
    "chart": draw_chart,
    "table": draw_table,
    "digits": draw_digits,
    "clip": draw_clip,
}

KINDS: Final[tuple[str, ...]] = tuple(_DRAW)
"""What both splits draw."""

_FOR_TRAINING: Final[Mapping[str, Callable[[Dice, Split], World]]] = {"motley": draw_motley}


def draw(kind: str, seed: int, split: Split) -> World:
    """Draw world number ``seed`` of a kind in `KINDS`, or a ``motley`` scene of training.

    Raises ValueError for another kind, an unknown split, or motley scenes of evaluation.
    """
    maker = _DRAW.get(kind) or _FOR_TRAINING.get(kind)
    if maker is None:
        raise ValueError(f"the mini world has no kind {kind!r}; it has {', '.join((*KINDS, *_FOR_TRAINING))}")
    if split not in ("train", "eval"):
        raise ValueError(f"split {split!r} is neither 'train' nor 'eval'")
    return maker(Dice(kind, seed, split), split)
