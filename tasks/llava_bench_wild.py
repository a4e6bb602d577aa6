"""LLaVA-Bench (In-the-Wild): open questions about 24 pictures; a judge compares each answer with GPT-4's.

Paper: Liu et al., Visual Instruction Tuning, NeurIPS 2023, arXiv 2304.08485.
Data: liuhaotian/llava-bench-in-the-wild on Hugging Face: questions.jsonl, context.jsonl, answers_gpt4.jsonl, images/;
60 questions: 17 conv, 15 detail, 28 complex.
Licence: CC BY-NC 4.0.
Official scorer: haotian-liu/LLaVA llava/eval/eval_gpt_review_bench.py and summarize_gpt_review.py at c121f04, judge gpt-4-0314.
Differences: a review that cannot be read is asked for up to three times (the script asks once), then counts as -1, as there.
"""

from __future__ import annotations

from harness.data.lookup import looked_up
from harness.data.sources import images, layout
from harness.data.steps import columns, media
from harness.fetch.sources import on_hub, vlmevalkit
from harness.prompts import fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample
from tasks.judges import llava

OFFICIAL = (
    columns(image_path="image"),
    looked_up("context.jsonl", on={"image_path": "image"}, take={"caption": "caption"}),
    looked_up("answers_gpt4.jsonl", on={"question_id": "question_id"}, take={"gpt_answer": "text"}),
    media(below="images"),
)
LAYOUTS = (
    layout("official", "questions.jsonl", beside=("context.jsonl", "answers_gpt4.jsonl"), steps=OFFICIAL),
    layout("vlmevalkit_tsv", "LLaVABench.tsv", steps=(columns(question_id="index", text="question", gpt_answer="gpt4_ans"),)),
    layout("hf_parquet", "**/train-*.parquet", steps=(columns(text="question"),)),
)

FILES = ("questions.jsonl", "context.jsonl", "answers_gpt4.jsonl", "images/*")
SOURCES = (
    on_hub("liuhaotian/llava-bench-in-the-wild", *FILES, layout="official"),
    vlmevalkit("LLaVABench", "d382a093f749a697820d3dadd61c8428"),
    on_hub("lmms-lab/llava-bench-in-the-wild", "data/train-*.parquet"),
)


def to_sample(record: Record) -> Sample:
    """Map a record; the caption is what the judge sees of the picture."""
    caption = record["caption"]
    return Sample(
        id=str(record["question_id"]),
        parts=images(record),
        question=record["text"],
        references=(record["gpt_answer"],),
        cluster=str(record.get("image_path", "")),
        groups={"category": record["category"]},
        fields={"caption": "\n".join(caption) if isinstance(caption, list) else caption},
    )


TASKS = (
    Task(
        name="llava_bench_wild",
        card=Card.of(__doc__, split="all", n=60),
        layouts=LAYOUTS,
        sources=SOURCES,
        to_sample=to_sample,
        prompt=fill("{question}"),
        conventions=llava.CONVENTIONS,
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=1024),
    ),
)
