"""Conversations about scenes of coloured shapes: attributes, counts, presence, and all families of questions about a scene.

Not here: where things are (``places``), and how they are named (``things``).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.world import SHAPES, Scene
from models.sphinx_x.corpus.places import (
    boxes,
    caption,
    grounding,
    relation,
    relation_choice,
    relation_yes_no,
    side_yes_no,
    what_at,
    where,
)
from models.sphinx_x.corpus.templates import NOUNS, ONE
from models.sphinx_x.corpus.things import (
    PLAIN_COLOURS,
    absent_pair,
    ask,
    describe,
    number_word,
    pair_name,
    place_hints,
    place_word,
    values_of,
    words_of,
)
from models.sphinx_x.corpus.turns import (
    LETTER,
    LETTERS,
    Hint,
    Turn,
    choice,
    hinted,
    short,
    with_article,
    yes_no,
)

_MANY = 6
_SO_MANY = ("", "", "a total of ", "exactly ", "just ")
_THINGS = ("shapes", "shapes", "objects", "things")


def _attribute(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    """Open question, or one with options, for one attribute of a thing named by its others."""

    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        turn = short(family, ask(family, rng, text), getattr(thing, name), rng)
        return hinted(turn, place_hints(text, thing, scene)) if text else None

    return turn


def _attribute_choice(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        right = getattr(thing, name)
        others = [value for value in values_of(name, thing, words_of(scene)) if value != right]
        present = [getattr(t, name) for t in scene.things if getattr(t, name) in others]
        wrong = rng.sample(others, min(3, len(others)))
        if present and rng.random() < 0.7 and len(others) > 2:
            wrong = list(dict.fromkeys([*present, *wrong]))
        wrong = wrong[: rng.choice((1, 2, 3, 3))]
        turn = choice("choice_" + name, ask(family, rng, text), right, wrong, rng)
        return hinted(turn, place_hints(text, thing, scene)) if text else None

    return turn


def _attribute_yes_no(name: str, family: str) -> Callable[[Scene, random.Random], Turn | None]:
    def turn(scene: Scene, rng: random.Random) -> Turn | None:
        thing = rng.choice(scene.things)
        text = describe(thing, scene.things, rng, avoid=name)
        right = getattr(thing, name)
        others = [value for value in values_of(name, thing, words_of(scene)) if value != right]
        told = right if rng.random() < 0.5 else rng.choice(others)
        turn = yes_no(family, ask(family, rng, text, told), told == right, rng, right)
        return hinted(turn, place_hints(text, thing, scene)) if text else None

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


def count_choice(scene: Scene, rng: random.Random) -> Turn:
    """How many, with options in digits or in words."""
    noun, number = _group(scene, rng) if rng.random() < 0.4 else (rng.choice(_THINGS), len(scene.things))
    words = rng.random() < 0.6
    wrong = [number_word(n, words) for n in range(_MANY) if n != number and abs(n - number) <= 3]
    return choice("choice_count", ask("count_some", rng, noun), number_word(number, words), rng.sample(wrong, 3), rng)


def count_yes_no(scene: Scene, rng: random.Random) -> Turn:
    """Whether there are so many."""
    noun, number = _group(scene, rng) if rng.random() < 0.4 else (rng.choice(_THINGS), len(scene.things))
    told = number if rng.random() < 0.5 else rng.choice([n for n in range(1, _MANY) if n != number and abs(n - number) <= 2])
    words = rng.random() < 0.6
    if told == 1 and noun in _THINGS and rng.random() < 0.5:
        question = rng.choice(ONE).format(noun[:-1])
    else:
        question = ask("count_yes_no", rng, rng.choice(_SO_MANY) + number_word(told, words), noun)
    turn = yes_no("count_yes_no", question, told == number, rng, number_word(number, words))
    return hinted(turn, [Hint(number_word(told, words), "number", number)])


def exists(scene: Scene, rng: random.Random) -> Turn | None:
    """Whether a thing is there; half of the questions are about one that is not, mostly a near miss."""
    form = rng.random()
    if rng.random() < 0.5:
        thing = rng.choice(scene.things)
        text = pair_name(thing) if form < 0.45 else thing.shape if form < 0.88 else f"{thing.colour} object"
        turn = yes_no("exists", ask("exists", rng, with_article(text)), True, rng, place_word(thing, *scene.image.size))
        alike = [t for t in scene.things if text in (pair_name(t), t.shape, f"{t.colour} object")]
        return hinted(turn, place_hints(text, thing, scene)) if len(alike) == 1 else turn
    if form < 0.45:
        missing = absent_pair(scene, rng)
        if missing is None:
            return None
        text = f"{missing[1]} {missing[0]}"
    else:
        known_shapes, known_colours = words_of(scene)
        shapes = [shape for shape in known_shapes if all(t.shape != shape for t in scene.things)]
        colours = [colour for colour in known_colours if all(t.colour != colour for t in scene.things)]
        text = rng.choice(shapes) if form < 0.88 else f"{rng.choice(colours)} object"
    return hinted(yes_no("exists", ask("exists", rng, with_article(text)), False, rng), place_hints(text, None, scene))


def which_choice(scene: Scene, rng: random.Random) -> Turn | None:
    """Which of four things is in the picture (or, asked the other way, which word pair fits the only one)."""
    thing = rng.choice(scene.things)
    wrong: list[str] = []
    while len(wrong) < 3:
        missing = absent_pair(scene, rng)
        if missing is None:
            return None
        wrong = list(dict.fromkeys([*wrong, f"{missing[1]} {missing[0]}"]))
    question = ask("which", rng)
    return choice("choice_which", question, pair_name(thing), wrong, rng)


def letter_form(rng: random.Random) -> Turn:
    """The form of multiple choice without a picture's help: repeat the letter of a given option."""
    words = rng.sample((*PLAIN_COLOURS, *SHAPES, "left", "right", "above", "below", "small", "large", "1", "2", "3", "4"), 4)
    number = rng.randrange(4)
    lines = "\n".join(f"{letter}. {word}" for letter, word in zip(LETTERS, words, strict=False))
    question = rng.choice(("Which option is {}?", "Choose {}.", "The right option is {}."))
    told = f"{question.format(words[number])}\n{lines}{LETTER}"
    return Turn("letter_form", told, f"{words[number]} ({LETTERS[number]})")


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
