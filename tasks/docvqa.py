"""DocVQA: short answers found on a scanned page (single page, validation).

Paper: Mathew et al., DocVQA: A Dataset for VQA on Document Images, WACV 2021, arXiv 2007.00398.
Data: RRC portal, task 1: val_v1.0.json (or val_v1.0_withQT.json, with question types) and documents/; 5,349 questions on 1,286
pages. Licence: by registration at the portal; may not be passed on.
Official scorer: the organisers' script, as infographicsvqa_eval.py in Alpha-VLLM/LLaMA2-Accessory@3777c43: mean ANLS at 0.5.
Differences: a missing answer scores 0, where the script stops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from harness.data.media import read_header
from harness.data.sources import Row, image_handles, layout, listed, media_below
from harness.metrics.aggregate import Metric, mean
from harness.metrics.text import anls, due_anls
from harness.parsers.text import as_given, stripped
from harness.prompts import SHORT_ANSWER
from harness.task import Card, Convention, Score, Task
from harness.types import Generation, Image, Parsed, Record, Sample

PROMPT = "{question}\n" + SHORT_ANSWER


def from_portal(row: Row, root: Path) -> Record:
    """The organisers' list; pictures are relative to the data folder."""
    return row.but(image=media_below(root, row["image"], row.where), page=PurePosixPath(row["image"]).stem)


def from_table(row: Row, root: Path) -> Record:
    """VLMEvalKit: the answers are a list as text; the picture itself says which page it is."""
    page = read_header(row["image"]).key if row["image"] else ""
    return row.but(questionId=row.get("questionId") or row["index"], answers=listed(row["answer"], row.where), page=page)


def from_parquet(row: Row, root: Path) -> Record:
    """Hugging Face: the organisers' fields, with the picture in the row."""
    return row.but(page=f"{row['ucsf_document_id']}_{row['ucsf_document_page_no']}")


def to_sample(record: Record) -> Sample:
    """Map a record in the organisers' field names."""
    return Sample(
        id=str(record["questionId"]),
        parts=tuple(map(Image, image_handles(record.get("image")))),
        question=record["question"],
        references=tuple(record.get("answers") or ()),
        cluster=record["page"],
        groups={"question_type": ", ".join(record.get("question_types") or ())},
    )


def scored(measure: Callable[[str, Sequence[str]], float]) -> Score:
    """The score ``anls`` by one of its definitions."""

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        return {"anls": 0.0 if parsed.answer is None else measure(parsed.answer, sample.references)}

    return score


METRICS = (
    Metric(name="anls", estimator=mean("anls")),
    Metric(name="anls", estimator=mean("anls"), by="question_type", separator=", "),
)
CONVENTIONS = {
    "official": Convention(parse=as_given, score=scored(anls), metrics=METRICS, primary="anls"),
    "vlmevalkit": Convention(
        parse=as_given, score=scored(anls), metrics=METRICS, primary="anls", note="The organisers' rule, in percent."
    ),
    "lmms_eval": Convention(
        parse=stripped, score=scored(anls), metrics=METRICS, primary="anls",
        note="The reply is stripped first, which changes the divisor of padded replies.",
    ),
    "due": Convention(
        parse=as_given, score=scored(due_anls), metrics=METRICS, primary="anls",
        note="DUE benchmark: upper-cased raw strings; a similarity of exactly 0.5 scores 0.",
    ),
    "pix2struct": Convention(
        parse=as_given, score=scored(lambda prediction, references: due_anls(prediction, references, fold=str.lower)),
        metrics=METRICS, primary="anls", note="pix2struct and UReader: as due, lower-cased.",
    ),
}  # fmt: skip

TASKS = (
    Task(
        name="docvqa",
        card=Card(
            title="DocVQA",
            asks="What does the page say? A short answer, as it is printed.",
            split="validation",
            n=5349,
            paper="arXiv 2007.00398",
            data="rrc.cvc.uab.es, Document Visual Question Answering, task 1: val_v1.0.json, documents/",
            scorer="RRC organisers' script, infographicsvqa_eval.py in Alpha-VLLM/LLaMA2-Accessory@3777c43",
            licence="by registration at the RRC portal, not to be passed on",
            differences="A missing answer scores 0; the organisers' script stops.",
        ),
        layouts=(
            layout(
                "official", "val_v1.0.json|val_v1.0_withQT.json|spdocvqa_qas/val_v1.0_withQT.json", adapt=from_portal, key="data"
            ),
            layout("vlmevalkit_tsv", "DocVQA_VAL.tsv", adapt=from_table),
            layout("hf_parquet", "DocVQA/validation-*.parquet|validation-*.parquet", adapt=from_parquet),
        ),
        to_sample=to_sample,
        prompt=lambda sample: PROMPT.format(question=sample.question),
        prompts={"plain": lambda sample: sample.question},
        conventions=CONVENTIONS,
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=32),
    ),
)
