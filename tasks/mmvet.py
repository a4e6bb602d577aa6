"""MM-Vet: open questions that take several capabilities at once; a judge grades each answer from 0 to 1.

Paper: Yu et al., MM-Vet: Evaluating Large Multimodal Models for Integrated Capabilities, ICML 2024, arXiv 2308.02490.
Data: yuweihao/MM-Vet mm-vet.zip: mm-vet.json and images/; 218 questions, six capabilities in 16 combinations.
Licence: CC BY-NC 4.0 (data), Apache-2.0 (code).
Official scorer: yuweihao/MM-Vet mm-vet_evaluator.py at 7d717c2, judge gpt-4-0613; the paper takes the mean of five runs.
Differences: one run. A grade of nan, which turns the script's totals into nan, is asked for again like any that cannot be read;
after five it counts as 0, as there, and as unjudged.
"""

from __future__ import annotations

from harness.data.sources import images, layout
from harness.data.steps import columns, media
from harness.fetch.sources import on_hub, vlmevalkit
from harness.prompts import fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample
from tasks.judges import mmvet

LAYOUTS = (
    layout("official", "mm-vet.json", steps=(columns(question_id="key", image_path="imagename"), media(below="images"))),
    layout("vlmevalkit_tsv", "MMVet.tsv", steps=(columns(question_id="index", capability="category"),)),
    layout("hf_parquet", "**/test-*.parquet"),
)


def to_sample(record: Record) -> Sample:
    """Map a record; its capabilities are a list, or a text in which commas part them."""
    named = record["capability"]
    skills = sorted({one.strip() for one in (named.split(",") if isinstance(named, str) else named)})
    return Sample(
        id=str(record["question_id"]),
        parts=images(record),
        question=record["question"],
        references=(record["answer"],),
        cluster=str(record.get("image_path", "")),
        groups={"capability": ", ".join(skills), "integration": "_".join(skills)},
    )


TASKS = (
    Task(
        name="mmvet",
        card=Card.of(__doc__, split="all", n=218),
        layouts=LAYOUTS,
        sources=(vlmevalkit("MMVet", "748aa6d4aa9d4de798306a63718455e3"), on_hub("lmms-lab/MMVet", "data/test-*.parquet")),
        to_sample=to_sample,
        prompt=fill("{question}"),
        conventions={"official": mmvet.GRADED},
        ideal=lambda sample: sample.references[0].partition("<OR>")[0].replace("<AND>", " and "),
        generation=Generation(max_new_tokens=512),
    ),
)
