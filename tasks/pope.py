"""POPE: does the model see objects that are not there? Balanced yes/no questions about COCO val2014 pictures.

Paper: Li et al., Evaluating Object Hallucination in Large Vision-Language Models, EMNLP 2023, arXiv 2305.10355.
Data: AoiDragon/POPE output/coco/coco_pope_{random,popular,adversarial}.json: 3 x 3,000 questions on 500 pictures. An older random
file has 2,910 questions (commit e3e3926); LLaVA-1.5's published numbers use it. Replies belong to the file they were made for.
Licence: code MIT; COCO pictures under their own terms.
Official scorer: RUCAIBox/POPE evaluate.py; headline as in haotian-liu/LLaVA eval_pope.py at c121f04: the mean of the three F1.
Differences: replies are joined by id, where evaluate.py pairs lines; a missing reply is wrong; a ratio over nothing is undefined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.data.sources import Row, image_handles, layout, media_below, read_jsonl
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.metrics.choice import F1, yes_no_metrics, yes_no_score
from harness.parsers.yes_no import negation_or_yes, only_one_of_both, whole_reply
from harness.prompts import SHORT_ANSWER
from harness.task import Card, Convention, Task
from harness.types import Generation, Image, Record, Sample

PROMPT = "{question}\n" + SHORT_ANSWER


def from_lines(row: Row, root: Path) -> Record:
    """The category stands in the file's name; the pictures lie in ``val2014/`` or beside the file."""
    named = re.search("random|popular|adversarial", Path(row.where).name)
    folder = "val2014/" if (root / "val2014").is_dir() else ""
    picture = media_below(root, folder + row["image"], row.where)
    return row.but(category=row.get("category") or (named[0] if named else "all"), image=picture, picture=row["image"])


def from_table(row: Row, root: Path) -> Iterator[Record]:
    """A row of VLMEvalKit or Hugging Face may stand for several categories."""
    for category in row["category"].split(","):
        number = row.get("question_id") or f"row-{row['index']}"
        yield row.but(category=category.strip(), question_id=number, text=row["question"], label=row["answer"])


def to_sample(record: Record) -> Sample:
    """Map a record in the official field names."""
    pictures = image_handles(record.get("image"))
    name = record.get("picture") or record.get("image_source") or (pictures[0].label if pictures else "")
    return Sample(
        id=f"{record['category']}/{record['question_id']}",
        parts=tuple(map(Image, pictures)),
        question=record["text"],
        references=(record["label"].strip().lower(),),
        cluster=Path(name).stem,
        groups={"category": record["category"]},
        fields={"question_id": str(record["question_id"]), "index": str(record.get("index", ""))},
    )


TASKS = (
    Task(
        name="pope",
        card=Card(
            title="POPE",
            asks="Is there a ... in the image? Yes or no, about objects that are there and objects that are not.",
            split="COCO val2014: random, popular, adversarial",
            n=9000,
            paper="arXiv 2305.10355",
            data="AoiDragon/POPE output/coco",
            scorer="RUCAIBox/POPE evaluate.py; mean F1 as in haotian-liu/LLaVA llava/eval/eval_pope.py at c121f04",
            licence="MIT (code); COCO terms (pictures)",
            differences="Replies are joined by id, not by line; a missing reply is wrong.",
        ),
        layouts=(
            layout(
                "official",
                "coco_pope_random.json",
                "coco_pope_popular.json",
                "coco_pope_adversarial.json",
                adapt=from_lines,
                reader=read_jsonl,
            ),
            layout("llava_jsonl", "llava_pope_test.jsonl", adapt=from_lines),
            layout("vlmevalkit_tsv", "POPE.tsv", adapt=from_table),
            layout("hf_parquet", "**/test-*.parquet", adapt=from_table),
        ),
        to_sample=to_sample,
        prompt=lambda sample: PROMPT.format(question=sample.question),
        prompts={"plain": lambda sample: sample.question},
        conventions={
            "official": Convention(
                parse=negation_or_yes,
                score=yes_no_score(),
                metrics=(
                    Metric(name="mean_f1", estimator=mean_over("category", F1)),
                    Metric(name="mean_accuracy", estimator=mean_over("category", mean("correct"))),
                    *yes_no_metrics(by="category"),
                    *yes_no_metrics(),
                ),
                primary="mean_f1",
            ),
            "vlmevalkit": Convention(
                parse=only_one_of_both,
                score=yes_no_score(unknown="negative"),
                metrics=(*yes_no_metrics(), *yes_no_metrics(by="category")),
                primary="f1",
                note="F1 of all questions pooled; a reply with both words or neither is wrong, and a no in F1.",
            ),
            "lmms_eval": Convention(
                parse=whole_reply,
                score=yes_no_score(unknown="ignored"),
                metrics=yes_no_metrics(yes_ratio="truth"),
                primary="f1",
                note="Only a bare yes or no counts; other replies are left out of F1; its yes_ratio is that of the labels.",
            ),
        },
        ideal=lambda sample: sample.references[0].capitalize(),
        choices=lambda sample: ("Yes", "No"),
        aligned_by="category",
        generation=Generation(max_new_tokens=16),
    ),
)
