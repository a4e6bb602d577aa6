"""MME in small: a folder a sub-task with pictures and, beside each, a text file of two ``question TAB answer`` lines.

Six of the fourteen sub-tasks (existence, count, position, color, OCR, numerical_calculation); one question of each pair is
answered Yes, the other No.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations as pairs_of
from pathlib import Path
from typing import Final

from PIL import Image

from harness.world import SHAPES, Dice, Digits, Scene, Thing, combinations
from tasks.mini.draws import NUMBER_WORDS, asked, encoded, groups, name_of, with_article, worlds
from tasks.mini.findings import related, signs
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Pair = tuple[Image.Image, str, str]
"""A picture, a question that is to be answered Yes, and one that is to be answered No."""

SUB_TASKS: Final = ("existence", "count", "position", "color", "OCR", "numerical_calculation")
_OPPOSITE: Final = {"left": "right", "right": "left", "above": "below", "below": "above"}


def _ask(kind: str, **fields: str) -> str:
    return wording(f"mme/{kind}", **fields)


def _existence(seed: int) -> Iterator[Pair]:
    """Ask for two shapes of which one is there; the next picture has the other one."""
    scenes, dice = worlds(Scene, "scene", "mme/existence", seed), Dice("mme/existence", seed, "eval")
    choices = list(pairs_of(SHAPES, 2))
    while True:
        for one, two in dice.sample(choices, len(choices)):
            for there, absent in ((one, two), (two, one)):
                scene = next(
                    scene for scene in scenes
                    if there in {thing.shape for thing in asked(scene)} and absent not in {thing.shape for thing in scene.things}
                )  # fmt: skip
                yield (
                    scene.image,
                    _ask("existence", a_shape=with_article(there)),
                    _ask("existence", a_shape=with_article(absent)),
                )


def _count(seed: int) -> Iterator[Pair]:
    """Ask for two neighbouring numbers of which one is right; the next picture has the other one."""
    scenes, dice = worlds(Scene, "scene", "mme/count", seed), Dice("mme/count", seed, "eval")

    def question(number: int) -> str:
        return _ask("count/one") if number == 1 else _ask("count", number=NUMBER_WORDS[number])

    while True:
        low = dice.between(1, 4)
        for right, wrong in ((low, low + 1), (low + 1, low)):
            scene = next(scene for scene in scenes if len(scene.things) == right)
            yield scene.image, question(right), question(wrong)


def _position(seed: int) -> Iterator[Pair]:
    """Ask for a side and its opposite."""
    for scene, thing, other, side in related("mme/position", seed):
        names = {"thing": name_of(thing), "other": name_of(other)}
        yield scene.image, _ask(f"position/{side}", **names), _ask(f"position/{_OPPOSITE[side]}", **names)


def _color(seed: int) -> Iterator[Pair]:
    """Ask for a shape in its colour and in another one; the next picture has it the other way round."""
    scenes, dice = worlds(Scene, "scene", "mme/color", seed), Dice("mme/color", seed, "eval")
    while True:
        for shape in dice.sample(SHAPES, len(SHAPES)):
            one, two = dice.sample([colour for kind, colour in combinations("eval") if kind == shape], 2)
            for there, absent in ((one, two), (two, one)):
                scene = next(scene for scene in scenes if _has(scene.things, shape, there, absent))
                yield (
                    scene.image,
                    _ask("color", a_thing=with_article(f"{there} {shape}")),
                    _ask("color", a_thing=with_article(f"{absent} {shape}")),
                )


def _has(things: tuple[Thing, ...], shape: str, colour: str, other_colour: str) -> bool:
    colours = [thing.colour for thing in things if thing.shape == shape]
    return colour in colours and other_colour not in colours


def _ocr(seed: int, n: int) -> Iterator[Pair]:
    """Ask about a sign's word and about a similar word, which another sign bears."""
    for sign, (other,) in signs("mme/OCR", seed, 2, n):
        yield sign.image, _ask("OCR", word=sign.word), _ask("OCR", word=other)


def _calculation(seed: int, n: int) -> Iterator[Pair]:
    """Ask about a sum and about another picture's sum, at most three away."""
    sums = (world for world in worlds(Digits, "digits", "mme/sum", seed) if world.operator)

    def apart(a: Digits, b: Digits) -> float | None:
        return None if a.result == b.result or abs(a.result - b.result) > 3 else 0.0

    for one, two in groups(sums, 2, (n + 1) // 2, apart):
        for world, other in ((one, two), (two, one)):
            right, wrong = str(world.result), str(other.result)
            yield world.image, _ask("numerical_calculation", number=right), _ask("numerical_calculation", number=wrong)


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, two a picture and at least one picture a sub-task, below ``folder``; a sub-task is a part."""
    sizes = [max(1, pictures) for pictures in size.split((1,) * len(SUB_TASKS), per=2)]
    streams = (
        *(_existence(seed), _count(seed), _position(seed), _color(seed)),
        *(_ocr(seed, sizes[4]), _calculation(seed, sizes[5])),
    )
    for name, pictures, stream in zip(SUB_TASKS, sizes, streams, strict=True):
        (folder / name).mkdir()
        for number in range(1, pictures + 1):
            image, yes, no = next(stream)
            (folder / name / f"{number:04d}.png").write_bytes(encoded(image))
            (folder / name / f"{number:04d}.txt").write_text(f"{yes}\tYes\n{no}\tNo\n", encoding="utf-8")
