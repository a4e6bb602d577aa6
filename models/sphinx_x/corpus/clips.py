"""Conversations about clips in which one thing moves."""

from __future__ import annotations

import random

from harness.world import SHAPES, Clip, is_held_out
from models.sphinx_x.corpus.things import (
    PLAIN_COLOURS,
    ask,
    describe,
    number_word,
    pair_name,
    values_of,
)
from models.sphinx_x.corpus.turns import (
    SHORT,
    Turn,
    choice,
    short,
    yes_no,
)

_MOTIONS = {
    "left": ("left", "to the left", "from right to left", "leftwards"),
    "right": ("right", "to the right", "from left to right", "rightwards"),
    "up": ("up", "upwards", "from bottom to top", "to the top"),
    "down": ("down", "downwards", "from top to bottom", "to the bottom"),
}


def _mover(clip: Clip, rng: random.Random) -> str:
    return describe(clip.thing, (clip.thing, *clip.others), rng) or pair_name(clip.thing)


def motion(clip: Clip, rng: random.Random) -> Turn:
    """The direction of movement."""
    return short("motion", ask("motion", rng, rng.choice((_mover(clip, rng), "object", "thing"))), clip.direction, rng)


def motion_choice(clip: Clip, rng: random.Random) -> Turn:
    """The direction of movement, with options."""
    form = rng.choice((0, 0, 0, 1, 2, 3))
    words = {direction: texts[form] for direction, texts in _MOTIONS.items()}
    text = rng.choice((_mover(clip, rng), _mover(clip, rng), "object", "thing", "shape"))
    wrong = [told for direction, told in words.items() if direction != clip.direction]
    wrong = rng.sample(wrong, rng.choice((1, 3, 3)))
    return choice("choice_motion", ask("motion", rng, text), words[clip.direction], wrong, rng)


def motion_yes_no(clip: Clip, rng: random.Random) -> Turn:
    """Whether the movement goes in the named direction."""
    told = clip.direction if rng.random() < 0.5 else rng.choice([name for name in _MOTIONS if name != clip.direction])
    words = rng.choice(_MOTIONS[told][:2])
    question = ask("motion_yes_no", rng, _mover(clip, rng), words)
    return yes_no("motion_yes_no", question, told == clip.direction, rng, clip.direction)


def moving(clip: Clip, rng: random.Random) -> Turn:
    """What it is that moves."""
    return Turn("moving", ask("moving", rng) + SHORT, pair_name(clip.thing))


def moving_choice(clip: Clip, rng: random.Random) -> Turn:
    """What it is that moves, with options, standing things among them."""
    names = [pair_name(other) for other in clip.others]
    pool = [f"{colour} {shape}" for shape in SHAPES for colour in PLAIN_COLOURS if not is_held_out(shape, colour)]
    wrong = [name for name in dict.fromkeys([*names, *rng.sample(pool, 4)]) if name != pair_name(clip.thing)]
    return choice("choice_moving", ask("moving", rng), pair_name(clip.thing), wrong[:3], rng)


def moving_attribute(clip: Clip, rng: random.Random) -> Turn:
    """Colour or shape of what moves, open or with options."""
    name = rng.choice(("colour", "shape"))
    question, right = ask(f"moving_{name}", rng), getattr(clip.thing, name)
    if rng.random() < 0.4:
        return short("moving_attribute", question, right, rng)
    others = [value for value in values_of(name, clip.thing) if value != right]
    still = [getattr(other, name) for other in clip.others if getattr(other, name) in others]
    wrong = list(dict.fromkeys([*still, *rng.sample(others, len(others))]))[: rng.randint(3, 4)]
    return choice("choice_moving", question, right, wrong, rng)


def clip_count(clip: Clip, rng: random.Random) -> Turn:
    """How many things a clip shows, moving or not."""
    number = 1 + len(clip.others)
    if rng.random() < 0.5:
        return short("clip_count", ask("clip_count", rng), str(number), rng)
    words = rng.random() < 0.7
    options = [number_word(n, words) for n in range(1, 5) if n != number]
    return choice("choice_count", ask("clip_count", rng), number_word(number, words), rng.sample(options, 2), rng)


CLIP_FAMILIES = {
    "motion": motion,
    "moving": moving,
    "motion_yes_no": motion_yes_no,
    "choice_motion": motion_choice,
    "choice_moving": moving_choice,
    "moving_attribute": moving_attribute,
    "clip_count": clip_count,
}
"""The same for clips."""
