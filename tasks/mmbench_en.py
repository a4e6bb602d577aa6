"""MMBench dev EN: which option is right? Multiple choice over 20 abilities, asked once for each rotation of the options (v1.0).

Paper: Liu et al., MMBench: Is Your Multi-modal Model an All-around Player?, ECCV 2024, arXiv 2307.06281.
Data: mmbench_dev_20230712.tsv of open-compass/MMBench (4,377 rows, 1,176 questions; later files, such as VLMEvalKit's
MMBench_DEV_EN.tsv, have 4,329 and 1,164). Rotation k of question i has index i + k * 1,000,000.
Licence: Apache-2.0.
Official scorer: open-compass/VLMEvalKit vlmeval/dataset/utils/multiple_choice.py mcq_circular_eval at e8e78f0, without a judge:
what it would ask one is wrong, and marked. CircularEval: a question counts if all of its rotations are right.
Differences: a missing rotation makes its question wrong, where VLMEvalKit forgives it; blanks at the prompt's end are left out.
"""

from __future__ import annotations

from harness.conventions import multiple_choice
from harness.data.options import offered, present
from harness.data.sources import images, layout
from harness.data.steps import columns
from harness.fetch.sources import Offer, WebFile, on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, all_of, mean
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

PROMPT = "{hint}Question: {question}\nOptions:\n{options}\nPlease select the correct answer from the options above."
PROMPT_LLAVA = "{hint}{question}\n{options}\n" + OPTION_LETTER

ROTATION = 1_000_000
OPENMMLAB = "https://download.openmmlab.com/mmclassification/datasets/mmbench"
LATER = "a later file: 4,329 rows, 1,164 questions"
LAYOUTS = (
    layout("official", "mmbench_dev_20230712.tsv"),
    layout("vlmevalkit_tsv", "MMBench_DEV_EN.tsv"),
    layout("hf_parquet", "**/dev-*.parquet", steps=(columns(**{"l2-category": "L2-category"}),)),
)


def to_sample(record: Record) -> Sample:
    """Map a row; the rotations of a question share its number, which is their cluster."""
    index = int(float(record["index"]))
    question = str(index % ROTATION)
    named = {"category": "category", "l2": "l2-category", "split": "split"}
    return Sample(
        id=str(index),
        parts=images(record),
        question=record["question"],
        options=offered(record),
        references=(record["answer"],),
        cluster=question,
        groups={"question": question, "rotation": str(index // ROTATION)}
        | {name: str(record[column]) for name, column in named.items() if present(record.get(column))},
        fields={"hint": str(record["hint"]) if present(record.get("hint")) else ""},
    )


CIRCULAR = all_of("correct", by="question")
METRICS = (
    Metric(name="circular", estimator=CIRCULAR),
    Metric(name="vanilla", estimator=mean("correct", where={"rotation": "0"})),
    Metric(name="all_rows", estimator=mean("correct")),
    Metric(name="l2", estimator=CIRCULAR, by="l2"),
    Metric(name="category", estimator=CIRCULAR, by="category"),
)

TASKS = (
    Task(
        name="mmbench_en",
        card=Card.of(__doc__, split="dev (v1.0)", n=4377),
        layouts=LAYOUTS,
        sources=(
            Offer(layout="official", parts=(WebFile(url=f"{OPENMMLAB}/mmbench_dev_20230712.tsv"),)),
            vlmevalkit("MMBench_DEV_EN", "b6caf1133a01c6bb705cf753bb527ed8", note=LATER),
            on_hub("lmms-lab/MMBench", "en/dev-*.parquet", note=LATER),
        ),
        to_sample=to_sample,
        prompt=fill(PROMPT, hint="Hint: {hint}\n"),
        prompts={"llava": fill(PROMPT_LLAVA, hint="{hint}\n")},
        conventions=multiple_choice(METRICS, primary="circular"),
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=64),
    ),
)
