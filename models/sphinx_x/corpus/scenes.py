"""Conversations about scenes of coloured shapes and about clips in which one of them moves.

Pairs of shape and colour that are held out for evaluation are never asked about here either: asked about only where they are
absent, they would teach the answer "no".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.world import COLOURS, MORE_COLOURS, MORE_SHAPES, SHAPES, Box, Clip, Scene, Thing, is_held_out
from models.sphinx_x.corpus.templates import NOUNS, ONE, REFERENCES, TRAIN_TEMPLATES
from models.sphinx_x.corpus.turns import (
    BOX,
    LETTER,
    LETTERS,
    NUMBER_WORDS,
    SHORT,
    Hint,
    Turn,
    choice,
    fractions,
    hinted,
    placed,
    short,
    with_article,
    yes_no,
)

_COLOURS = tuple(COLOURS)
_MORE_COLOURS, _MORE_SHAPES = (*COLOURS, *MORE_COLOURS), (*SHAPES, *MORE_SHAPES)
_MARGIN_PX = 8
_COLUMNS, _ROWS = ("left", "", "right"), ("top", "", "bottom")
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
_MOTIONS = {
    "left": ("left", "to the left", "from right to left", "leftwards"),
    "right": ("right", "to the right", "from left to right", "rightwards"),
    "up": ("up", "upwards", "from bottom to top", "to the top"),
    "down": ("down", "downwards", "from top to bottom", "to the bottom"),
}
_MANY = 6
_SO_MANY = ("", "", "a total of ", "exactly ", "just ")
_THINGS = ("shapes", "shapes", "objects", "things")


def words_of(scene: Scene) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The shapes and colours that a question about this scene may name: all of training's where it shows one of the further."""
    if any(thing.shape in MORE_SHAPES or thing.colour in MORE_COLOURS for thing in scene.things):
        return _MORE_SHAPES, _MORE_COLOURS
    return SHAPES, _COLOURS


def ask(family: str, rng: random.Random, *slots: object) -> str:
    """One of the family's wordings with its slots filled."""
    return rng.choice(TRAIN_TEMPLATES[family]).format(*slots)


def place_of(box: Box, width: int, height: int) -> str:
    """Which third of the picture, in words: ``top left`` to ``bottom right``, ``middle`` for the centre."""
    x, y = box.centre
    row, column = _ROWS[min(int(3 * y / height), 2)], _COLUMNS[min(int(3 * x / width), 2)]
    return f"{row} {column}".strip() or "middle"


def _corner(box: Box, width: int, height: int) -> str:
    """Which quarter of the picture, ``top left`` to ``bottom right``; nothing for what lies near a middle line."""
    right, down = (middle - length / 2 for middle, length in zip(box.centre, (width, height), strict=True))
    if min(abs(right), abs(down)) < _MARGIN_PX:
        return ""
    return f"{'bottom' if down > 0 else 'top'} {'right' if right > 0 else 'left'}"


def place_word(thing: Thing, width: int, height: int) -> str:
    """`place_of` a thing."""
    return place_of(thing.box, width, height)


def _full(thing: Thing) -> str:
    return f"{thing.size} {thing.colour} {thing.shape}"


def _pair(thing: Thing) -> str:
    return f"{thing.colour} {thing.shape}"


def describe(thing: Thing, things: Sequence[Thing], rng: random.Random, avoid: str = "") -> str:
    """Words that fit this thing and no other; ``avoid`` names an attribute that must not be given away."""
    forms: list[tuple[tuple[str, ...], str]] = [
        (("shape",), thing.shape),
        (("colour",), f"{thing.colour} " + rng.choice(("object", "shape", "thing", "one", "item"))),
        (("colour", "shape"), _pair(thing)),
        (("colour", "shape"), f"{thing.shape} {rng.choice(('in', 'that is', 'coloured'))} {thing.colour}"),
        (("size", "shape"), f"{thing.size} {thing.shape}"),
        (("size", "colour", "shape"), _full(thing)),
        (("size", "colour"), f"{thing.size} {thing.colour} one"),
    ]
    fitting = [
        text
        for names, text in forms
        if avoid not in names and sum(all(getattr(other, n) == getattr(thing, n) for n in names) for other in things) == 1
    ]
    return rng.choice(fitting) if fitting else ""


