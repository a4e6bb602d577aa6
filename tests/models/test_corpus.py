"""Training conversations: true, parseable by the official rules, and apart from everything evaluation shows or says."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from harness.parsers.choice import letter_among
from harness.world import ALPHABET, COLOURS, KINDS, MORE_COLOURS, MORE_SHAPES, SHAPES, Scene, World, is_held_out
from models.sphinx_x.corpus.mini import (
    EARLY,
    FAMILIES,
    LATE,
    Mixture,
    blend,
    converse,
    draw_training_world,
    is_closed,
    with_motley,
)
from models.sphinx_x.corpus.templates import ONE, REFERENCES, TRAIN_TEMPLATES
from models.sphinx_x.corpus.turns import BOX, HINT_LETTER, HINTS, PHRASES, PLACES, SIDES, Turn, choice, fractions, spelled
from tasks.mini.wordings import EVAL_TEMPLATES

DRAWN = (*KINDS, "motley")
EVEN = Mixture(kinds={kind: 1.0 for kind in KINDS}, families={})


def told(count: int, seed: int = 5) -> Iterator[tuple[World, Turn]]:
    rng = random.Random(seed)
    for number in range(count):
        world = draw_training_world(DRAWN[number % len(DRAWN)], number, seed)
        for turn in converse(world, rng, EVEN, 12):
            yield world, turn


@pytest.fixture(scope="module")
def turns() -> list[tuple[World, Turn]]:
    return list(told(700))


def test_no_turn_names_a_pair_that_is_held_out(turns: list[tuple[World, Turn]]) -> None:
    colours, shapes = "|".join((*COLOURS, *MORE_COLOURS)), "|".join((*SHAPES, *MORE_SHAPES))
    adjacent = re.compile(rf"\b({colours}) ({shapes})s?\b|\b({shapes}) (?:in|that is|coloured) ({colours})\b")
    for _, turn in turns:
        for colour, shape, other_shape, other_colour in adjacent.findall(f"{turn.question} {turn.answer}"):
            assert not is_held_out(shape or other_shape, colour or other_colour), turn


def test_closed_colour_questions_never_offer_a_held_out_pair(turns: list[tuple[World, Turn]]) -> None:
    seen = 0
    for world, turn in turns:
        if turn.family == "colour_yes_no" and isinstance(world, Scene):
            words = set(re.findall(r"[a-z]+", turn.question))
            asked = [(shape, colour) for shape in SHAPES for colour in COLOURS if {shape, colour} <= words]
            seen += len(asked)
            assert not any(is_held_out(*pair) for pair in asked), turn
    assert seen


SLOTS = {
    "colour": "|".join(COLOURS),
    "shape": "|".join(SHAPES),
    "size": "small|large",
    "side": "left|right|top|bottom",
    "relation": "to the left of|to the right of|above|below",
    "number": r"\d+|one|two|three|four|five|six",
}
SLOTS["thing"] = SLOTS["other"] = f"(?:{SLOTS['colour']}) (?:{SLOTS['shape']})"
SLOTS["a_thing"], SLOTS["a_shape"] = f"an? {SLOTS['thing']}", f"an? (?:{SLOTS['shape']})"


def test_no_training_sentence_is_an_evaluation_sentence(turns: list[tuple[World, Turn]]) -> None:
    def pattern(template: str) -> str:
        pieces = re.split(r"(\{\w+\})", template)
        return "".join(f"(?:{SLOTS.get(p[1:-1], '[A-Z0-9]+')})" if p.startswith("{") else re.escape(p) for p in pieces)

    said = [text.removesuffix(" Please answer yes or no.") for many in EVAL_TEMPLATES.values() for text in many]
    every = re.compile("|".join(map(pattern, said)))
    start, end = BOX.split("{}")
    for _, turn in turns:
        sentence = turn.question.removeprefix("Question: ").removeprefix(HINT_LETTER).split("\n")[0].split(" A.")[0]
        if turn.question.startswith(start):
            sentence = turn.question.removeprefix(start).removesuffix(end)
        for phrase in PHRASES:
            sentence = sentence.replace(phrase, "")
        assert not every.fullmatch(sentence.strip()), sentence


_TRAINED_FOR = {"pope", "mme", "mmbench_en", "mathvista", "refcoco", "refcocog", "docvqa", "videobench"}
"""The benchmarks of the demo, which a model trained here is to be good at; of the others it need not know every word."""


def test_templates_are_apart_from_those_of_evaluation() -> None:
    def plain(text: str) -> str:
        return re.sub(r"\{\w*\}", "{}", text.removesuffix(" Please answer yes or no."))

    ours = {plain(text) for many in (*TRAIN_TEMPLATES.values(), REFERENCES, ONE) for text in many}
    assert not ours & {plain(text) for many in EVAL_TEMPLATES.values() for text in many}


def test_the_words_of_evaluation_are_known_to_training(turns: list[tuple[World, Turn]]) -> None:
    def words(text: str) -> set[str]:
        return set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}", "", text).lower()))

    known = set().union(*(words(turn.question) for _, turn in told(1500)))
    asked = (many for kind, many in EVAL_TEMPLATES.items() if kind.split("/")[0].rstrip("+") in _TRAINED_FOR)
    assert not set().union(*(words(text) for many in asked for text in many)) - known


def test_letters_are_read_by_the_official_rule(turns: list[tuple[World, Turn]]) -> None:
    seen = 0
    for _, turn in turns:
        lines = re.findall(r"^([A-H])\. (.+)$", turn.question, re.MULTILINE)
        if not turn.family.startswith("choice_") or not lines:
            continue
        options = [text for _, text in lines]
        if not any(len(text) == 1 and text.isalpha() for text in options):
            right = options.index(turn.answer.split(" (")[0])
            assert letter_among(turn.answer, options).answer == "ABCDE"[right], turn
            seen += 1
    assert seen > 50


def test_a_choice_holds_the_right_option_once() -> None:
    rng = random.Random(0)
    for _ in range(50):
        turn = choice("f", "What?", "red", ["blue", "red", "blue", "green"], rng)
        assert len(re.findall(r"\bred\b", turn.question)) == 1


def test_yes_and_no_are_about_equally_frequent() -> None:
    found = Counter(turn.answer.split(",")[0] for _, turn in told(1500, seed=9) if turn.answer.startswith(("Yes", "No")))
    assert set(found) == {"Yes", "No"}
    assert 0.4 < found["Yes"] / found.total() < 0.6


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.__name__)
def test_every_family_finds_something_to_ask(kind: type[World]) -> None:
    worlds = [draw_training_world(kind.__name__.lower(), number, 3) for number in range(40)]
    for family, make in FAMILIES[kind].items():
        made = [make(world, random.Random(number)) for number, world in enumerate(worlds)]
        assert any(turn is not None and turn.answer for turn in made), family


def test_boxes_are_fractions_of_the_centred_padded_square() -> None:
    assert fractions((0, 0, 48, 96), 48, 96) == "[0.25,0.00,0.75,1.00]"
    assert fractions((10, 20, 30, 40), 100, 50) == "[0.10,0.45,0.30,0.65]"


def test_hints_say_what_the_picture_shows(turns: list[tuple[World, Turn]]) -> None:
    seen: Counter[str] = Counter()
    for world, turn in turns:
        assert all(0 <= hint.value < HINTS[hint.kind] for hint in turn.hints)
        if turn.family == "where":
            x, y = (hint.value for hint in turn.hints)
            assert (x == y == PLACES) == (turn.answer == "nowhere")
        if turn.family == "grounding":
            x1, _, x2, _ = map(float, turn.answer.strip("[]").split(","))
            width, height = world.image.size
            middle = (x1 + x2) / 2 - max(height - width, 0) / (2 * max(width, height))  # hints count from the corner
            assert abs(turn.hints[0].value + 0.5 - PLACES * middle) <= 1
        if turn.family == "word_yes_no":
            read = "".join(("", *ALPHABET)[hint.value] for hint in turn.hints)
            assert (read == turn.hints[0].phrase) == turn.answer.startswith("Yes") or read.startswith(turn.hints[0].phrase)
        if turn.family == "relation":
            assert SIDES[turn.hints[-1].value] == turn.answer
            ends = [hint.position(turn.question) for hint in turn.hints]
            assert None not in ends and ends[-1] == max(ends)
        if turn.family == "bar" and turn.hints:
            assert str(turn.hints[0].value) == turn.answer
        seen[turn.family] += bool(turn.hints)
    assert min(seen[family] for family in ("where", "grounding", "word_yes_no", "bar", "relation_yes_no", "exists")) > 5


def test_a_hint_belongs_to_the_last_character_of_its_phrase() -> None:
    hints = spelled("CAT", "COTS")
    assert [ALPHABET[hint.value - 1] for hint in hints] == ["C", "O", "T"]
    assert [hint.position('Is the "CAT" a CATS?') for hint in hints] == [8, 9, 10]
    assert hints[0].position("Is it a CATS?") is None


def test_some_scenes_are_made_motley() -> None:
    mixed = with_motley(LATE, 0.25)
    assert mixed.kinds["motley"] == pytest.approx(LATE.kinds["scene"] / 4)
    assert sum(mixed.kinds.values()) == pytest.approx(sum(LATE.kinds.values()))
    assert with_motley(LATE, 0.0) is LATE


def test_a_conversation_follows_from_its_seed() -> None:
    assert [turn for _, turn in told(20, seed=4)] == [turn for _, turn in told(20, seed=4)]


_SAID = """
import random
from models.sphinx_x.corpus.mini import LATE, converse, draw_training_world
for kind in ("table", "chart", "scene", "motley", "page", "clip"):
    for number in range(12):
        print(converse(draw_training_world(kind, number, 3), random.Random(number), LATE, 12))
"""


def test_a_conversation_is_the_same_in_every_process() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", _SAID], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] and said[0]


def test_the_mixture_moves_from_long_answers_to_closed_ones() -> None:
    assert EARLY.weight("caption") > EARLY.weight("exists")
    assert blend(EARLY, LATE, -1).families == EARLY.families
    assert blend(EARLY, LATE, 2).weight("exists") == LATE.weight("exists")
    assert is_closed("exists") and is_closed("choice_bar") and not is_closed("field")
