"""InfographicVQA in small: values of pages and of charts, with the organisers' types of answers and evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image

from harness.world import Chart, Dice, Page
from tasks.mini.draws import encoded, worlds
from tasks.mini.findings import dealt
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

_FIRST_ID: Final = 70000
_WHOLE: Final = {"dataset_name": "infographicVQA", "dataset_version": "1.0", "dataset_split": "val"}

Item = tuple[Image.Image, str, str, str]


def _entries(seed: int) -> Iterator[Item]:
    dice = Dice("infovqa/entry", seed, "eval")
    for page in worlds(Page, "page", "infovqa", seed):
        field = dice.pick(page.fields)
        yield page.image, wording("infovqa/entry", name=field.name.lower()), field.value, "textual"


def _bars(seed: int) -> Iterator[Item]:
    dice = Dice("infovqa/bar", seed, "eval")
    for chart in worlds(Chart, "chart", "infovqa", seed):
        bar = dice.pick(chart.bars)
        yield chart.image, wording("infovqa/bar", name=bar.name), str(bar.value), "figure"


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; pages and charts are the parts."""
    (folder / "infographicsvqa_images").mkdir()
    records = []
    for number, (image, question, answer, evidence) in enumerate(dealt((_entries(seed), _bars(seed)), size.split((1, 1)))):
        name = f"{number}.jpeg"
        (folder / "infographicsvqa_images" / name).write_bytes(encoded(image, "JPEG"))
        records.append(
            {
                "questionId": _FIRST_ID + number,
                "question": question,
                "image_local_name": name,
                "image_url": f"https://example.org/{name}",
                "ocr_output_file": f"{number}.json",
                "answers": [answer],
                "answer_type": ["image span"],
                "evidence": [evidence],
                "operation/reasoning": [],
                "data_split": "val",
            }
        )
    file = folder / "infographicsVQA_val_v1.0_withQT.json"
    file.write_text(json.dumps({**_WHOLE, "data": records}, indent=1), encoding="utf-8")
