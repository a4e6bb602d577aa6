"""IconQA in small: how many shapes, as a choice and as a blank, and which picture has as many; a folder a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from harness.world import Dice
from tasks.mini.draws import encoded, options, places
from tasks.mini.findings import dealt
from tasks.mini.shorts import MOST, Short, counts
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_CHOICES: Final = 3
_NUMBERS: Final = tuple(str(number) for number in range(1, MOST + 1))


@dataclass(frozen=True)
class _Item:
    """A problem: ``shown`` are the pictures to choose from, if it is one of them."""

    task: str
    image: Image.Image
    answer: int | str
    choices: Sequence[str] = ()
    shown: Sequence[Image.Image] = ()


def _texts(seed: int) -> Iterator[_Item]:
    """Ask for the number of shapes among three numbers; each place is right as often."""
    dice = Dice("iconqa/txt", seed, "eval")
    for one, place in zip(counts("iconqa/txt", seed), places(dice, _CHOICES), strict=False):
        lures = dice.sample([number for number in _NUMBERS if number != one.answer], _CHOICES - 1)
        yield _Item("choose_txt", one.image, place, options(dice, one.answer, lures, place).texts)


def _pictures(seed: int) -> Iterator[_Item]:
    """Ask which of three pictures shows as many shapes as the diagram."""
    dice, scenes = Dice("iconqa/img", seed, "eval"), counts("iconqa/img", seed)
    for place in places(dice, _CHOICES):
        chosen: dict[str, Short] = {}
        while len(chosen) < _CHOICES:
            one = next(scenes)
            chosen.setdefault(one.answer, one)
        mixed = dice.sample(list(chosen.values()), _CHOICES)
        same = next(one for one in scenes if one.answer == mixed[place].answer)
        names = [f"choice_{number}.png" for number in range(_CHOICES)]
        yield _Item("choose_img", same.image, place, names, [one.image for one in mixed])


def _blanks(seed: int) -> Iterator[_Item]:
    return (_Item("fill_in_blank", one.image, one.answer) for one in counts("iconqa/blank", seed))


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the problems below ``folder``; the three sub-tasks are the parts."""
    problems, skills = {}, {}
    for number, item in enumerate(dealt((_texts(seed), _pictures(seed), _blanks(seed)), size.split((2, 1, 1))), start=1):
        place = folder / "iconqa" / "test" / item.task / str(number)
        place.mkdir(parents=True)
        for name, image in zip(("image.png", *item.choices), (item.image, *item.shown), strict=False):
            (place / name).write_bytes(encoded(image))
        question = wording("iconqa/same" if item.task == "choose_img" else "iconqa/count")
        problem = {"question": question, "choices": list(item.choices), "answer": item.answer, "ques_type": item.task}
        problem |= {"grade": "prek", "label": "S2"}
        (place / "data.json").write_text(json.dumps(problem), encoding="utf-8")
        problems[str(number)] = {**problem, "split": "test"}
        skills[str(number)] = ["counting", *(["comparing"] if item.shown else [])]
    for file, content in (("problems", problems), ("pid2skills", skills), ("pid_splits", {"test": list(problems)})):
        (folder / f"{file}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