def _absent(scene: Scene, rng: random.Random) -> tuple[str, str] | None:
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


def caption(scene: Scene, rng: random.Random) -> Turn:
    """Everything in reading order, with size, colour, shape and place."""
    width, height = scene.image.size
    ordered = sorted(scene.things, key=lambda thing: (int(3 * thing.box.centre[1] / height), thing.box.centre[0]))
    return Turn("caption", ask("caption", rng), "; ".join(f"{_full(t)} {place_word(t, width, height)}" for t in ordered))


def boxes(scene: Scene, rng: random.Random) -> Turn:
    """Everything in reading order, with its box."""
    ordered = sorted(scene.things, key=lambda thing: (int(3 * thing.box.centre[1] / scene.image.height), thing.box.centre[0]))
    return Turn("list", ask("list", rng), "; ".join(f"{_pair(t)} {_box(t, scene)}" for t in ordered))


def _at(phrase: str, thing: Thing | None, scene: Scene) -> tuple[Hint, ...]:
    """Hints of where a thing is that the phrase names."""
    return placed(phrase, None if thing is None else thing.box.centre, max(scene.image.size))


def _box(thing: Thing, scene: Scene) -> str:
    at = thing.box
    return fractions((at.x0, at.y0, at.x1, at.y1), *scene.image.size)


def grounding(scene: Scene, rng: random.Random) -> Turn | None:
    """The box of the one thing that an expression fits."""
    thing = rng.choice(scene.things)
    form = rng.random()
    text = (_extreme(thing, scene, rng) if form < 0.25 else _beside(thing, scene, rng) if form < 0.35 else "") or describe(
        thing, scene.things, rng
    )
    if not text:
        return None
    turn = Turn("grounding", BOX.format(rng.choice(REFERENCES).format(text)), _box(thing, scene))
    return hinted(turn, _at(text, thing, scene))


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
    sides = [
        side for side, here in far.items() if here >= _MARGIN_PX and all(here >= other[side] + _MARGIN_PX for other in others)
    ]
    if not sides:
        return ""
    side, noun = rng.choice(sides), _pair(thing) if coloured else thing.shape
    at = "on" if side in ("left", "right") else "at"
    forms = ("{1} {2} the {0}", "{0} {1}", "{1} at the {0} of the picture", "{1} on the {0} side")
    return rng.choice(forms).format(side, noun, at)


def _beside(thing: Thing, scene: Scene, rng: random.Random) -> str:
    """``red ring to the left of the blue star``, if the thing is known by that."""
    others = [other for other in scene.things if other is not thing and _pair(other) != _pair(thing)]
    name = describe(thing, scene.things, rng)
    if not others or not name:
        return ""
    other = rng.choice(others)
    dx, dy = thing.box.centre[0] - other.box.centre[0], thing.box.centre[1] - other.box.centre[1]
    side = ("left", "right")[dx > 0] if abs(dx) > abs(dy) else ("above", "below")[dy > 0]
    return f"{name} {rng.choice(_RELATIONS[side])} the {_pair(other)}"


def what_at(scene: Scene, rng: random.Random) -> Turn:
    """Name what a box shows."""
    thing = rng.choice(scene.things)
    return Turn("what_at", ask("what_at", rng, _box(thing, scene)), _pair(thing))


def where(scene: Scene, rng: random.Random) -> Turn | None:
    """The place of a thing in words, or ``nowhere``: presence asked as an open question."""
    if rng.random() < 0.35:
        missing = _absent(scene, rng)
        if missing is None:
            return None
        text = f"{missing[1]} {missing[0]}"
        return hinted(short("where", ask("where", rng, text), "nowhere", rng), _at(text, None, scene))
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    turn = short("where", ask("where", rng, text), place_word(thing, *scene.image.size), rng)
    return hinted(turn, _at(text, thing, scene)) if text else None


