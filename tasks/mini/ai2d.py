"""AI2D in small: what lies on a side of a thing? Four options, a file of questions a diagram."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from harness.world import Dice, combinations
from tasks.mini.draws import encoded, name_of, options, places
from tasks.mini.findings import related
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; there is one part. The names of options are those of other things of evaluation."""
    for name in ("questions", "images"):
        (folder / name).mkdir()
    dice, names = Dice("ai2d", seed, "eval"), [f"{colour} {shape}" for shape, colour in combinations("eval")]
    (n,) = size.split((1,))
    turns = places(dice, 4)
    for number, (scene, thing, other, side) in enumerate(islice(related("ai2d", seed), n)):
        there = {name_of(one) for one in scene.things}
        lures = dice.sample([name for name in names if name not in there], 3)
        mixed = options(dice, name_of(thing), lures, next(turns))
        (folder / "images" / f"{number}.png").write_bytes(encoded(scene.image))
        question = {
            "abcLabel": False,
            "answerTexts": list(mixed.texts),
            "correctAnswer": mixed.right,
            "questionId": f"{number}.png-0",
        }
        whole = {"imageName": f"{number}.png", "questions": {wording(f"ai2d/{side}", other=name_of(other)): question}}
        (folder / "questions" / f"{number}.png.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")
    (folder / "ai2d_test_ids.csv").write_text("".join(f"{number}\n" for number in range(n)), encoding="utf-8")
