"""AI2D: questions about diagrams of school science, four options each.

Paper: Kembhavi et al., A Diagram Is Worth a Dozen Images, ECCV 2016, arXiv 1603.07396.
Data: prior.allenai.org/projects/diagram-understanding: questions/, images/, with ai2d_test_ids.csv beside them; 3,088 test
questions on 814 pictures. Hugging Face lmms-lab/ai2d; VLMEvalKit's AI2D_TEST.tsv, and AI2D_TEST_NO_MASK.tsv.
Licence: CC BY-SA 4.0.
Official scorer: none exists; the option is read as open-compass/VLMEvalKit vlmeval/utils/matching_util.py can_infer at e8e78f0
reads it, without a judge.
Differences: a reply that VLMEvalKit would hand to a judge is wrong, and marked; a missing answer is wrong. In Hugging Face's
and VLMEvalKit's pictures (but for NO_MASK) letters cover the texts that options name; the authors' pictures show the texts,
which makes the task easier by several points: compare numbers of one kind only.

Not every layout has ids, so a sample's is made of question and options, and numbered where those repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.conventions import option_letters
from harness.data.lookup import listed_in
from harness.data.options import content_key, lettered
from harness.data.sources import images, layout
from harness.data.steps import columns, from_file_name, media, picture_facts
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.metrics.text import equals, without_periods
from harness.parsers.choice import letter_then_text
from harness.parsers.letter import letter_before_period
from harness.parsers.text import as_given
from harness.prompts import OPTION_LETTER, SHORT_ANSWER, fill, letters
from harness.task import Card, Task
from harness.types import Generation, Parsed, Record, Sample


def text_of(record: Record) -> str:
    """Question and options, by which layouts agree."""
    return content_key(record["question"], *map(str, record["options"]))


QUESTION = (
    from_file_name("name", r"(.+)\.json"),
    from_file_name("picture", r"([^.]+)\."),
    listed_in("ai2d_test_ids.csv", "picture"),
    columns(question="key", options="answerTexts", answer="correctAnswer", path="images/{name}"),
    media(path="path"),
)
LAYOUTS = (
    layout(
        "official", "questions/*.json", beside=("ai2d_test_ids.csv",), key="questions", steps=QUESTION, repeats={"same": text_of}
    ),
    layout(
        "vlmevalkit_tsv",
        "AI2D_TEST.tsv|AI2D_TEST_NO_MASK.tsv",
        steps=(lettered, picture_facts, columns(options="choices", name="image_key|")),
        repeats={"same": text_of},
    ),
    layout("hf_parquet", "**/test-*.parquet", steps=(picture_facts, columns(name="image_key|")), repeats={"same": text_of}),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a diagram are its cluster, as far as the layout names it."""
    options = tuple(map(str, record["options"]))
    return Sample(
        id=text_of(record) + (f"#{record['same'] + 1}" if record.get("same") else ""),
        parts=images(record),
        question=record["question"],
        options=options,
        references=(letters(options)[int(record["answer"])],),
        cluster=str(record.get("name") or ""),
        groups={"asks": "letter in the picture" if record.get("abcLabel") else "text"},
        fields={"question_id": str(record.get("questionId", "")), "index": str(record.get("index", ""))},
    )


def text_score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """Exact match with the text of the right option, every period deleted on both sides."""
    right = sample.options[letters(sample.options).index(sample.references[0])]
    return {"correct": 0.0 if parsed.answer is None else equals(without_periods)(parsed.answer, [right])}


METRICS = (Metric(name="accuracy", estimator=mean("correct")), Metric(name="asks", estimator=mean("correct"), by="asks"))
CONVENTIONS = option_letters(METRICS, "accuracy", official=letter_then_text, lmms_eval=letter_before_period)
BY_TEXT = "The SPHINX authors': exact match with the option's text (periods deleted), so a letter is wrong; ask with prompt=text."

TASKS = (
    Task(
        name="ai2d",
        card=Card.of(__doc__, split="test", n=3088),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/ai2d", "**/test-*.parquet", note="with letters over the texts that options name"),
            vlmevalkit("AI2D_TEST", "0f593e0d1c7df9a3d69bf1f947e71975", note="with letters over the texts that options name"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n{options}\n" + OPTION_LETTER),
        prompts={"text": fill("{question}\n{options}\n" + SHORT_ANSWER, option="{text}")},
        conventions={**CONVENTIONS, "paper": replace(CONVENTIONS["paper"], parse=as_given, score=text_score, note=BY_TEXT)},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=16),
    ),
)
