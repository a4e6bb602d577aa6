"""HallusionBench in small: what is there or not in a figure and its edit (VD), and what is so with or without a figure (VS)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from harness.world import Scene
from tasks.mini.draws import encoded, worlds
from tasks.mini.shorts import SIDES, presence
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

Row = tuple[dict[str, Any], Image.Image | None]


def _row(keys: tuple[str, str, str, int, str], image: Image.Image | None, question: str, true: bool) -> Row:
    category, subcategory, visual_input, of_set, figure = keys
    named = {"category": category, "subcategory": subcategory, "visual_input": visual_input, "set_id": str(of_set)}
    file = None if image is None else f"./hallusion_bench/{category}/{subcategory}/{of_set}_{figure}.png"
    answered = {"gt_answer_details": "Yes." if true else "No.", "gt_answer": str(int(true)), "filename": file}
    return {**named, "figure_id": figure, "sample_note": "mini", "question_id": "0", "question": question, **answered}, image


def _edited(seed: int) -> Iterator[Row]:
    """Two rows a set: the figure has the thing, its edit has not."""
    for number, one in enumerate(presence("hallusionbench", seed)):
        figure = number % 2
        keys = ("VD", "video", str(figure + 1), number // 2, str(figure))
        yield _row(keys, one.image, wording("hallusionbench/there", **one.fields), one.answer == "yes")


def _known(seed: int) -> Iterator[Row]:
    """Two rows a set: without a figure and with one; every other statement is false."""
    scenes = worlds(Scene, "scene", "hallusionbench/known", seed)
    alone = (scene for scene in scenes if len(scene.things) == 1 and scene.things[0].shape in SIDES)
    for number, scene in enumerate(alone):
        shape, true = scene.things[0].shape, number % 2 == 0
        said = int(SIDES[shape]) + (not true)
        question = wording("hallusionbench/sides", number=str(said), shape=shape)
        yield _row(("VS", "figure", "0", number, "0"), None, question, true)
        yield _row(("VS", "figure", "1", number, "1"), scene.image, question, true)


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the rows below ``folder``; both categories are the parts."""
    records = []
    for stream, wanted in zip((_edited(seed), _known(seed)), size.split((1, 1)), strict=True):
        for row, image in (next(stream) for _ in range(wanted)):
            records.append(row)
            if image is not None:
                path = folder / row["filename"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded(image))
    (folder / "HallusionBench.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
