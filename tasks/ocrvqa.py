"""OCR-VQA: who wrote this book, what is its title, which kind is it? Questions about covers, answered by exact match.

Paper: Mishra et al., OCR-VQA: Visual Question Answering by Reading Text in Images, ICDAR 2019.
Data: ocr-vqa.github.io: dataset.json (split 3 is the test part) and images/, fetched one by one from addresses of which many
are dead: say how many samples a number is over. About 100,000 questions on 20,796 covers. Hugging Face howard-hou/OCR-VQA,
split test; VLMEvalKit's OCRVQA_TEST.tsv and OCRVQA_TESTCORE.tsv (3,072 questions).
Licence: none stated; covers belong to their publishers.
Official scorer: none is published; the practice is exact match after lower-casing, as open-compass/VLMEvalKit
vlmeval/dataset/utils/vqa_eval.py, method accuracy, at e8e78f0.
Differences: a missing answer is wrong. A final period is wrong too, which costs chatty models most of their score (paper
deletes all periods).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.conventions import exact
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media, picture_facts
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

TEST = 3


def questions(row: Row, root: Path) -> Iterator[Row]:
    """Make a record of each question about a cover of the test part; its number within the cover ends the id."""
    if row.get("split", TEST) == TEST:
        for number, (question, answer) in enumerate(zip(row["questions"], row["answers"], strict=True)):
            yield row.but(number=number, question=question, answer=answer)


LAYOUTS = (
    layout("official", "dataset.json", steps=(questions, columns(book="key", path="images/{key}.jpg"), media(path="path"))),
    layout(
        "vlmevalkit_tsv",
        "OCRVQA_TEST.tsv|OCRVQA_TESTCORE.tsv",
        steps=(picture_facts, columns(book="image_key|", number="row-{index}")),
    ),
    layout("hf_parquet", "**/test-*.parquet", steps=(columns(book="image_id"), questions)),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a cover are its cluster."""
    return Sample(
        id=f"{record['book']}-{record['number']}",
        parts=images(record),
        question=record["question"],
        references=(str(record["answer"]),),
        cluster=str(record["book"]),
        groups={"genre": str(record.get("genre") or "")},
        fields={"question_id": f"{record['book']}_{record['number']}", "index": str(record.get("index", ""))},
    )


METRICS = (Metric(name="accuracy", estimator=mean("correct")), Metric(name="genre", estimator=mean("correct"), by="genre"))
READINGS = exact(METRICS)

TASKS = (
    Task(
        name="ocrvqa",
        card=Card.of(__doc__, split="test (the number depends on the copy)", n=100000),
        layouts=LAYOUTS,
        sources=(
            on_hub("howard-hou/OCR-VQA", "**/test-*.parquet"),
            vlmevalkit("OCRVQA_TESTCORE", "c5239fe77db8bdc1f2ad8e55e0d1fe97", note="3,072 of the test questions"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={"official": READINGS["vlmevalkit"], **READINGS},
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=20),
    ),
)
