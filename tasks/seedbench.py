"""SEED-Bench (image): four options about pictures, nine kinds of question (v1).

Paper: Li et al., SEED-Bench: Benchmarking Multimodal LLMs with Generative Comprehension, CVPR 2024, arXiv 2307.16125.
Data: AILab-CVC/SEED-Bench: SEED-Bench.json with SEED-Bench-image/ (CC3M); 14,233 of 19,242 questions are about pictures (types 1
to 9). Hugging Face lmms-lab/SEED-Bench; VLMEvalKit's SEEDBench_IMG.tsv.
Licence: CC BY-NC 4.0.
Official scorer: haotian-liu/LLaVA scripts/convert_seed_for_submission.py at c121f04 for replies, by which papers report. The
authors' eval.py ranks the options by loss and reads no text: convention likelihood, whose replies are lists of losses.
Differences: a missing answer is wrong, as in LLaVA's script. accuracy is over all questions, mean_of_types the mean of the nine.
eval.py cannot compute its accuracies as published. The SPHINX authors draw a letter at random where they read none (paper: wrong
and counted).
"""

from __future__ import annotations

from dataclasses import replace

from harness.conventions import option_letters
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.parsers.letter import first_character, lowest_loss, only_letter
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

TYPES = (
    *("Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location", "Instances Counting"),
    *("Spatial Relation", "Instance Interaction", "Visual Reasoning", "Text Understanding"),
)
"""The kinds of question about pictures by their numbers, from 1."""

CHOICES = ("choice_a", "choice_b", "choice_c", "choice_d")
NAMED = columns(**dict(zip(CHOICES, "ABCD", strict=True)), question_id="question_id|index", question_type_id="category")


def pictured(row: Row, root: object) -> list[Row]:
    """Questions about clips (types 10 to 12) are another task's."""
    return [] if row.get("data_type") == "video" or str(row["question_type_id"]) in ("10", "11", "12") else [row]


LAYOUTS = (
    layout("official", "SEED-Bench.json", key="questions", steps=(pictured, media(path="data_id", below="SEED-Bench-image"))),
    layout("vlmevalkit_tsv", "SEEDBench_IMG.tsv", steps=(NAMED,)),
    layout("hf_parquet", "**/test-*.parquet", steps=(pictured,)),
)


def kind(named: str) -> str:
    """The kind of question, which layouts give as a number or by name."""
    return TYPES[int(named) - 1] if named.isdecimal() and int(named) <= len(TYPES) else named


def to_sample(record: Record) -> Sample:
    """Map a question; those about a picture are its cluster."""
    return Sample(
        id=str(record["question_id"]),
        parts=images(record),
        question=record["question"],
        options=tuple(str(record[name]) for name in CHOICES),
        references=(record["answer"],),
        cluster=str(record.get("data_id") or ""),
        groups={"type": kind(str(record["question_type_id"])), "data_type": str(record.get("data_type") or "image")},
        fields={"index": str(record.get("index", ""))},
    )


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="mean_of_types", estimator=mean_over("type", mean("correct"))),
    Metric(name="type", estimator=mean("correct"), by="type"),
)
CONVENTIONS = option_letters(
    METRICS,
    "accuracy",
    official=only_letter,
    lmms_eval=first_character,
    lmms_note="The first character, whatever word it begins.",
)
LIKELIHOOD = replace(
    CONVENTIONS["official"], parse=lowest_loss, note="The authors': the option with the least loss; replies are lists of losses."
)

TASKS = (
    Task(
        name="seedbench",
        card=Card.of(__doc__, split="v1, questions about pictures", n=14233),
        layouts=LAYOUTS,
        sources=(vlmevalkit("SEEDBench_IMG"), on_hub("lmms-lab/SEED-Bench", "data/test-*.parquet")),
        to_sample=to_sample,
        prompt=fill("{question}\n{options}\n" + OPTION_LETTER),
        conventions={**CONVENTIONS, "likelihood": LIKELIHOOD},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=16),
    ),
)
