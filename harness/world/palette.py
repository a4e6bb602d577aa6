"""Colours and shapes of the mini world, and which of their combinations belong to training and which to evaluation.

A quarter of all colour-shape pairs is held out for evaluation in the pattern of a Latin square: pair (i, j) is held out
where i + j is divisible by four. Every colour and every shape thus occurs in both splits, with two partners held out and
six to train on, so a model can know both words and never have seen them together.

Training has further colours and shapes (`MORE_COLOURS`, `MORE_SHAPES`) that evaluation does not know. A small model that sees
each shape in six colours learns forty-eight pairs; one that sees it in a dozen and a half learns what a shape is.
"""

from __future__ import annotations

from typing import Final, Literal

Split = Literal["train", "eval"]
Rgb = tuple[int, int, int]

COLOURS: Final[dict[str, Rgb]] = {
    "red": (214, 30, 40),
    "orange": (255, 138, 0),
    "yellow": (244, 216, 20),
    "green": (24, 150, 54),
    "cyan": (30, 205, 220),
    "blue": (36, 70, 226),
    "purple": (150, 44, 176),
    "black": (22, 22, 26),
}
"""Name to RGB; no two are closer than about 100 in RGB distance, and all stand out from the light backgrounds."""

SHAPES: Final[tuple[str, ...]] = ("circle", "square", "triangle", "star", "cross", "ring", "heart", "diamond")

MORE_COLOURS: Final[dict[str, Rgb]] = {
    "brown": (132, 76, 34),
    "pink": (255, 138, 190),
    "gray": (126, 128, 132),
    "lime": (150, 226, 36),
    "navy": (14, 22, 118),
    "teal": (8, 116, 122),
    "magenta": (236, 22, 150),
    "olive": (146, 150, 44),
    "maroon": (104, 4, 44),
    "violet": (148, 122, 246),
}
"""Colours of motley scenes, which only training draws."""

MORE_SHAPES: Final[tuple[str, ...]] = ("moon", "arrow", "house", "hourglass", "flag", "corner", "arch", "bow")
"""Shapes of motley scenes, which only training draws."""

_HELD_OUT_EVERY: Final = 4


def is_held_out(shape: str, colour: str) -> bool:
    """Whether the pair belongs to evaluation only. Raises ValueError for an unknown shape or colour."""
    if shape in MORE_SHAPES or colour in MORE_COLOURS:
        return False
    return (SHAPES.index(shape) + tuple(COLOURS).index(colour)) % _HELD_OUT_EVERY == 0


def combinations(split: Split) -> tuple[tuple[str, str], ...]:
    """Return the (shape, colour) pairs of a split: 48 for training, the other 16 for evaluation.

    Training never draws *and must never ask about* a pair of the evaluation: asked about only where the answer is "no",
    it would teach that answer.
    """
    held_out = split == "eval"
    return tuple((shape, colour) for shape in SHAPES for colour in COLOURS if is_held_out(shape, colour) == held_out)
