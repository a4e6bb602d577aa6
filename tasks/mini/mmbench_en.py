"""MMBench dev EN in small: one TSV with pictures in base64, every question in all rotations of its options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from harness.world import Chart, Dice, Scene, combinations
from tasks.mini.draws import NUMBER_WORDS, asked, name_of, options, places, worlds
from tasks.mini.findings import dealt, extremes, related, signs
from tasks.mini.rotations import Turned, write_table
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

FILE: Final = "mmbench_dev_20230712.tsv"
COLUMNS: Final = (
    *("index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image"),
    *("source", "l2-category", "comment", "split"),
)
_L2: Final = {
    **dict.fromkeys(("attribute_recognition", "object_localization", "ocr"), "finegrained_perception (instance-level)"),
    **dict.fromkeys(("spatial_relationship", "attribute_comparison"), "finegrained_perception (cross-instance)"),
    "structuralized_imagetext_understanding": "logic_reasoning",
}
_WEIGHTS: Final = (2, 1, 1, 2, 2, 2, 1)
_CORNERS: Final = ("top left", "top right", "bottom left", "bottom right")
_MIDDLE_PX: Final = 6


@dataclass(frozen=True)
class _Item:
    """A question; ``kind`` names its template, and before a slash its category."""

    image: Image.Image
    kind: str
    question: str
    answer: str
    lures: Sequence[str]
    hint: str = ""


def _item(image: Image.Image, kind: str, answer: str, lures: Sequence[str], hint: str = "", **fields: str) -> _Item:
    return _Item(image, kind, wording(f"mmbench_en/{kind}", **fields), answer, lures, hint)


def _attribute(seed: int) -> Iterator[_Item]:
    """Ask for the colour of a shape, or for the shape of a colour, where there is one such thing.

    The options are the two that evaluation knows of it: a third one would be of training, and never right.
    """
    dice = Dice("mmbench/attribute", seed, "eval")
    scenes, pairs = worlds(Scene, "scene", "mmbench/attribute", seed), combinations("eval")
    for turn, place in enumerate(places(dice, len(pairs))):
        shape, colour = pairs[place]
        kind, answer, given = ("shape", shape, "colour") if turn % 2 else ("colour", colour, "shape")
        scene = next(s for s in scenes if _only(s, given, shape, colour))
        lures = [pair[1 - turn % 2] for pair in pairs if pair[turn % 2] == pairs[place][turn % 2] and pair != pairs[place]]
        yield _item(scene.image, f"attribute_recognition/{kind}", answer, lures, shape=shape, colour=colour)


def _only(scene: Scene, field: str, shape: str, colour: str) -> bool:
    """Whether a thing is there that may be asked about, and is alone in its shape or colour, as ``field`` says."""
    found = [thing for thing in asked(scene) if (thing.shape, thing.colour) == (shape, colour)]
    return bool(found) and sum(getattr(thing, field) == getattr(found[0], field) for thing in scene.things) == 1


def _count(seed: int) -> Iterator[_Item]:
    """Ask how many things there are; one to five are equally frequent."""
    dice, scenes = Dice("mmbench/count", seed, "eval"), worlds(Scene, "scene", "mmbench/count", seed)
    while True:
        for n in dice.sample(range(1, 6), 5):
            scene = next(scene for scene in scenes if len(scene.things) == n)
            lures = dice.sample([word for word in NUMBER_WORDS[1:6] if word != NUMBER_WORDS[n]], 3)
            yield _item(scene.image, "object_localization/count", NUMBER_WORDS[n], lures)


def _place(seed: int) -> Iterator[_Item]:
    """Ask in which quarter of the picture a thing lies; it lies in none but that one."""
    for scene in worlds(Scene, "scene", "mmbench/place", seed):
        for thing in asked(scene)[:1]:
            dx, dy = thing.box.centre[0] - scene.image.width / 2, thing.box.centre[1] - scene.image.height / 2
            if min(abs(dx), abs(dy)) >= _MIDDLE_PX:
                answer = _CORNERS[2 * (dy > 0) + (dx > 0)]
                lures = [corner for corner in _CORNERS if corner != answer]
                yield _item(scene.image, "object_localization/place", answer, lures, thing=name_of(thing))


def _relation(seed: int) -> Iterator[_Item]:
    """Ask on which side of another thing a thing lies."""
    for scene, thing, other, side in related("mmbench/relation", seed):
        lures = [word for word in ("left", "right", "above", "below") if word != side]
        yield _item(scene.image, "spatial_relationship", side, lures, thing=name_of(thing), other=name_of(other))


def _value(seed: int) -> Iterator[_Item]:
    """Ask for the value of a bar among the values of all bars; every other question has a hint."""
    dice = Dice("mmbench/value", seed, "eval")
    for turn, chart in enumerate(worlds(Chart, "chart", "mmbench/value", seed)):
        bar = dice.pick(chart.bars)
        lures = [str(other.value) for other in chart.bars if other != bar]
        others = [str(v) for v in range(1, 10) if v not in {b.value for b in chart.bars}]
        lures += dice.sample(others, 3 - len(lures))
        hint = f"The chart shows the values of {len(chart.bars)} bars." if turn % 2 else ""
        yield _item(chart.image, "structuralized_imagetext_understanding", str(bar.value), lures, hint, name=bar.name)


def _items(seed: int, sizes: Sequence[int]) -> list[_Item]:
    """Draw the questions of all kinds; in a comparison of three bars option D is blank."""
    words = (_item(sign.image, "ocr", sign.word, lures) for sign, lures in signs("mmbench/ocr", seed, 4, sizes[4]))
    comparisons = (
        _item(chart.image, f"attribute_comparison/{kind}", best.name, lures)
        for chart, kind, best, lures in extremes("mmbench/comparison", seed)
    )
    return dealt((_attribute(seed), _count(seed), _place(seed), _relation(seed), words, comparisons, _value(seed)), sizes)


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, each with all its rotations, below ``folder``; a kind of question is a part."""
    items = _items(seed, size.split(_WEIGHTS))
    dice = Dice("mmbench", seed, "eval")
    decks = {choices: places(dice, choices) for choices in (2, 3, 4)}
    turned = []
    for item in items:
        category = item.kind.partition("/")[0]
        mixed = options(dice, item.answer, item.lures, next(decks[1 + len(item.lures)]))
        more = {"hint": item.hint, "l2-category": _L2[category], "split": "dev"}
        turned.append(Turned(item.image, item.question, mixed, category, more))
    write_table(folder / FILE, COLUMNS, turned)
