"""Questions with the answers of several people: the files of the VQA challenge, and the records of all that follow it.

Not here: which files a benchmark has, and how answers are compared (`harness.metrics.vqa`).
"""

from __future__ import annotations

from typing import Any

from harness.data.lookup import looked_up
from harness.data.sources import images, layout
from harness.data.steps import columns, media
from harness.task import Layout
from harness.types import Record, Sample


def challenge_files(annotations: str, questions: str, pictures: str) -> Layout:
    """Describe the official layout of the VQA challenge: a file of annotations, one of questions, and COCO pictures.

    Args:
        annotations: pattern of the file whose member ``annotations`` lists answers, types and ids.
        questions: pattern of the file whose member ``questions`` has the texts.
        pictures: their folder, which is also part of their names: ``val2014/COCO_val2014_000000000042.jpg``.
    """
    path = f"{pictures}/COCO_{pictures}_{{image_id:012d}}.jpg"
    text = looked_up(questions, on={"question_id": "question_id"}, take={"question": "question"}, key="questions")
    return layout(
        "official", annotations, beside=(questions,), key="annotations", steps=(text, columns(image_path=path), media())
    )


def to_sample(record: Record) -> Sample:
    """Map a record in the challenge's field names; questions about a picture are its cluster."""
    return with_answers(record, id=str(record["question_id"]), cluster=str(record["image_id"]))


def with_answers(record: Record, *, id: str, cluster: str, **groups: str) -> Sample:
    """Map a record with a question, its picture, and people's answers, be they texts or objects that hold them."""
    types = {name: str(record[name]) for name in ("answer_type", "question_type") if record.get(name)}
    return Sample(
        id=id,
        parts=images(record),
        question=record["question"],
        references=tuple(map(_text, record.get("answers") or ())),
        cluster=cluster,
        groups=types | groups,
    )


def most_frequent(sample: Sample) -> str:
    """The answer that most people gave, of equals the first; nothing where answers are hidden."""
    return max(sample.references, key=sample.references.count, default="")


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else str(answer["answer"])
