"""POPE in small: three files of JSON lines over the same pictures, six questions a picture, yes and no in turn.

As in the original, the things that are there are the same in all three files; what is not there is drawn at random, from the
most frequent things, or from those that resemble what is there (the original: that often stand beside it). Within each file a
thing is asked about as often where it is as where it is not, as far as the sampling allows: popularity alone answers nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.world import Dice, Scene, combinations
from tasks.mini.draws import asked, encoded, with_article, worlds
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Combination = tuple[str, str]

SAMPLINGS: Final = ("random", "popular", "adversarial")
QUESTIONS_PER_PICTURE: Final = 6
PICTURES: Final = "val2014"


def _scenes(seed: int, n: int) -> list[Scene]:
    """Draw pictures with at least three things that may be asked about."""
    stream = worlds(Scene, "scene", "pope", seed)
    return [next(scene for scene in stream if len(asked(scene)) >= QUESTIONS_PER_PICTURE // 2) for _ in range(n)]


def _absent(dice: Dice, scene: Scene, n: int, rank: Callable[[Combination], float]) -> list[Combination]:
    """Choose ``n`` evaluation pairs that are not in the picture, highest rank first and ties by lot."""
    there = {(thing.shape, thing.colour) for thing in scene.things}
    absent = [pair for pair in combinations("eval") if pair not in there]
    return sorted(dice.sample(absent, len(absent)), key=rank, reverse=True)[:n]


def _likeness(pair: Combination, scene: Scene) -> int:
    """Count the things in the picture that share the shape or the colour."""
    return sum(thing.shape == pair[0] or thing.colour == pair[1] for thing in scene.things)


def _questions(sampling: str, scenes: list[Scene], shown: list[list[Combination]], seed: int) -> list[tuple[Combination, bool]]:
    """List what is asked about each picture in turn, and whether it is there."""
    dice = Dice(f"pope/{sampling}", seed, "eval")
    frequency = Counter(pair for pairs in shown for pair in pairs)
    balance: Counter[Combination] = Counter(frequency)
    found: list[tuple[Combination, bool]] = []
    for scene, pairs in zip(scenes, shown, strict=True):

        def rank(pair: Combination, scene: Scene = scene) -> float:
            if sampling == "random":
                return 0.0
            likeness = _likeness(pair, scene) if sampling == "adversarial" else 0
            return 100.0 * (likeness > 0) + balance[pair]

        for there, absent in zip(pairs, _absent(dice, scene, len(pairs), rank), strict=True):
            balance[absent] -= 1
            found += [(there, True), (absent, False)]
    return found


def _pictures(size: Size) -> int:
    """Return how many pictures about so many questions take; all three files ask about the same ones."""
    if size.each is not None:
        return -(-size.each // QUESTIONS_PER_PICTURE)
    return max(1, round(size.n / (QUESTIONS_PER_PICTURE * len(SAMPLINGS))))


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions, six a picture in each file, below ``folder``; a file is a part."""
    scenes = _scenes(seed, _pictures(size))
    dice = Dice("pope", seed, "eval")
    shown = [[(thing.shape, thing.colour) for thing in dice.sample(asked(scene), QUESTIONS_PER_PICTURE // 2)] for scene in scenes]
    names = [f"COCO_val2014_{number:012d}.jpg" for number in range(1, len(scenes) + 1)]
    (folder / PICTURES).mkdir()
    for name, scene in zip(names, scenes, strict=True):
        (folder / PICTURES / name).write_bytes(encoded(scene.image, "JPEG"))
    for sampling in SAMPLINGS:
        lines = []
        for i, ((shape, colour), there) in enumerate(_questions(sampling, scenes, shown, seed)):
            text = wording("pope", a_thing=with_article(f"{colour} {shape}"))
            record = {
                "question_id": i + 1,
                "image": names[i // QUESTIONS_PER_PICTURE],
                "text": text,
                "label": "yes" if there else "no",
            }
            lines.append(json.dumps(record) + "\n")
        (folder / f"coco_pope_{sampling}.json").write_text("".join(lines), encoding="utf-8")
