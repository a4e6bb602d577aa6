"""MMBench dev CN: which option is right? MMBench dev EN in Chinese: each question with all rotations of its options (v1.0).

Paper: Liu et al., MMBench: Is Your Multi-modal Model an All-around Player?, ECCV 2024, arXiv 2307.06281.
Data: mmbench_dev_cn_20231003.tsv of open-compass/MMBench (4,329 rows, 1,164 questions); VLMEvalKit's MMBench_DEV_CN.tsv; Hugging
Face lmms-lab/MMBench cn. Rotation k of question i has index i + k * 1,000,000.
Licence: Apache-2.0.
Official scorer: open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py mcq_circular_eval at e8e78f0, without a judge:
what it would ask one is wrong, and marked. CircularEval: a question counts if all of its rotations are right.
Differences: a missing rotation makes its question wrong, where VLMEvalKit forgives it. Letters that touch Chinese text, as in
``答案是A``, are for the judge there: strict reads them.
"""

from __future__ import annotations

from harness.data.sources import layout
from harness.data.steps import columns
from harness.fetch.sources import Offer, WebFile, on_hub, vlmevalkit
from harness.prompts import fill, letters
from harness.task import Card, Task
from harness.types import Generation
from tasks.mmbench_en import OPENMMLAB, PROMPT, to_sample
from tasks.mmbench_en import TASKS as ENGLISH

OPTION_LETTER_CN = "请直接回答选项字母。"
"""LLaVA-1.5's instruction for multiple choice in Chinese."""

PROMPT_LLAVA = "{hint}{question}\n{options}\n" + OPTION_LETTER_CN
LAYOUTS = (
    layout("official", "mmbench_dev_cn_20231003.tsv"),
    layout("vlmevalkit_tsv", "MMBench_DEV_CN.tsv"),
    layout("hf_parquet", "**/dev-*.parquet", steps=(columns(**{"l2-category": "L2-category"}),)),
)

TASKS = (
    Task(
        name="mmbench_cn",
        card=Card.of(__doc__, split="dev (v1.0)", n=4329),
        layouts=LAYOUTS,
        sources=(
            Offer(layout="official", parts=(WebFile(url=f"{OPENMMLAB}/mmbench_dev_cn_20231003.tsv"),)),
            vlmevalkit("MMBench_DEV_CN"),
            on_hub("lmms-lab/MMBench", "cn/dev-*.parquet"),
        ),
        to_sample=to_sample,
        prompt=fill(PROMPT, hint="Hint: {hint}\n"),
        prompts={"llava": fill(PROMPT_LLAVA, hint="{hint}\n")},
        conventions=ENGLISH[0].conventions,
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=64),
    ),
)
