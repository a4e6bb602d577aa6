"""MathVerse in small: problems about bars in six versions, from one whose text says all to one whose picture does.

A file of the five versions with a picture and one of Text Only, as the authors' are. Text Dominant and Text Only can be solved
without looking: that is what the benchmark measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image

from harness.prompts import option_lines
from harness.world import Chart, Dice
from tasks.mini.draws import encoded, options, places, worlds
from tasks.mini.findings import dealt, extremes
from tasks.mini.shown import printed
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

VERSIONS: Final = ("Text Dominant", "Text Lite", "Vision Intensive", "Vision Dominant", "Vision Only", "Text Only")
_DIRECT: Final = {
    True: "please directly answer the question and provide the correct option letter, e.g., A, B, C, D.",
    False: "please directly answer the question and provide the final value, e.g., 1, 2.5, 300.",
}
_STEPWISE: Final = "please first conduct reasoning, and then answer the question at the end."


@dataclass(frozen=True)
class Problem:
    """A chart with a question; ``named`` is what Vision Dominant shows instead of saying it."""

    chart: Chart
    question: str
    shown: str
    named: str
    answer: str
    choices: tuple[str, ...] = ()


def _values(seed: int) -> Iterator[Problem]:
    dice = Dice("mathverse/value", seed, "eval")
    for chart in worlds(Chart, "chart", "mathverse/value", seed):
        bar = dice.pick(chart.bars)
        question = wording("mathverse/value", name=bar.name)
        yield Problem(chart, question, wording("mathverse/value/shown"), f"bar {bar.name}", str(bar.value))


def _choices(seed: int) -> Iterator[Problem]:
    dice = Dice("mathverse/choice", seed, "eval")
    turns = {size: places(dice, size) for size in (3, 4)}
    for chart, kind, best, lures in extremes("mathverse/choice", seed):
        mixed = options(dice, best.name, lures, next(turns[len(chart.bars)]))
        question, shown = wording(f"mathverse/choice/{kind}"), wording("mathverse/choice/shown")
        yield Problem(chart, question, shown, f"the {kind}", mixed.letter, mixed.texts)


def _version(problem: Problem, version: str) -> tuple[str, Image.Image | None]:
    """The text and picture of a version."""
    bars = problem.chart.bars
    image = problem.chart.image
    listed = "\nChoices:\n" + option_lines(problem.choices, "{letter}:{text}") if problem.choices else ""
    if version in ("Text Dominant", "Text Only"):
        facts = ", ".join(f"{bar.name} of {bar.value}" for bar in bars)
        text = wording("mathverse/facts", facts=facts) + " " + problem.question
        return text + listed, image if version == "Text Dominant" else None
    if version == "Text Lite":
        return wording("mathverse/facts", facts=", ".join(bar.name for bar in bars)) + " " + problem.question + listed, image
    if version == "Vision Dominant":
        return problem.shown + listed, printed(image, problem.named)
    if version == "Vision Only":
        return "", printed(image, problem.question, *listed.split("\n")[2:])
    return problem.question + listed, image


def _row(problem: Problem, number: int, version: str) -> tuple[dict[str, Any], Image.Image | None]:
    text, image = _version(problem, version)
    closed = bool(problem.choices)
    start, asked = ("According to the question shown in the image, ", "") if not text else ("", f"\nQuestion: {text}")
    direct, stepwise = ((start + words)[0].upper() + (start + words)[1:] + asked for words in (_DIRECT[closed], _STEPWISE))
    listed = "\nChoices:\n" + option_lines(problem.choices, "{letter}:{text}") if closed else ""
    about = {"split": "testmini", "source": "mini", "subject": "Functions", "subfield": "Property" if closed else "Coordinate"}
    return {
        "problem_index": str(number),
        "problem_version": version,
        "question": text,
        "image": "",
        "answer": problem.answer,
        "question_type": "multi-choice" if closed else "free-form",
        "metadata": str(about),
        "query_wo": direct,
        "query_cot": stepwise,
        "question_for_eval": problem.question + listed,
    }, image


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the rows below ``folder``, six a problem and at least one problem; values and choices are the parts."""
    values, choices = size.split((1, 1), per=len(VERSIONS))
    problems = dealt((_values(seed), _choices(seed)), (max(values, 1), choices))
    files: dict[str, list[dict[str, Any]]] = {"testmini": [], "testmini_text_only": []}
    for number, problem in enumerate(problems, start=1):
        for version in VERSIONS:
            row, image = _row(problem, number, version)
            rows = files["testmini" if image else "testmini_text_only"]
            if image:
                row["image"] = f"images_version_{VERSIONS.index(version) + 1}/image_{number}.png"
                path = folder / "images" / row["image"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(image))
            rows.append({"sample_index": str(len(rows) + 1), **row})
    for name, rows in files.items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
