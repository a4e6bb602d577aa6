"""AesBench: aesthetics of pictures: perception (AesP), empathy (AesE), assessment (AesA) by options, and interpretation (AesI).

Paper: Huang et al., AesBench: An Expert Benchmark for Multimodal Large Language Models on Image Aesthetics Perception, arXiv
2401.08276.
Data: yipoh/AesBench AesBench_evaluation.json with images/ (on request): 2,800 pictures with three questions each. The right
answers (a field Answer) are the authors' alone.
Licence: CC BY-NC 4.0.
Official scorer: none is public (replies go to the authors); the option is read as open-compass/VLMEvalKit
vlmeval/utils/matching_util.py can_infer at e8e78f0 reads it, without a judge.
Differences: a reply that VLMEvalKit would hand to a judge is wrong, and marked; a missing answer is wrong. accuracy is the mean
of the three parts. The fourth, interpretation (AesI), is a task of its own, since a judge alone grades it, from 0 to 2; the
wording is riddle's (aesbench-riddle-1), as the authors' is not public, so its numbers are not comparable with theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.conventions import multiple_choice
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.prompts import fill, letters
from harness.task import Card, Task
from harness.types import Generation, Record, Sample
from tasks.judges import aesbench as interpretation

PARTS = {"AesP": "AesP_data", "AesE": "AesE_data", "AesA": "AesA1_data"}
ONLY = "Please output a correct option{explained}."
PROMPT = "{question} Choose one from the following options:\n{options}\n{instruction}"


def each_part(row: Row, root: object) -> Iterator[Row]:
    """Make a record of each part of a picture."""
    for part, field in PARTS.items():
        yield row.but(part=part, **row[field])


def to_sample(record: Record) -> Sample:
    """Map a question of one part; the three about a picture are its cluster."""
    options = re.findall(r"^\s*[A-Z]\)\s*(.*?)\s*$", record["Options"], re.MULTILINE)
    explained = "" if record["part"] == "AesA" else ", without explanation"
    return Sample(
        id=f"{record['key']}/{record['part']}",
        parts=images(record),
        question=record["Question"],
        options=tuple(options),
        references=(record["Answer"],),
        cluster=record["key"],
        groups={"part": record["part"]},
        fields={"instruction": ONLY.format(explained=explained)},
    )


def to_interpretation(record: Record) -> Sample:
    """Map the open question about a picture; what people have said of it (Answer) is the authors' alone, too."""
    asked = record["AesI_data"]
    return Sample(
        id=f"{record['key']}/AesI",
        parts=images(record),
        question=asked["Question"],
        references=(str(asked.get("Answer") or ""),),
        cluster=record["key"],
    )


METRICS = (
    Metric(name="accuracy", estimator=mean_over("part", mean("correct"))),
    Metric(name="part", estimator=mean("correct"), by="part"),
)
PICTURED = (columns(path="{key}"), media(path="path", below="images"))
CONVENTIONS = multiple_choice(METRICS, "accuracy")

TASKS = (
    Task(
        name="aesbench",
        card=Card.of(__doc__, split="evaluation, without AesI", n=8400),
        layouts=(layout("official", "AesBench_evaluation.json", steps=(*PICTURED, each_part)),),
        to_sample=to_sample,
        prompt=fill(PROMPT, option="{letter}) {text}"),
        conventions={name: CONVENTIONS[name] for name in ("official", "strict")},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=32),
    ),
    Task(
        name="aesbench_aesi",
        card=Card.of(__doc__, split="evaluation, AesI", n=2800, title="AesBench AesI"),
        layouts=(layout("official", "AesBench_evaluation.json", steps=PICTURED),),
        to_sample=to_interpretation,
        prompt=fill("{question}"),
        conventions={"official": interpretation.GRADED},
        ideal=lambda sample: sample.references[0],
        unit="points",
        generation=Generation(max_new_tokens=512),
    ),
)  # fmt: skip
