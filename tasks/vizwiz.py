"""VizWiz-VQA: what blind people asked about photos they took; many cannot be answered. Ten people's answers.

Paper: Gurari et al., VizWiz Grand Challenge: Answering Visual Questions from Blind People, CVPR 2018, arXiv 1802.08218.
Data: vizwiz.org, Visual question answering: Annotations/val.json and val/; 4,319 photos with a question each. Hugging Face
lmms-lab/VizWiz-VQA, split val; VLMEvalKit's VizWiz.tsv.
Licence: CC BY 4.0.
Official scorer: the VizWiz VQA API's evaluator, as in TRI-ML/vlm-evaluation vlm_eval/util/evaluation/vizwiz/eval.py at 7292fd6:
VQA accuracy; average precision and F1 of "unanswerable".
Differences: contractions get an apostrophe, where copies of the API's table have other marks; a missing answer is wrong. The API
compares people's answers as they are, so those with capitals, hyphens, articles or number words cannot be reached; strict
normalises them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from harness.conventions import VQA_METRICS, consensus
from harness.data.people import most_frequent, with_answers
from harness.data.sources import layout
from harness.data.steps import columns, media, text_lists
from harness.fetch.sources import on_hub
from harness.metrics.aggregate import Metric, mean
from harness.metrics.choice import F1
from harness.metrics.functions import average_precision, function_of
from harness.metrics.text import text_score
from harness.metrics.vqa import PYTHON3, accessory_accuracy, normalise_answer, vizwiz_accuracy
from harness.prompts import SHORT_ANSWER, UNANSWERABLE, fill
from harness.task import Card, Task
from harness.types import Generation, Parsed, Record, Sample

NONE = "unanswerable"
OTHER = columns(name="image_name|question_id|index", answer_type="answer_type|category")
LAYOUTS = (
    layout("official", "Annotations/val.json|val.json", steps=(columns(name="image", path="val/{image}"), media(path="path"))),
    layout("vlmevalkit_tsv", "VizWiz.tsv", steps=(OTHER, text_lists("answers"))),
    layout("hf_parquet", "**/val-*.parquet", steps=(OTHER,)),
)


def to_sample(record: Record) -> Sample:
    """Map a record; the photo's name without its suffix is the id."""
    name = PurePosixPath(str(record["name"])).stem
    flag = record.get("answerable", int(record.get("answer_type") != NONE))
    return with_answers(record, id=name, cluster=name, answerable="no" if int(flag) == 0 else "yes")


def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """VQA accuracy, and whether the reply and the photo are unanswerable."""
    said = parsed.answer is not None and normalise_answer(parsed.answer, PYTHON3) == NONE
    truth = sample.groups["answerable"] == "no"
    cells = {"tp": said and truth, "fp": said and not truth, "fn": truth and not said, "said": said, "truth": truth}
    return {**text_score("accuracy", vizwiz_accuracy)(parsed, sample), **{name: float(cell) for name, cell in cells.items()}}


METRICS = (
    *VQA_METRICS,
    Metric(name="unanswerable_f1", estimator=F1),
    Metric(name="unanswerable_ap", estimator=function_of(average_precision, mean("tp"), mean("said"), mean("truth"))),
)
CONVENTIONS = consensus(vizwiz_accuracy)
WITHOUT_IDS = replace(
    CONVENTIONS["paper"],
    score=text_score("accuracy", partial(accessory_accuracy, told_apart=False)),
    note="As paper, on answers without ids, of which the code loses all equal ones: what all ten say scores 0.",
)

TASKS = (
    Task(
        name="vizwiz",
        card=Card.of(__doc__, split="val", n=4319),
        layouts=LAYOUTS,
        sources=(on_hub("lmms-lab/VizWiz-VQA", "**/val-*.parquet"),),
        to_sample=to_sample,
        prompt=fill("{question}\n" + UNANSWERABLE + "\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={
            **CONVENTIONS,
            "official": replace(CONVENTIONS["official"], score=score, metrics=METRICS),
            "paper_without_ids": WITHOUT_IDS,
        },
        ideal=most_frequent,
        generation=Generation(max_new_tokens=10),
    ),
)
