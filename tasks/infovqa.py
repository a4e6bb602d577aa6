"""InfographicVQA: questions about infographics, answered by what is printed, or by counting, comparing and sums.

Paper: Mathew et al., InfographicVQA, WACV 2022, arXiv 2104.12756.
Data: RRC portal (rrc.cvc.uab.es), Document Visual Question Answering, task 3: infographicsVQA_val_v1.0_withQT.json and
infographicsvqa_images/; 2,801 questions in val (the answers of test are hidden). Hugging Face lmms-lab/DocVQA, configuration
InfographicVQA; VLMEvalKit's InfoVQA_VAL.tsv; DUE's document.jsonl, with pictures as pngs/NAME.png.
Licence: by registration at the RRC portal; may not be passed on.
Official scorer: the organisers' script, infographicsvqa_eval.py in Alpha-VLLM/LLaMA2-Accessory@3777c43: mean ANLS at 0.5, and by
types of answers, evidence and operations.
Differences: a missing answer scores 0, where the script stops; types that do not occur are left out, where it divides by zero.
The paper's number was made with DUE's rule (paper), its number for DocVQA with the organisers'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from harness.conventions import anls
from harness.data.due import answers, per_key
from harness.data.sources import images, layout
from harness.data.steps import columns, media, picture_facts, text_lists
from harness.fetch.sources import on_hub, vlmevalkit
from harness.parsers.text import without_line_breaks
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

TERMS = "register at rrc.cvc.uab.es for Document Visual Question Answering, and accept its terms of use"
FILE = "infographicsVQA_val_v1.0_withQT.json"
TABLE = columns(image_local_name="image_key|", questionId="questionId|index", answers="answers|answer")
LAYOUTS = (
    layout(
        "official",
        f"{FILE}|infographicsvqa_qas/{FILE}",
        key="data",
        steps=(media(path="image_local_name", below="infographicsvqa_images"),),
    ),
    layout("vlmevalkit_tsv", "InfoVQA_VAL.tsv", steps=(picture_facts, TABLE, text_lists("answers"))),
    layout("hf_parquet", "InfographicVQA/validation-*.parquet|validation-*.parquet", steps=(picture_facts, TABLE)),
    layout(
        "due",
        "document.jsonl|dev/document.jsonl|test/document.jsonl",
        steps=(
            per_key(),
            answers,
            columns(question="key", questionId="id|{name}/{key}", image_local_name="pngs/{name}.png"),
            media(path="image_local_name"),
        ),
    ),
)


def to_sample(record: Record) -> Sample:
    """Map a record in the organisers' field names; questions about a picture are its cluster."""
    return Sample(
        id=str(record["questionId"]),
        parts=images(record),
        question=record["question"],
        references=tuple(record["answers"] or ()),
        cluster=PurePosixPath(record["image_local_name"]).stem,
        groups={
            "answer_type": joined(record.get("answer_type")),
            "evidence": joined(record.get("evidence")),
            "operation": joined(record.get("operation/reasoning")),
        },
    )


def joined(types: Sequence[str] | None) -> str:
    """Several types as one text."""
    return ", ".join(types if types is not None else ())


CONVENTIONS = anls(answer_type="answer_type", evidence="evidence", operation="operation")
PAPER = replace(
    CONVENTIONS["due"],
    parse=without_line_breaks,
    note="UReader's, and so the paper's: as due, line breaks of the reply deleted.",
)

TASKS = (
    Task(
        name="infovqa",
        card=Card.of(__doc__, split="validation", n=2801),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/DocVQA", "InfographicVQA/validation-*.parquet", terms=TERMS),
            vlmevalkit("InfoVQA_VAL", "2342e9c225222f0ef4dec545ebb126fe", terms=TERMS),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={**CONVENTIONS, "paper": PAPER},
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=25),
    ),
)
