"""TextVQA in small: the word on a sign, the value beside a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import entries, people, taken, words
from tasks.mini.sizes import Size

_FIRST_ID: Final = 34602
_WHOLE: Final = {"dataset_type": "val", "dataset_name": "textvqa", "dataset_version": "0.5.1"}


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; signs and pages are the parts."""
    (folder / "train_images").mkdir()
    records = []
    for number, one in enumerate(taken((words, entries), "textvqa", seed, size)):
        question, image = one.asked_by("textvqa"), f"mini{number:012x}"
        (folder / "train_images" / f"{image}.jpg").write_bytes(encoded(one.image, "JPEG"))
        records.append(
            {
                "question": question,
                "question_tokens": question.lower().rstrip("?").split(),
                "question_id": _FIRST_ID + number,
                "image_id": image,
                "image_classes": ["Sign" if one.kind == "word" else "Paper"],
                "image_width": one.image.width,
                "image_height": one.image.height,
                "set_name": "val",
                "answers": people(one.answer.lower(), "answering does not require reading text in the image"),
            }
        )
    (folder / "TextVQA_0.5.1_val.json").write_text(json.dumps({**_WHOLE, "data": records}, indent=1), encoding="utf-8")
