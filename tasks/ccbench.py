"""CCBench: multiple choice about Chinese culture, each question with all rotations of its options; seven categories.

Paper: Liu et al., MMBench: Is Your Multi-modal Model an All-around Player?, ECCV 2024, arXiv 2307.06281.
Data: CCBench.tsv of open-compass/MMBench (2,040 rows, 510 questions); Hugging Face lmms-lab/MMBench cc, split test. Rotation k of
question i has index i + k * 1,000,000.
Licence: Apache-2.0.
Official scorer: open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py mcq_circular_eval at e8e78f0, without a judge:
what it would ask one is wrong, and marked. CircularEval: a question counts if all of its rotations are right.
Differences: a missing rotation makes its question wrong, where VLMEvalKit forgives it. Letters that touch Chinese text, as in
``答案是A``, are for the judge there: strict reads them.
"""

from __future__ import annotations

from dataclasses import replace

from harness.conventions import multiple_choice
from harness.data.sources import layout
from harness.fetch.sources import on_hub, vlmevalkit
from harness.prompts import fill, letters
from harness.task import Card, Task
from harness.types import Generation
from tasks.mmbench_cn import PROMPT_LLAVA
from tasks.mmbench_en import METRICS, PROMPT, to_sample

TASKS = (
    Task(
        name="ccbench",
        card=Card.of(__doc__, split="test", n=2040),
        layouts=(
            layout("official", "CCBench.tsv|CCBench_legacy.tsv"),
            layout("hf_parquet", "cc/test-*.parquet|**/test-*.parquet"),
        ),
        sources=(replace(vlmevalkit("CCBench"), layout="official"), on_hub("lmms-lab/MMBench", "cc/test-*.parquet")),
        to_sample=to_sample,
        prompt=fill(PROMPT, hint="Hint: {hint}\n"),
        prompts={"llava": fill(PROMPT_LLAVA, hint="{hint}\n")},
        conventions=multiple_choice(tuple(one for one in METRICS if one.name != "l2"), primary="circular"),
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=64),
    ),
)
