"""DocVQA: what does the page say? Short answers found on a scanned page, as they are printed.

Paper: Mathew et al., DocVQA: A Dataset for VQA on Document Images, WACV 2021, arXiv 2007.00398.
Data: RRC portal (rrc.cvc.uab.es), Document Visual Question Answering, task 1: val_v1.0.json (or val_v1.0_withQT.json, with
question types) and documents/; 5,349 questions on 1,286 single pages.
Licence: by registration at the RRC portal; may not be passed on.
Official scorer: the organisers' script, as infographicsvqa_eval.py in Alpha-VLLM/LLaMA2-Accessory@3777c43: mean ANLS at 0.5.
Differences: a missing answer scores 0, where the script stops.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from harness.conventions import anls
from harness.data.sources import images, layout
from harness.data.steps import columns, media, picture_facts, text_lists
from harness.fetch.sources import on_hub, vlmevalkit
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

TERMS = "register at rrc.cvc.uab.es for Document Visual Question Answering, and accept its terms of use"
LAYOUTS = (
    layout(
        "official",
        "val_v1.0.json|val_v1.0_withQT.json|spdocvqa_qas/val_v1.0_withQT.json",
        steps=(columns(image_path="image"), media()),
        key="data",
    ),
    layout(
        "vlmevalkit_tsv",
        "DocVQA_VAL.tsv",
        steps=(
            picture_facts,
            columns(image_path="image_key|", questionId="questionId|index", answers="answer"),
            text_lists("answers"),
        ),
    ),
    layout(
        "hf_parquet",
        "DocVQA/validation-*.parquet|validation-*.parquet",
        steps=(columns(image_path="{ucsf_document_id}_{ucsf_document_page_no}"),),
    ),
)


def to_sample(record: Record) -> Sample:
    """Map a record in the organisers' field names; questions on a page are its cluster."""
    return Sample(
        id=str(record["questionId"]),
        parts=images(record),
        question=record["question"],
        references=tuple(record["answers"] or ()),
        cluster=PurePosixPath(record["image_path"]).stem,
        groups={"question_type": ", ".join(record.get("question_types") or ())},
    )


TASKS = (
    Task(
        name="docvqa",
        card=Card.of(__doc__, split="validation", n=5349),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/DocVQA", "DocVQA/validation-*.parquet", terms=TERMS),
            vlmevalkit("DocVQA_VAL", "d5ee77e1926ff10690d469c56b73eabf", terms=TERMS),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions=anls(anls="question_type"),
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=32),
    ),
)
