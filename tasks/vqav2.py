"""VQA v2: open questions about pictures, each asked of two similar ones; short answers against those of ten people.

Paper: Goyal et al., Making the V in VQA Matter, CVPR 2017, arXiv 1612.00837.
Data: visualqa.org: v2_mscoco_val2014_annotations.json, v2_OpenEnded_mscoco_val2014_questions.json; 214,354 questions on 40,504
pictures of COCO val2014. Hugging Face lmms-lab/VQAv2, split validation. Many papers report test-dev, with hidden answers.
Licence: CC BY 4.0 (questions and answers); COCO terms (pictures).
Official scorer: GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py at a013f00: VQA accuracy.
Differences: a missing answer is wrong, where the script stops. Where all ten agree, the script compares them as they are, case,
articles and final periods included; strict normalises them too.
"""

from __future__ import annotations

from functools import partial

from harness.conventions import consensus
from harness.data.people import challenge_files, most_frequent, to_sample
from harness.data.sources import layout
from harness.fetch.sources import on_hub
from harness.metrics.vqa import LMMS_EVAL, always_normalised, vqa_accuracy
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation

LAYOUTS = (
    challenge_files("v2_mscoco_val2014_annotations.json", "v2_OpenEnded_mscoco_val2014_questions.json", "val2014"),
    layout("hf_parquet", "**/validation-*.parquet"),
)

TASKS = (
    Task(
        name="vqav2",
        card=Card.of(__doc__, split="val2014", n=214354),
        layouts=LAYOUTS,
        sources=(on_hub("lmms-lab/VQAv2", "**/validation-*.parquet"),),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions=consensus(vqa_accuracy, lmms_eval=partial(always_normalised, marks=LMMS_EVAL)),
        ideal=most_frequent,
        generation=Generation(max_new_tokens=10),
    ),
)
