"""ScienceQA in small: which bar is highest or lowest, how many objects; half of the charts come with a hint."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from harness.world import Dice
from tasks.mini.draws import NUMBER_WORDS, encoded, options, places
from tasks.mini.findings import dealt, extremes
from tasks.mini.shorts import MOST, counts
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_ABOUT: Final = {
    "count": ("grade2", "natural science", "physics"),
    "highest": ("grade7", "social science", "economics"),
    "lowest": ("grade8", "social science", "economics"),
}


@dataclass(frozen=True)
class _Item:
    image: Image.Image
    kind: str
    answer: str
    lures: Sequence[str]
    hint: str = ""


def _counts(seed: int) -> Iterator[_Item]:
    dice = Dice("scienceqa/lures", seed, "eval")
    for one in counts("scienceqa", seed):
        right = NUMBER_WORDS[int(one.answer)]
        yield _Item(one.image, "count", right, dice.sample([word for word in NUMBER_WORDS[1 : MOST + 1] if word != right], 2))


def _extremes(seed: int) -> Iterator[_Item]:
    for turn, (chart, kind, best, lures) in enumerate(extremes("scienceqa/chart", seed)):
        hint = f"The chart compares {len(chart.bars)} amounts." if turn // 2 % 2 else ""
        yield _Item(chart.image, kind, best.name, lures, hint)


def _problem(item: _Item, choices: Sequence[str], answer: int) -> dict[str, Any]:
    grade, subject, topic = _ABOUT[item.kind]
    about = {"task": "closed choice", "grade": grade, "subject": subject, "topic": topic, "category": "mini", "skill": "mini"}
    asked = {"question": wording(f"scienceqa/{item.kind}"), "choices": list(choices), "answer": answer, "hint": item.hint}
    return {**asked, "image": "image.png", **about, "lecture": "", "solution": "", "split": "test"}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the problems below ``folder``; objects and bars are the parts."""
    dice = Dice("scienceqa", seed, "eval")
    decks = {choices: places(dice, choices) for choices in (3, 4)}
    problems = {}
    for number, item in enumerate(dealt((_counts(seed), _extremes(seed)), size.split((1, 1))), start=1):
        mixed = options(dice, item.answer, item.lures, next(decks[len(item.lures) + 1]))
        problems[str(number)] = _problem(item, mixed.texts, mixed.right)
        place = folder / "images" / "test" / str(number)
        place.mkdir(parents=True)
        (place / "image.png").write_bytes(encoded(item.image))
    (folder / "problems.json").write_text(json.dumps(problems, indent=1), encoding="utf-8")
    (folder / "pid_splits.json").write_text(json.dumps({"test": list(problems)}), encoding="utf-8")
