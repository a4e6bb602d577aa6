"""TextVQA: what does the text in the picture say? Short answers against those of ten people.

Paper: Singh et al., Towards VQA Models That Can Read, CVPR 2019, arXiv 1904.08920.
Data: textvqa.org: TextVQA_0.5.1_val.json with train_images/ (in which the pictures of val lie); 5,000 questions on 3,166 pictures
of OpenImages. Hugging Face lmms-lab/textvqa, split validation; VLMEvalKit's TextVQA_VAL.tsv. Without OCR tokens.
Licence: CC BY 4.0.
Official scorer: facebookresearch/mmf mmf/utils/m4c_evaluators.py TextVQAAccuracyEvaluator: VQA accuracy.
Differences: any number of answers, where the scorer insists on ten; a missing answer is wrong. The scorer deletes commas (2,5 is
25) and parts "'s"; strict has VQA's own normalisation.
"""

from __future__ import annotations

from harness.conventions import consensus
from harness.data.people import most_frequent, to_sample
from harness.data.sources import layout
from harness.data.steps import columns, media, picture_facts, text_lists
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.vqa import textvqa_accuracy
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation, Sample

TABLE = columns(image_id="image_id|image_key|", question_id="question_id|index", answers="answers|answer")
LAYOUTS = (
    layout("official", "TextVQA_0.5.1_val.json", key="data", steps=(columns(image_path="train_images/{image_id}.jpg"), media())),
    layout("vlmevalkit_tsv", "TextVQA_VAL.tsv", steps=(picture_facts, TABLE, text_lists("answers"))),
    layout("hf_parquet", "**/validation-*.parquet"),
)


def capitalised(sample: Sample) -> str:
    """lmms-eval's: the first letter in upper case, all others in lower case."""
    return f"{sample.question.capitalize()}\n{SHORT_ANSWER}"


TASKS = (
    Task(
        name="textvqa",
        card=Card.of(__doc__, split="validation (0.5.1)", n=5000),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/textvqa", "data/validation-*.parquet"),
            vlmevalkit("TextVQA_VAL", "b233b31f551bbf4056f2f955da3a92cd"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}"), "lmms_eval": capitalised},
        conventions=consensus(textvqa_accuracy),
        ideal=most_frequent,
        generation=Generation(max_new_tokens=10),
    ),
)
