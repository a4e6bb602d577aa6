"""InfiMM-Eval (CORE-MM): open questions that take several steps of deduction, abduction or analogy; a judge grades each answer.

Paper: Han et al., InfiMM-Eval: Complex Open-Ended Reasoning Evaluation for Multi-Modal Large Language Models, arXiv 2311.11567.
Data: Infi-MM/InfiMM-Eval on Hugging Face: core-mm-wo-answer.json, images/; 279 questions on 342 pictures. The authors keep the
answers and score submissions by e-mail: a file with the field Answer is needed here.
Licence: CC BY-NC 4.0.
Official scorer: not public; the paper's formula, in which high complexity counts twice. Its judge is GPT-4.
Differences: the judge's wording is riddle's own (infimm-riddle-1), since the authors' is not public, so the numbers are not
comparable with theirs. That categories are weighted like the whole is assumed; the paper does not say.
"""

from __future__ import annotations

from pathlib import Path

from harness.data.sources import Row, images, layout, media_below
from harness.prompts import fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample
from tasks.judges import infimm


def pictures(row: Row, root: Path) -> Row:
    """Put handles to all pictures of a question into ``image``."""
    return row.but(image=[media_below(root, f"images/{name}", row.where) for name in row["Image path"]])


def to_sample(record: Record) -> Sample:
    """Map a record of the official file."""
    return Sample(
        id=str(record["key"]),
        parts=images(record),
        question=record["Question"],
        references=(str(record.get("Answer") or ""),),
        cluster=", ".join(record.get("Image path", ())),
        groups={"category": record["Category"], "complexity": record["Complexity"]},
    )


TASKS = (
    Task(
        name="infimm_eval",
        card=Card.of(__doc__, split="all", n=279),
        layouts=(layout("official", "core-mm*.json", steps=(pictures,)),),
        to_sample=to_sample,
        prompt=fill("{question}"),
        conventions={"official": infimm.GRADED},
        ideal=lambda sample: sample.references[0],
        needs=frozenset({"images", "several_images"}),
        generation=Generation(max_new_tokens=512),
    ),
)
