"""MMBench dev EN in small: one TSV with pictures in base64, every question in all rotations of its options.

The first rows hold the questions as they are, with pictures; the rotated rows follow (index + k * 1,000,000) and point to the
picture's row by its index, the short form that VLMEvalKit's files use.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from harness.world import Chart, Dice, Scene, Sign, combinations
from tasks.mini.draws import (
    NUMBER_WORDS,
    Options,
    asked,
    encoded,
    groups,
    interleave,
    name_of,
    options,
    places,
    relation,
    word_distance,
    worlds,
)
from tasks.mini.sizes import Size
from tasks.mini.wordings import EVAL_TEMPLATES

FILE: Final = "mmbench_dev_20230712.tsv"
COLUMNS: Final = (
    "index",
    "question",
    "hint",
    "A",
    "B",
    "C",
    "D",
    "answer",
    "category",
    "image",
    "source",
    "l2-category",
    "comment",
    "split",
)
ROTATION: Final = 1_000_000
_L2: Final = {
    "attribute_recognition": "finegrained_perception (instance-level)",
    "object_localization": "finegrained_perception (instance-level)",
    "ocr": "finegrained_perception (instance-level)",
    "spatial_relationship": "finegrained_perception (cross-instance)",
    "attribute_comparison": "finegrained_perception (cross-instance)",
    "structuralized_imagetext_understanding": "logic_reasoning",
}
_CORNERS: Final = ("top left", "top right", "bottom left", "bottom right")
_MIDDLE_PX: Final = 6


@dataclass(frozen=True, kw_only=True)
class _Item:
    image: Image.Image
    category: str
    question: str
    answer: str
    lures: Sequence[str]
    hint: str = ""


def _ask(kind: str, **fields: str) -> str:
    return EVAL_TEMPLATES[f"mmbench_en/{kind}"][0].format(**fields)


def _attribute(seed: int) -> Iterator[_Item]:
    """Ask for the colour of a shape, or for the shape of a colour, where there is one such thing.

    The options are the two that evaluation knows of it: a third one would be of training, and never right.
    """
    dice = Dice("mmbench/attribute", seed, "eval")
    scenes, pairs = worlds(Scene, "scene", "mmbench/attribute", seed), combinations("eval")
    for turn, place in enumerate(places(dice, len(pairs))):
        shape, colour = pairs[place]
        if turn % 2:
            kind, answer, words = "shape", shape, [one for one, other in pairs if other == colour]
            scene = next(s for s in scenes if _only(s, "colour", shape, colour))
        else:
            kind, answer, words = "colour", colour, [other for one, other in pairs if one == shape]
            scene = next(s for s in scenes if _only(s, "shape", shape, colour))
        yield _Item(
            image=scene.image,
            category="attribute_recognition",
            question=_ask(f"attribute_recognition/{kind}", shape=shape, colour=colour),
            answer=answer,
            lures=[word for word in words if word != answer],
        )


def _only(scene: Scene, field: str, shape: str, colour: str) -> bool:
    """Whether a thing is there that may be asked about, and is alone in its shape or colour, as ``field`` says."""
    found = [thing for thing in asked(scene) if (thing.shape, thing.colour) == (shape, colour)]
    return bool(found) and sum(getattr(thing, field) == getattr(found[0], field) for thing in scene.things) == 1


def _count(seed: int) -> Iterator[_Item]:
    """Ask how many things there are; one to five are equally frequent."""
    dice = Dice("mmbench/count", seed, "eval")
    scenes = worlds(Scene, "scene", "mmbench/count", seed)
    while True:
        for n in dice.sample(range(1, 6), 5):
            scene = next(scene for scene in scenes if len(scene.things) == n)
            lures = dice.sample([word for word in NUMBER_WORDS[1:6] if word != NUMBER_WORDS[n]], 3)
            yield _Item(
                image=scene.image,
                category="object_localization",
                question=_ask("object_localization/count"),
                answer=NUMBER_WORDS[n],
                lures=lures,
            )


def _place(seed: int) -> Iterator[_Item]:
    """Ask in which quarter of the picture a thing lies; it lies in none but that one."""
    for scene in worlds(Scene, "scene", "mmbench/place", seed):
        for thing in asked(scene)[:1]:
            dx, dy = thing.box.centre[0] - scene.image.width / 2, thing.box.centre[1] - scene.image.height / 2
            if min(abs(dx), abs(dy)) < _MIDDLE_PX:
                continue
            answer = _CORNERS[2 * (dy > 0) + (dx > 0)]
            yield _Item(
                image=scene.image,
                category="object_localization",
                question=_ask("object_localization/place", thing=name_of(thing)),
                answer=answer,
                lures=[corner for corner in _CORNERS if corner != answer],
            )


def _relation(seed: int) -> Iterator[_Item]:
    """Ask on which side of another thing a thing lies."""
    dice = Dice("mmbench/relation", seed, "eval")
    for scene in worlds(Scene, "scene", "mmbench/relation", seed):
        things = dice.sample(asked(scene), 2)
        side = relation(things[0].box, things[1].box) if len(things) == 2 else None
        if side is None:
            continue
        lures = [other for other in ("left", "right", "above", "below") if other != side]
        yield _Item(
            image=scene.image,
            category="spatial_relationship",
            question=_ask("spatial_relationship", thing=name_of(things[0]), other=name_of(things[1])),
            answer=side,
            lures=lures,
        )


def _ocr(seed: int, n: int) -> Iterator[_Item]:
    """Ask for the word on a sign among the words of three similar signs, which are asked about in their turn."""
    signs = worlds(Sign, "sign", "mmbench/ocr", seed)
    for group in groups(signs, 4, -(-n // 4), lambda a, b: word_distance(a.word, b.word)):
        for sign in group:
            lures = [other.word for other in group if other is not sign]
            yield _Item(image=sign.image, category="ocr", question=_ask("ocr"), answer=sign.word, lures=lures)


def _comparison(seed: int) -> Iterator[_Item]:
    """Ask which bar is the tallest or the shortest; three bars leave option D blank."""
    for turn, chart in enumerate(worlds(Chart, "chart", "mmbench/comparison", seed)):
        kind = ("highest", "lowest")[turn % 2]
        best = (max if kind == "highest" else min)(chart.bars, key=lambda bar: bar.value)
        yield _Item(
            image=chart.image,
            category="attribute_comparison",
            question=_ask(f"attribute_comparison/{kind}"),
            answer=best.name,
            lures=[bar.name for bar in chart.bars if bar != best],
        )


def _value(seed: int) -> Iterator[_Item]:
    """Ask for the value of a bar among the values of all bars; every other question has a hint."""
    dice = Dice("mmbench/value", seed, "eval")
    for turn, chart in enumerate(worlds(Chart, "chart", "mmbench/value", seed)):
        bar = dice.pick(chart.bars)
        lures = [str(other.value) for other in chart.bars if other != bar]
        others = [str(v) for v in range(1, 10) if v not in {b.value for b in chart.bars}]
        yield _Item(
            image=chart.image,
            category="structuralized_imagetext_understanding",
            question=_ask("structuralized_imagetext_understanding", name=bar.name),
            answer=str(bar.value),
            lures=lures + dice.sample(others, 3 - len(lures)),
            hint=f"The chart shows the values of {len(chart.bars)} bars." if turn % 2 else "",
        )


def _rotated(mixed: Options, k: int) -> tuple[list[str], str]:
    """Shift the options by ``k``; return them as four columns, blank where there is none, and the letter of the answer."""
    shifted = mixed.texts[k:] + mixed.texts[:k]
    return [*shifted, *[""] * (4 - len(shifted))], "ABCD"[(mixed.right - k) % len(shifted)]


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, each with all its rotations, below ``folder``; a kind of question is a part."""
    sizes = size.split((2, 1, 1, 2, 2, 2, 1))
    streams = (
        _attribute(seed),
        _count(seed),
        _place(seed),
        _relation(seed),
        _ocr(seed, sizes[4]),
        _comparison(seed),
        _value(seed),
    )
    items = interleave([[next(stream) for _ in range(wanted)] for stream, wanted in zip(streams, sizes, strict=True)])
    dice = Dice("mmbench", seed, "eval")
    decks = {choices: places(dice, choices) for choices in (2, 3, 4)}
    asked_with = [options(dice, item.answer, item.lures, next(decks[1 + len(item.lures)])) for item in items]
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(COLUMNS)
        for k in range(4):
            for index, (item, mixed) in enumerate(zip(items, asked_with, strict=True)):
                if k < len(mixed.texts):
                    columns, letter = _rotated(mixed, k)
                    picture = str(index) if k else base64.b64encode(encoded(item.image)).decode()
                    row = (index + k * ROTATION, item.question, item.hint, *columns, letter, item.category, picture)
                    table.writerow((*row, "mini world", _L2[item.category], "", "dev"))
