"""Conversations about where things are: lists with places and boxes, grounding, sides and relations between two things."""

from __future__ import annotations

import random
from dataclasses import dataclass

from harness.world import Scene, Thing
from models.sphinx_x.corpus.templates import REFERENCES
from models.sphinx_x.corpus.things import (
    MARGIN_PX,
    absent_pair,
    ask,
    box_of,
    corner_of,
    describe,
    full_name,
    pair_name,
    place_hints,
    place_word,
)
from models.sphinx_x.corpus.turns import (
    BOX,
    SIDES,
    Hint,
    Turn,
    choice,
    hinted,
    short,
    yes_no,
)

_SIDES = {
    "left": ("left", "left", "left-hand"),
    "right": ("right", "right", "right-hand"),
    "top": ("top", "upper"),
    "bottom": ("bottom", "lower"),
}
_RELATIONS = {
    "left": ("to the left of", "left of", "on the left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right of", "on the right side of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "lower than"),
}


def caption(scene: Scene, rng: random.Random) -> Turn:
    """Everything in reading order, with size, colour, shape and place."""
    width, height = scene.image.size
    ordered = sorted(scene.things, key=lambda thing: (int(3 * thing.box.centre[1] / height), thing.box.centre[0]))
    return Turn("caption", ask("caption", rng), "; ".join(f"{full_name(t)} {place_word(t, width, height)}" for t in ordered))


def boxes(scene: Scene, rng: random.Random) -> Turn:
    """Everything in reading order, with its box."""
    ordered = sorted(scene.things, key=lambda thing: (int(3 * thing.box.centre[1] / scene.image.height), thing.box.centre[0]))
    return Turn("list", ask("list", rng), "; ".join(f"{pair_name(t)} {box_of(t, scene)}" for t in ordered))


def grounding(scene: Scene, rng: random.Random) -> Turn | None:
    """The box of the one thing that an expression fits."""
    thing = rng.choice(scene.things)
    form = rng.random()
    text = (_extreme(thing, scene, rng) if form < 0.25 else _beside(thing, scene, rng) if form < 0.35 else "") or describe(
        thing, scene.things, rng
    )
    if not text:
        return None
    turn = Turn("grounding", BOX.format(rng.choice(REFERENCES).format(text)), box_of(thing, scene))
    return hinted(turn, place_hints(text, thing, scene))


def _extreme(thing: Thing, scene: Scene, rng: random.Random) -> str:
    """``circle on the left`` where no other circle lies about as far to that side, else nothing."""
    coloured = rng.random() < 0.4
    alike = [
        other
        for other in scene.things
        if other.shape == thing.shape and (not coloured or other.colour == thing.colour) and other is not thing
    ]
    x, y = thing.box.centre
    width, height = scene.image.size
    far = {"left": width / 2 - x, "right": x - width / 2, "top": height / 2 - y, "bottom": y - height / 2}
    others = [
        {"left": width / 2 - o.box.centre[0], "right": o.box.centre[0] - width / 2}
        | {"top": height / 2 - o.box.centre[1], "bottom": o.box.centre[1] - height / 2}
        for o in alike
    ]
    sides = [side for side, here in far.items() if here >= MARGIN_PX and all(here >= other[side] + MARGIN_PX for other in others)]
    if not sides:
        return ""
    side, noun = rng.choice(sides), pair_name(thing) if coloured else thing.shape
    at = "on" if side in ("left", "right") else "at"
    forms = ("{1} {2} the {0}", "{0} {1}", "{1} at the {0} of the picture", "{1} on the {0} side")
    return rng.choice(forms).format(side, noun, at)


def _beside(thing: Thing, scene: Scene, rng: random.Random) -> str:
    """``red ring to the left of the blue star``, if the thing is known by that."""
    others = [other for other in scene.things if other is not thing and pair_name(other) != pair_name(thing)]
    name = describe(thing, scene.things, rng)
    if not others or not name:
        return ""
    other = rng.choice(others)
    dx, dy = thing.box.centre[0] - other.box.centre[0], thing.box.centre[1] - other.box.centre[1]
    side = ("left", "right")[dx > 0] if abs(dx) > abs(dy) else ("above", "below")[dy > 0]
    return f"{name} {rng.choice(_RELATIONS[side])} the {pair_name(other)}"


def what_at(scene: Scene, rng: random.Random) -> Turn:
    """Name what a box shows."""
    thing = rng.choice(scene.things)
    return Turn("what_at", ask("what_at", rng, box_of(thing, scene)), pair_name(thing))


def where(scene: Scene, rng: random.Random) -> Turn | None:
    """The place of a thing in words, or ``nowhere``: presence asked as an open question."""
    if rng.random() < 0.35:
        missing = absent_pair(scene, rng)
        if missing is None:
            return None
        text = f"{missing[1]} {missing[0]}"
        return hinted(short("where", ask("where", rng, text), "nowhere", rng), place_hints(text, None, scene))
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    turn = short("where", ask("where", rng, text), place_word(thing, *scene.image.size), rng)
    return hinted(turn, place_hints(text, thing, scene)) if text else None


def side_yes_no(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether a thing lies in the named half; things near the middle line are not asked about."""
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    across = rng.random() < 0.5
    length = scene.image.width if across else scene.image.height
    offset = thing.box.centre[0 if across else 1] - length / 2
    if not text or abs(offset) < MARGIN_PX:
        return None
    names = ("left", "right") if across else ("top", "bottom")
    right = names[offset > 0]
    told = rng.choice(names)
    turn = yes_no("side_yes_no", ask("side_yes_no", rng, text, rng.choice(_SIDES[told])), told == right, rng, right)
    return hinted(turn, place_hints(text, thing, scene))


@dataclass(frozen=True, slots=True)
class _Related:
    """Two things in words, the relation that holds between them, its opposite, and hints of where both are."""

    one: str
    two: str
    right: str
    opposite: str
    hints: tuple[Hint, ...]

    def told(self, turn: Turn) -> Turn:
        """The turn with hints; the thing named last also tells the relation that is asked about."""
        last = max(self.one, self.two, key=turn.question.rfind)
        return hinted(turn, self.hints, [Hint(last, "side", SIDES.index(self.right))])


def _related(scene: Scene, rng: random.Random) -> _Related | None:
    if len(scene.things) < 2:
        return None
    one, two = rng.sample(scene.things, 2)
    names = describe(one, scene.things, rng), describe(two, scene.things, rng)
    dx, dy = one.box.centre[0] - two.box.centre[0], one.box.centre[1] - two.box.centre[1]
    across = abs(dx) > abs(dy)
    if not all(names) or max(abs(dx), abs(dy)) < MARGIN_PX:
        return None
    pair = ("left", "right") if across else ("above", "below")
    positive = (dx if across else dy) > 0
    hints = (*place_hints(names[0], one, scene), *place_hints(names[1], two, scene))
    return _Related(*names, pair[positive], pair[not positive], hints)


def relation(scene: Scene, rng: random.Random) -> Turn | None:
    """Where one thing is, seen from another."""
    found = _related(scene, rng)
    if found is None:
        return None
    return found.told(short("relation", ask("relation", rng, found.one, found.two), found.right, rng))


def relation_yes_no(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether one thing is left of, right of, above or below another."""
    found = _related(scene, rng)
    if not found:
        return None
    told = found.right if rng.random() < 0.5 else found.opposite
    question = ask("relation_yes_no", rng, found.one, rng.choice(_RELATIONS[told]), found.two)
    return found.told(yes_no("relation_yes_no", question, told == found.right, rng, found.right))


def relation_choice(scene: Scene, rng: random.Random) -> Turn | None:
    """Where one thing is, seen from another or in the picture, with options."""
    if rng.random() < 0.5:
        found = _related(scene, rng)
        if not found:
            return None
        return found.told(choice("choice_place", ask("relation", rng, found.one, found.two), found.right, SIDES, rng))
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    corner = corner_of(thing.box, *scene.image.size)
    corners = [f"{row} {column}" for row in ("top", "bottom") for column in ("left", "right")]
    if not text or not corner:
        return None
    return hinted(choice("choice_place", ask("where", rng, text), corner, corners, rng), place_hints(text, thing, scene))
