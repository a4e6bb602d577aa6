"""GQA: compositional questions made from scene graphs; the answer is a word or two, by exact match.

Paper: Hudson and Manning, GQA: A New Dataset for Real-World Visual Reasoning, CVPR 2019, arXiv 1902.09506.
Data: cs.stanford.edu/people/dorarad/gqa: testdev_balanced_questions.json and images/; 12,578 questions on 398 pictures. Hugging
Face lmms-lab/GQA, configurations testdev_balanced_instructions and _images; VLMEvalKit's GQA_TestDev_Balanced.tsv.
Licence: CC BY 4.0.
Official scorer: eval.py of the authors, as in TRI-ML/vlm-evaluation vlm_eval/util/evaluation/gqa/eval.py at 7292fd6: string
equality to the letter, over the balanced questions.
Differences: a missing answer is wrong, where eval.py stops; consistency, validity, plausibility and grounding need files that
testdev lacks. eval.py expects lower-cased answers without a period, and gives the raw replies of a chat model near 0: published
numbers were made after such a step (convention=llava).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.conventions import exact
from harness.data.lookup import looked_up
from harness.data.sources import images, layout
from harness.data.steps import columns, media, picture_facts, where
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.metrics.distribution import answer_codes, chi_square
from harness.metrics.text import equals, text_score
from harness.parsers.text import as_given
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Parsed, Record, Sample

NO_STEP = ("exist", "query: name", "choose name")
PICTURE = looked_up("**/testdev_balanced_images/*.parquet", on={"imageId": "id"}, take={"image": "image"})


BALANCED = where(lambda row: row.get("isBalanced", True))
"""Only these questions count."""

LAYOUTS = (
    layout(
        "official",
        "testdev_balanced_questions.json|questions/testdev_balanced_questions.json|questions1.2/testdev_balanced_questions.json",
        steps=(BALANCED, columns(id="key", path="images/{imageId}.jpg"), media(path="path")),
    ),
    layout(
        "sphinx_json",
        "gqa_testdev_balanced.json",
        steps=(columns(id="{question_id} {question}", imageId="question_id", answer="gt_answers"), media(path="image_path")),
    ),
    layout("vlmevalkit_tsv", "GQA_TestDev_Balanced.tsv", steps=(picture_facts, columns(id="index", imageId="image_key|"))),
    layout("hf_parquet", "**/testdev_balanced_instructions/*.parquet", steps=(BALANCED, PICTURE)),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a picture are its cluster. A table has no types."""
    types, steps = record.get("types") or {}, record.get("semantic")
    return Sample(
        id=str(record["id"]),
        parts=images(record),
        question=record["question"],
        references=(record["answer"],),
        cluster=str(record["imageId"]),
        groups={
            "kind": ("open" if types["structural"] == "query" else "binary") if types else "",
            "structural": str(types.get("structural") or ""),
            "semantic": str(types.get("semantic") or ""),
            "steps": str(sum(map(counts, steps))) if steps is not None else "",
            "words": str(len(record["question"].split())),
            "global": str((record.get("groups") or {}).get("global") or ""),
        },
    )


def counts(step: Mapping[str, object]) -> bool:
    """Whether a step of a question's programme is one of reasoning: the last, which names the answer, is none."""
    return not any(one in f"{step['operation']}: {step['argument']}" for one in NO_STEP)


def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """Exact match, and what was said for the distribution."""
    return {**text_score("correct", equals())(parsed, sample), **answer_codes(parsed, sample)}


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="binary", estimator=mean("correct", where={"kind": "binary"})),
    Metric(name="open", estimator=mean("correct", where={"kind": "open"})),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in ("structural", "semantic", "steps", "words")),
)
DISTRIBUTION = Metric(name="distribution", estimator=chi_square("global"), unit="fraction")
OFFICIAL = Convention(
    parse=as_given,
    score=score,
    metrics=(*METRICS, DISTRIBUTION),
    primary="accuracy",
    note="To the letter; distribution is a chi-square, of which less is better.",
)

TASKS = (
    Task(
        name="gqa",
        card=Card.of(__doc__, split="testdev balanced", n=12578),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/GQA", "testdev_balanced_instructions/*.parquet", "testdev_balanced_images/*.parquet"),
            vlmevalkit("GQA_TestDev_Balanced"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={"official": OFFICIAL, **exact(METRICS)},
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=10),
    ),
)
