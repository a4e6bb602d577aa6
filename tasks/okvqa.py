"""OK-VQA: questions whose answer the picture alone does not hold; short answers against those of ten people.

Paper: Marino et al., OK-VQA: A Visual Question Answering Benchmark Requiring External Knowledge, CVPR 2019, arXiv 1906.00067.
Data: okvqa.allenai.org, version 1.1 (its answers are stemmed otherwise than those of 1.0): mscoco_val2014_annotations.json,
OpenEnded_mscoco_val2014_questions.json; 5,046 questions on pictures of COCO val2014. Hugging Face lmms-lab/OK-VQA, split val2014.
Licence: none stated (questions); COCO terms (pictures).
Official scorer: GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py at a013f00: VQA accuracy.
Differences: a missing answer is wrong, where the script stops. Where all ten agree, the script compares them as they are, case,
articles and final periods included; strict normalises them too.

question_type is a category of knowledge, as a code. The default prompt is LLaVA-1.5's; lmms-eval's invites refusals.
"""

from __future__ import annotations

from harness.conventions import consensus
from harness.data.people import challenge_files, most_frequent, to_sample
from harness.data.sources import layout
from harness.data.steps import columns, picture_facts
from harness.fetch.sources import on_hub
from harness.metrics.vqa import vqa_accuracy
from harness.prompts import SHORT_ANSWER, UNANSWERABLE, fill
from harness.task import Card, Task
from harness.types import Generation

LAYOUTS = (
    challenge_files("mscoco_val2014_annotations.json", "OpenEnded_mscoco_val2014_questions.json", "val2014"),
    layout(
        "hf_parquet",
        "**/val2014-*.parquet|**/validation-*.parquet",
        steps=(picture_facts, columns(image_id="image_id|image_key")),
    ),
)

TASKS = (
    Task(
        name="okvqa",
        card=Card.of(__doc__, split="val2014 (v1.1)", n=5046),
        layouts=LAYOUTS,
        sources=(on_hub("lmms-lab/OK-VQA", "**/val2014-*.parquet"),),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}"), "lmms_eval": fill("{question}\n" + UNANSWERABLE + "\n" + SHORT_ANSWER)},
        conventions=consensus(vqa_accuracy),
        ideal=most_frequent,
        generation=Generation(max_new_tokens=10),
    ),
)