def _attribute(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    """Open question, or one with options, for one attribute of a thing named by its others."""

    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        turn = short(family, ask(family, rng, text), getattr(thing, name), rng)
        return hinted(turn, _at(text, thing, scene)) if text else None

    return turn


def _values(name: str, thing: Thing, words: tuple[tuple[str, ...], tuple[str, ...]] = (SHAPES, _COLOURS)) -> list[str]:
    """Values an attribute of this thing could have had without becoming a held-out pair; ``words`` are shapes and colours."""
    shapes, colours = words
    if name == "size":
        return ["small", "large"]
    if name == "colour":
        return [colour for colour in colours if not is_held_out(thing.shape, colour)]
    return [shape for shape in shapes if not is_held_out(shape, thing.colour)]


def _attribute_choice(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        right = getattr(thing, name)
        others = [value for value in _values(name, thing, words_of(scene)) if value != right]
        present = [getattr(t, name) for t in scene.things if getattr(t, name) in others]
        wrong = rng.sample(others, min(3, len(others)))
        if present and rng.random() < 0.7 and len(others) > 2:
            wrong = list(dict.fromkeys([*present, *wrong]))
        wrong = wrong[: rng.choice((1, 2, 3, 3))]
        turn = choice("choice_" + name, ask(family, rng, text), right, wrong, rng)
        return hinted(turn, _at(text, thing, scene)) if text else None

    return turn


def _attribute_yes_no(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        right = getattr(thing, name)
        others = [value for value in _values(name, thing, words_of(scene)) if value != right]
        told = right if rng.random() < 0.5 else rng.choice(others)
        turn = yes_no(family, ask(family, rng, text, told), told == right, rng, right)
        return hinted(turn, _at(text, thing, scene)) if text else None

    return turn


def _group(scene: Scene, rng: random.Random) -> tuple[str, int]:
    """A plural noun phrase and how many things it fits."""
    thing = rng.choice(scene.things)
    shapes, colours = words_of(scene)
    if rng.random() < 0.5:
        shape = thing.shape if rng.random() < 0.75 else rng.choice(shapes)
        return NOUNS[shape][1], sum(t.shape == shape for t in scene.things)
    colour = thing.colour if rng.random() < 0.75 else rng.choice(colours)
    noun = rng.choice(("objects", "shapes", "things", "items"))
    return f"{colour} {noun}", sum(t.colour == colour for t in scene.things)


def count_all(scene: Scene, rng: random.Random) -> Turn:
    """How many things there are."""
    return short("count_all", ask("count_all", rng), str(len(scene.things)), rng)


def count_some(scene: Scene, rng: random.Random) -> Turn:
    """How many things of a shape or a colour there are."""
    noun, number = _group(scene, rng)
    return short("count_some", ask("count_some", rng, noun), str(number), rng)


def _number(number: int, words: bool) -> str:
    return NUMBER_WORDS[number] if words else str(number)


def count_choice(scene: Scene, rng: random.Random) -> Turn:
    """How many, with options in digits or in words."""
    noun, number = _group(scene, rng) if rng.random() < 0.4 else (rng.choice(_THINGS), len(scene.things))
    words = rng.random() < 0.6
    wrong = [_number(n, words) for n in range(_MANY) if n != number and abs(n - number) <= 3]
    return choice("choice_count", ask("count_some", rng, noun), _number(number, words), rng.sample(wrong, 3), rng)


def count_yes_no(scene: Scene, rng: random.Random) -> Turn:
    """Whether there are so many."""
    noun, number = _group(scene, rng) if rng.random() < 0.4 else (rng.choice(_THINGS), len(scene.things))
    told = number if rng.random() < 0.5 else rng.choice([n for n in range(1, _MANY) if n != number and abs(n - number) <= 2])
    words = rng.random() < 0.6
    if told == 1 and noun in _THINGS and rng.random() < 0.5:
        question = rng.choice(ONE).format(noun[:-1])
    else:
        question = ask("count_yes_no", rng, rng.choice(_SO_MANY) + _number(told, words), noun)
    turn = yes_no("count_yes_no", question, told == number, rng, _number(number, words))
    return hinted(turn, [Hint(_number(told, words), "number", number)])


def exists(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether a thing is there; half of the questions are about one that is not, mostly a near miss."""
    form = rng.random()
    if rng.random() < 0.5:
        thing = rng.choice(scene.things)
        text = _pair(thing) if form < 0.45 else thing.shape if form < 0.88 else f"{thing.colour} object"
        turn = yes_no("exists", ask("exists", rng, with_article(text)), True, rng, place_word(thing, *scene.image.size))
        alike = [t for t in scene.things if text in (_pair(t), t.shape, f"{t.colour} object")]
        return hinted(turn, _at(text, thing, scene)) if len(alike) == 1 else turn
    if form < 0.45:
        missing = _absent(scene, rng)
        if missing is None:
            return None
        text = f"{missing[1]} {missing[0]}"
    else:
        known_shapes, known_colours = words_of(scene)
        shapes = [shape for shape in known_shapes if all(t.shape != shape for t in scene.things)]
        colours = [colour for colour in known_colours if all(t.colour != colour for t in scene.things)]
        text = rng.choice(shapes) if form < 0.88 else f"{rng.choice(colours)} object"
    return hinted(yes_no("exists", ask("exists", rng, with_article(text)), False, rng), _at(text, None, scene))


def side_yes_no(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether a thing lies in the named half; things near the middle line are not asked about."""
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    across = rng.random() < 0.5
    length = scene.image.width if across else scene.image.height
    offset = thing.box.centre[0 if across else 1] - length / 2
    if not text or abs(offset) < _MARGIN_PX:
        return None
    names = ("left", "right") if across else ("top", "bottom")
    right = names[offset > 0]
    told = rng.choice(names)
    turn = yes_no("side_yes_no", ask("side_yes_no", rng, text, rng.choice(_SIDES[told])), told == right, rng, right)
    return hinted(turn, _at(text, thing, scene))


@dataclass(frozen=True, slots=True)
class _Related:
    """Two things in words, the relation that holds between them, its opposite, and hints of where both are."""

    one: str
    two: str
    right: str
    opposite: str
    hints: tuple[Hint, ...]


def _related(scene: Scene, rng: random.Random) -> _Related | None:
    if len(scene.things) < 2:
        return None
    one, two = rng.sample(scene.things, 2)
    names = describe(one, scene.things, rng), describe(two, scene.things, rng)
    dx, dy = one.box.centre[0] - two.box.centre[0], one.box.centre[1] - two.box.centre[1]
    across = abs(dx) > abs(dy)
    if not all(names) or max(abs(dx), abs(dy)) < _MARGIN_PX:
        return None
    pair = ("left", "right") if across else ("above", "below")
    positive = (dx if across else dy) > 0
    hints = (*_at(names[0], one, scene), *_at(names[1], two, scene))
    return _Related(*names, pair[positive], pair[not positive], hints)


def relation(scene: Scene, rng: random.Random) -> Turn | None:
    """Where one thing is, seen from another."""
    found = _related(scene, rng)
    if found is None:
        return None
    return hinted(short("relation", ask("relation", rng, found.one, found.two), found.right, rng), found.hints)


def relation_yes_no(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether one thing is left of, right of, above or below another."""
    found = _related(scene, rng)
    if not found:
        return None
    told = found.right if rng.random() < 0.5 else found.opposite
    question = ask("relation_yes_no", rng, found.one, rng.choice(_RELATIONS[told]), found.two)
    return hinted(yes_no("relation_yes_no", question, told == found.right, rng, found.right), found.hints)


def relation_choice(scene: Scene, rng: random.Random) -> Turn | None:
    """Where one thing is, seen from another or in the picture, with options."""
    if rng.random() < 0.5:
        found = _related(scene, rng)
        if not found:
            return None
        turn = choice("choice_place", ask("relation", rng, found.one, found.two), found.right, tuple(_RELATIONS), rng)
        return hinted(turn, found.hints)
    thing = rng.choice(scene.things)
    text = describe(thing, scene.things, rng)
    corner = _corner(thing.box, *scene.image.size)
    corners = [f"{row} {column}" for row in ("top", "bottom") for column in ("left", "right")]
    if not text or not corner:
        return None
    return hinted(choice("choice_place", ask("where", rng, text), corner, corners, rng), _at(text, thing, scene))


def which_choice(scene: Scene, rng: random.Random) -> Turn | None:
    """Which of four things is in the picture (or, asked the other way, which word pair fits the only one)."""
    thing = rng.choice(scene.things)
    wrong: list[str] = []
    while len(wrong) < 3:
        missing = _absent(scene, rng)
        if missing is None:
            return None
        wrong = list(dict.fromkeys([*wrong, f"{missing[1]} {missing[0]}"]))
    question = ask("which", rng)
    return choice("choice_which", question, _pair(thing), wrong, rng)


def letter_form(rng: random.Random) -> Turn:
    """The form of multiple choice without a picture's help: repeat the letter of a given option."""
    words = rng.sample((*_COLOURS, *SHAPES, "left", "right", "above", "below", "small", "large", "1", "2", "3", "4"), 4)
    number = rng.randrange(4)
    lines = "\n".join(f"{letter}. {word}" for letter, word in zip(LETTERS, words, strict=False))
    question = rng.choice(("Which option is {}?", "Choose {}.", "The right option is {}."))
    told = f"{question.format(words[number])}\n{lines}{LETTER}"
    return Turn("letter_form", told, f"{words[number]} ({LETTERS[number]})")


def _mover(clip: Clip, rng: random.Random) -> str:
    return describe(clip.thing, (clip.thing, *clip.others), rng) or _pair(clip.thing)


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
    return Turn("moving", ask("moving", rng) + SHORT, _pair(clip.thing))


def moving_choice(clip: Clip, rng: random.Random) -> Turn:
    """What it is that moves, with options, standing things among them."""
    names = [_pair(other) for other in clip.others]
    pool = [f"{colour} {shape}" for shape in SHAPES for colour in _COLOURS if not is_held_out(shape, colour)]
    wrong = [name for name in dict.fromkeys([*names, *rng.sample(pool, 4)]) if name != _pair(clip.thing)]
    return choice("choice_moving", ask("moving", rng), _pair(clip.thing), wrong[:3], rng)


def moving_attribute(clip: Clip, rng: random.Random) -> Turn:
    """Colour or shape of what moves, open or with options."""
    name = rng.choice(("colour", "shape"))
    question, right = ask(f"moving_{name}", rng), getattr(clip.thing, name)
    if rng.random() < 0.4:
        return short("moving_attribute", question, right, rng)
    others = [value for value in _values(name, clip.thing) if value != right]
    still = [getattr(other, name) for other in clip.others if getattr(other, name) in others]
    wrong = list(dict.fromkeys([*still, *rng.sample(others, len(others))]))[: rng.randint(3, 4)]
    return choice("choice_moving", question, right, wrong, rng)


def clip_count(clip: Clip, rng: random.Random) -> Turn:
    """How many things a clip shows, moving or not."""
    number = 1 + len(clip.others)
    if rng.random() < 0.5:
        return short("clip_count", ask("clip_count", rng), str(number), rng)
    words = rng.random() < 0.7
    options = [_number(n, words) for n in range(1, 5) if n != number]
    return choice("choice_count", ask("clip_count", rng), _number(number, words), rng.sample(options, 2), rng)


SCENE_FAMILIES = {
    "caption": caption,
    "list": boxes,
    "grounding": grounding,
    "what_at": what_at,
    "where": where,
    "colour_of": _attribute("colour", "colour_of"),
    "shape_of": _attribute("shape", "shape_of"),
    "size_of": _attribute("size", "size_of"),
    "count_all": count_all,
    "count_some": count_some,
    "relation": relation,
    "exists": exists,
    "colour_yes_no": _attribute_yes_no("colour", "colour_yes_no"),
    "shape_yes_no": _attribute_yes_no("shape", "shape_yes_no"),
    "size_yes_no": _attribute_yes_no("size", "size_yes_no"),
    "count_yes_no": count_yes_no,
    "side_yes_no": side_yes_no,
    "relation_yes_no": relation_yes_no,
    "choice_colour": _attribute_choice("colour", "colour_of"),
    "choice_shape": _attribute_choice("shape", "shape_of"),
    "choice_count": count_choice,
    "choice_place": relation_choice,
    "choice_which": which_choice,
    "letter_form": lambda scene, rng: letter_form(rng),
}
"""Family -> maker of one turn, or None where the scene does not allow the question."""

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
