"""MMVP: pairs of pictures that CLIP takes for alike, with one question of two options; a pair counts if both are right.

Paper: Tong et al., Eyes Wide Shut? Exploring the Visual Shortcomings of Multimodal LLMs, CVPR 2024, arXiv 2401.06209.
Data: Hugging Face MMVP/MMVP: Questions.csv with "MMVP Images"/1.jpg and so on, 150 pairs; lmms-lab-eval/MMVP; VLMEvalKit's
MMVP.tsv.
Licence: MIT.
Official scorer: tsb0601/MMVP scripts/gpt_grader.py: GPT-4 says yes or no, of every reply; so does any judge here, and verdicts
that a file of replies holds are read as there (the whole text is yes or no, in any case). Without a judge the reply is read by
rule (judge: rule): one option by letter, else by its text.
Differences: pairs are formed by number, where the script takes neighbouring lines and re-pairs all after a lost one; a missing
answer is wrong. Accuracy over single pictures is not the official number. lmms-eval has four other right answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.conventions import multiple_choice
from harness.data.options import offered
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, all_of, mean
from harness.metrics.choice import correct
from harness.parsers.letter import one_option
from harness.parsers.verdict import yes_or_no
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Convention, Task
from harness.types import Generation, Parsed, Record, Sample
from tasks.judges import mmvp

CORRECTED = {"99": "B", "100": "A", "279": "B", "280": "A"}
"""Right answers that lmms-eval has otherwise than the authors (its issue 1018)."""

_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"^\(?([AB])\)?\.?\s*$", r"^\(?([AB])\)?[.\s]", r"answer\s+is\s+\(?([AB])\)?", r"option\s+\(?([AB])\)?",
        r"([AB])\)?(?:\s|$)", r"^([AB])",
    )
)  # fmt: skip
ASKED = columns(Question="Question|question", Options="Options|options", **{"Correct Answer": "Correct Answer|answer"})


def spelt(row: Row, root: object) -> Row:
    """Read ``(a) Open (b) Closed`` and ``(a)``; VLMEvalKit has columns and letters instead."""
    options = re.findall(r"\([a-z]\)\s*(.*?)\s*(?=\([a-z]\)|$)", str(row.get("Options") or ""), re.DOTALL) or list(
        offered(row, "AB")
    )
    return row.but(options=options, answer=row["Correct Answer"].strip(" ()").upper())


LAYOUTS = (
    layout(
        "official", "Questions.csv", repeats={"place": lambda record: 0},
        steps=(spelt, columns(path="MMVP Images/{Index}.jpg"), media(path="path")),
    ),
    layout("vlmevalkit_tsv", "MMVP.tsv", steps=(ASKED, spelt), repeats={"place": lambda record: 0}),
    layout("hf_parquet", "**/*.parquet", steps=(ASKED, spelt), repeats={"place": lambda record: 0}),
)  # fmt: skip


def to_sample(record: Record) -> Sample:
    """Map a question; it is numbered by its place, two after one another are a pair and its cluster."""
    place = record["place"]
    return Sample(
        id=str(place + 1),
        parts=images(record),
        question=record["Question"],
        options=tuple(record["options"]),
        references=(record["answer"],),
        cluster=str(place // 2 + 1),
        groups={"pair": str(place // 2 + 1)},
        fields={"index": str(record.get("index", "")), "question_id": str(place + 1), "listed": listed(record["options"])},
    )


def listed(options: Sequence[str]) -> str:
    """The options as the authors' file writes them."""
    return " ".join(f"({letter}) {text}" for letter, text in zip("ab", options, strict=False))


def lmms_letter(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's letter: any a or b before a blank counts, so that "The panda is (b)" is A.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvp/utils.py at 75571cf.
    """
    found = next((match for form in _FORMS if (match := form.search(reply.strip()))), None)
    return Parsed(found[1].upper()) if found else Parsed(None, "no a or b")


def corrected(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """Exact match with lmms-eval's right answers."""
    return {"correct": float(parsed.answer == CORRECTED.get(sample.id, sample.references[0]))}


METRICS = (
    Metric(name="pair_accuracy", estimator=all_of("correct", by="pair")),
    Metric(name="accuracy", estimator=mean("correct")),
)
OFFICIAL = Convention(
    parse=one_option,
    extracted=yes_or_no,
    score=correct,
    metrics=METRICS,
    primary="pair_accuracy",
    judging=mmvp.OFFICIAL,
    note="Without a verdict of a judge by rule.",
)
LMMS = Convention(
    parse=lmms_letter, score=corrected, metrics=METRICS, primary="pair_accuracy",
    note="A letter before a blank anywhere, texts never; four right answers are other than the authors'.",
)  # fmt: skip
VLMEVALKIT = replace(
    multiple_choice(METRICS, "pair_accuracy")["official"],
    note="Its matching by letter or text; what it would ask a judge is wrong.",
)

TASKS = (
    Task(
        name="mmvp",
        card=Card.of(__doc__, split="all, 150 pairs", n=300),
        layouts=LAYOUTS,
        sources=(on_hub("MMVP/MMVP", "Questions.csv", "MMVP Images/*.jpg", layout="official"), vlmevalkit("MMVP")),
        to_sample=to_sample,
        prompt=fill("{question}\n{options}\n" + OPTION_LETTER),
        prompts={"official": fill("{question} {listed}")},
        conventions={"official": OFFICIAL, "vlmevalkit": VLMEVALKIT, "lmms_eval": LMMS},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=16),
    ),
)
