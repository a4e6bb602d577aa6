"""The files of the VQA challenge in small, which OK-VQA and VQAv2 share: annotations, questions, COCO pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tasks.mini.draws import encoded
from tasks.mini.shorts import Short, people

PICTURES: Final = "val2014"
_INFO: Final = {"info": {"description": "mini world", "version": "1.0"}, "license": {"name": "mini world"}, "data_type": "mscoco"}


def answers(answer: str, other: str) -> list[dict[str, object]]:
    """Ten people's answers as objects with ids."""
    said = enumerate(people(answer, other), start=1)
    return [{"answer_id": number, "answer": text, "answer_confidence": "yes"} for number, text in said]


def write_challenge(
    folder: Path, prefix: str, benchmark: str, asked: Sequence[Short], types: Callable[[Short], tuple[str, str]]
) -> None:
    """Write questions with their pictures.

    Args:
        folder: of the benchmark.
        prefix: how its files' names begin.
        benchmark: whose words are used.
        asked: what is asked.
        types: a question's types of question and answer.
    """
    (folder / PICTURES).mkdir()
    questions, annotations = [], []
    for number, one in enumerate(asked, start=1):
        (folder / PICTURES / f"COCO_{PICTURES}_{number:012d}.jpg").write_bytes(encoded(one.image, "JPEG"))
        ids = {"image_id": number, "question_id": number * 1000}
        question_type, answer_type = types(one)
        questions.append({**ids, "question": one.asked_by(benchmark)})
        annotations.append(
            {
                "question_type": question_type,
                "multiple_choice_answer": one.answer,
                "answers": answers(one.answer, "none of these"),
                "answer_type": answer_type,
                **ids,
            }
        )
    files = {"mscoco_val2014_annotations": annotations, "OpenEnded_mscoco_val2014_questions": questions}
    for name, records in files.items():
        whole = {**_INFO, "data_subtype": PICTURES, name.rpartition("_")[2]: records}
        (folder / f"{prefix}{name}.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")
