"""MathVista testmini in small: one parquet file in the layout of the Hugging Face data set, pictures inside.

Handwritten numbers to read and to add, values of bars, and which bar is the largest. The ``query`` column is built as the
authors' ``build_query.py`` builds it (lupantech/MathVista, shot type "solution").
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

from harness.prompts import option_lines
from harness.world import Chart, Dice, Digits, World
from tasks.mini.draws import encoded, options, places, worlds
from tasks.mini.findings import dealt, extremes
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

FILE: Final = "data/testmini-00000-of-00001.parquet"
_WEIGHTS: Final = {"number": 3, "sum": 2, "bar": 3, "choice": 2}
_HINTS: Final = {
    "text": "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.",
    "integer": "Hint: Please answer the question requiring an integer answer and provide the final value, "
    "e.g., 1, 2, 3, at the end.",
}

Item = dict[str, Any]


def _item(world: World, question: str, answer: str, task: str, choices: list[str] | None = None) -> Item:
    """Build a record without its number."""
    kind = "text" if choices else "integer"
    lines = [_HINTS[kind], f"Question: {question}"]
    if choices:
        lines += ["Choices:", option_lines(choices, "({letter}) {text}")]
    chart = isinstance(world, Chart)
    return {
        "question": question,
        "decoded_image": encoded(world.image),
        "choices": choices,
        "unit": None,
        "precision": None,
        "answer": answer,
        "question_type": "multi_choice" if choices else "free_form",
        "answer_type": kind,
        "metadata": {
            "category": "general-vqa" if chart else "math-targeted-vqa",
            "context": "bar chart" if chart else "synthetic scene",
            "grade": "not applicable" if chart else "elementary school",
            "img_height": world.image.height,
            "img_width": world.image.width,
            "language": "english",
            "skills": ["statistical reasoning"] if chart else ["arithmetic reasoning"],
            "source": "MiniCharts" if chart else "MiniDigits",
            "split": "testmini",
            "task": task,
        },
        "query": "\n".join(lines),
    }


def _digits(kind: str, seed: int) -> Iterator[Item]:
    """Ask for a number, or for the sum of two."""
    task = "math word problem" if kind == "sum" else "visual question answering"
    for world in worlds(Digits, "digits", f"mathvista/{kind}", seed):
        if bool(world.operator) == (kind == "sum"):
            yield _item(world, wording(f"mathvista/{kind}"), str(world.result), task)


def _bars(seed: int) -> Iterator[Item]:
    """Ask for the value of a bar, named by its colour or its label."""
    dice = Dice("mathvista/bar", seed, "eval")
    for chart, kind in zip(worlds(Chart, "chart", "mathvista/bar", seed), _alternate("colour", "name"), strict=False):
        bar = dice.pick(chart.bars)
        question = wording(f"mathvista/bar/{kind}", colour=bar.colour, name=bar.name)
        yield _item(chart, question, str(bar.value), "figure question answering")


def _choices(seed: int) -> Iterator[Item]:
    """Ask which bar is the largest or the smallest."""
    dice = Dice("mathvista/choice", seed, "eval")
    decks = {size: places(dice, size) for size in (3, 4)}
    for chart, kind, best, lures in extremes("mathvista/choice", seed):
        mixed = options(dice, best.name, lures, next(decks[len(chart.bars)]))
        question = wording(f"mathvista/choice/{kind}")
        yield _item(chart, question, best.name, "figure question answering", list(mixed.texts))


def _alternate(*values: str) -> Iterator[str]:
    return (values[i % len(values)] for i in count())


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; numbers, sums, bars and choices are the parts."""
    import pyarrow
    from pyarrow import parquet

    streams = (_digits("number", seed), _digits("sum", seed), _bars(seed), _choices(seed))
    items = dealt(streams, size.split(tuple(_WEIGHTS.values())))
    text, number = pyarrow.string(), pyarrow.int64()
    words = pyarrow.list_(text)
    metadata = [(name, text) for name in ("category", "context", "grade")]
    metadata += [("img_height", number), ("img_width", number), ("language", text), ("skills", words)]
    metadata += [(name, text) for name in ("source", "split", "task")]
    schema = pyarrow.schema(
        [
            *(("pid", text), ("question", text), ("image", text)),
            ("decoded_image", pyarrow.struct([("bytes", pyarrow.binary()), ("path", text)])),
            *(("choices", words), ("unit", text), ("precision", pyarrow.float64()), ("answer", text)),
            *(("question_type", text), ("answer_type", text), ("metadata", pyarrow.struct(metadata)), ("query", text)),
        ]
    )
    rows = []
    for pid, item in enumerate(items, start=1):
        picture = {"bytes": item["decoded_image"], "path": f"{pid}.png"}
        rows.append(item | {"pid": str(pid), "image": f"images/{pid}.png", "decoded_image": picture})
    (folder / FILE).parent.mkdir()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), folder / FILE)
