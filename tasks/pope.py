"""POPE: does the model see objects that are not there? Balanced yes/no questions about COCO val2014 pictures.

Paper: Li et al., Evaluating Object Hallucination in Large Vision-Language Models, EMNLP 2023, arXiv 2305.10355.
Data: AoiDragon/POPE output/coco/coco_pope_{random,popular,adversarial}.json: 3 x 3,000 questions on 500 pictures. An older random
file has 2,910 questions (commit e3e3926); LLaVA-1.5's published numbers use it. Replies belong to the file they were made for.
Licence: MIT (code); COCO terms (pictures).
Official scorer: RUCAIBox/POPE evaluate.py; headline as in haotian-liu/LLaVA eval_pope.py at c121f04: the mean of the three F1.
Differences: replies are joined by id, where evaluate.py pairs lines; a missing reply is wrong; a ratio over nothing is undefined.
"""

from __future__ import annotations

from pathlib import Path

from harness.conventions import yes_no
from harness.data.sources import images, layout, read_jsonl
from harness.data.steps import columns, explode, from_file_name, media
from harness.fetch.sources import Offer, on_github, on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.metrics.choice import F1, yes_no_metrics, yes_no_score
from harness.parsers.yes_no import negation_or_yes
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Record, Sample

LINES = (from_file_name("category", "random|popular|adversarial", "all"), columns(image_path="image"), media(below="val2014"))
TABLE = (
    columns(text="question", label="answer", question_id="question_id|row-{index}", image_path="image_source"),
    explode("category"),
)
PARTS = ("random", "popular", "adversarial")
LAYOUTS = (
    layout(
        "official",
        "coco_pope_random.json",
        "coco_pope_popular.json",
        "coco_pope_adversarial.json",
        steps=LINES,
        reader=read_jsonl,
    ),
    layout("llava_jsonl", "llava_pope_test.jsonl", steps=LINES),
    layout("vlmevalkit_tsv", "POPE.tsv", steps=TABLE),
    layout("hf_parquet", "**/test-*.parquet", steps=TABLE),
)


def to_sample(record: Record) -> Sample:
    """Map a record in the official field names."""
    pictures = images(record)
    name = record.get("image_path") or (pictures[0].source.label if pictures else "")
    return Sample(
        id=f"{record['category']}/{record['question_id']}",
        parts=pictures,
        question=record["text"],
        references=(record["label"].strip().lower(),),
        cluster=Path(name).stem,
        groups={"category": record["category"]},
        fields={"question_id": str(record["question_id"]), "index": str(record.get("index", ""))},
    )


OFFICIAL = Convention(
    parse=negation_or_yes,
    score=yes_no_score(),
    metrics=(
        Metric(name="mean_f1", estimator=mean_over("category", F1)),
        Metric(name="mean_accuracy", estimator=mean_over("category", mean("correct"))),
        *yes_no_metrics(by="category"),
        *yes_no_metrics(),
    ),
    primary="mean_f1",
)

TASKS = (
    Task(
        name="pope",
        card=Card.of(__doc__, split="COCO val2014: random, popular, adversarial", n=9000),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/POPE", "**/test-*.parquet"),
            vlmevalkit("POPE", "c12f5acb142f2ef1f85a26ba2fbe41d5"),
            Offer(
                layout="official",
                parts=on_github("AoiDragon/POPE", "main", *(f"output/coco/coco_pope_{part}.json" for part in PARTS)),
                note="without pictures, which are COCO val2014 in val2014/; the branch as it is now",
            ),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={"official": OFFICIAL, **yes_no(by="category")},
        ideal=lambda sample: sample.references[0].capitalize(),
        choices=lambda sample: ("Yes", "No"),
        aligned_by="category",
        generation=Generation(max_new_tokens=16),
    ),
)
