"""ScienceQA: school science with two to five options; the part with a picture, or all of it.

Paper: Lu et al., Learn to Explain: Multimodal Reasoning via Thought Chains for Science Question Answering, NeurIPS 2022, arXiv
2209.09513.
Data: lupantech/ScienceQA: problems.json with images/test/ID/image.png; LLaVA's llava_test_CQM-A.json; Hugging Face
lmms-lab/ScienceQA; VLMEvalKit's ScienceQA_TEST.tsv. Of 4,241 test questions 2,017 have a picture.
Licence: CC BY-NC-SA 4.0.
Official scorer: haotian-liu/LLaVA llava/eval/eval_science_qa.py at c121f04 reads the letter; lupantech/ScienceQA
tools/evaluate_acc.py counts by subject, context and grade.
Differences: ScienceQA's own script for GPT-3 draws a random option where it reads none; here and in LLaVA's that is wrong, as
is a missing answer. The authors of SPHINX draw too (paper: wrong and counted), which moves their numbers by chance.

Not every layout has ids, so a sample's is made of hint, question and options, and numbered where those repeat.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.conventions import option_letters
from harness.data.options import content_key, lettered
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, media, only, where
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.parsers.letter import letter_or_lettered, letter_or_sentence
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Layout, Task
from harness.types import Generation, Record, Sample

SUBJECTS = {"natural science": "NAT", "social science": "SOC", "language science": "LAN"}
PROMPT = "{hint}{question}\n{options}\n" + OPTION_LETTER
PROMPT_OFFICIAL = "Question: {question}\nContext: {context}\nOptions: {options}\nAnswer:"
PARTS = {"scienceqa": ("test, with a picture", 2017), "scienceqa_all": ("test", 4241)}

SOURCES = (
    on_hub("lmms-lab/ScienceQA", "ScienceQA-FULL/test-*.parquet"),
    vlmevalkit("ScienceQA_TEST", "e42e9e00f9c59a80d8a5db35bc32b71f", note="questions with a picture only"),
)
"""The whole test part, which both tasks read; VLMEvalKit's table has that with pictures."""


def conversation(row: Row, root: Path) -> Row:
    """Take question, options and answer out of LLaVA's turns; a context stays part of the question."""
    asked, said = (turn["value"] for turn in row["conversations"])
    question, _, options = asked.replace("<image>\n", "").rpartition("\nA. ")
    choices = re.split(r"\n[B-E]\. ", options)
    return row.but(question=question, choices=choices, answer="ABCDE".index(said), path=row.get("image"))


def text_of(record: Record) -> str:
    """Hint, question and options, by which layouts agree."""
    hint, question = str(record.get("hint") or ""), record["question"].removeprefix("Context: ")
    return content_key(hint, question, *map(str, record["choices"]))


def layouts(pictured: bool) -> tuple[Layout, ...]:
    """All layouts; of a part that is pictured only the rows that have a picture."""
    counts = where(lambda row: row.get("image") or not pictured)
    same = {"same": text_of}
    files = (columns(pid="key", path="images/test/{key}/{image}|"), media(path="path", optional=True))
    turns = (conversation, columns(pid="id", path="images/test/{path}|"), media(path="path", optional=True))
    return (
        layout("official", "problems.json", steps=(only("split", "test"), counts, *files), repeats=same),
        layout("llava_json", "llava_test_CQM-A.json", steps=(counts, *turns), repeats=same),
        layout("vlmevalkit_tsv", "ScienceQA_TEST.tsv", steps=(lettered, counts), repeats=same),
        layout("hf_parquet", "**/test-*.parquet", steps=(counts,), repeats=same),
    )


def to_sample(record: Record) -> Sample:
    """Map a problem; each is its own cluster. A table may lack subjects and grades."""
    options, hint = tuple(map(str, record["choices"])), str(record.get("hint") or "")
    grade = re.fullmatch(r"grade(\d+)", str(record.get("grade")))
    context = ["TXT"] * (bool(hint) or record["question"].startswith("Context: ")) + ["IMG"] * bool(record.get("image")) or ["NO"]
    return Sample(
        id=text_of(record) + (f"#{record['same'] + 1}" if record.get("same") else ""),
        parts=images(record),
        question=record["question"],
        options=options,
        references=(letters(options)[record["answer"]],),
        groups={
            "subject": SUBJECTS.get(str(record.get("subject")), ""),
            "context": ", ".join(context),
            "grade": ("G1-6" if int(grade[1]) <= 6 else "G7-12") if grade else "",
            "topic": str(record.get("topic") or ""),
        },
        fields={
            "question_id": str(record.get("pid", "")),
            "index": str(record.get("index", "")),
            "hint": hint,
            "context": hint or "N/A",
        },
    )


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in ("subject", "grade", "topic")),
    Metric(name="context", estimator=mean("correct"), by="context", separator=", "),
)

TASKS = tuple(
    Task(
        name=name,
        card=Card.of(__doc__, split=split, n=n),
        layouts=layouts(pictured=name == "scienceqa"),
        sources=SOURCES if name == "scienceqa" else SOURCES[:1],
        to_sample=to_sample,
        prompt=fill(PROMPT, hint="Context: {hint}\n"),
        prompts={"official": fill(PROMPT_OFFICIAL, option="({letter}) {text}")},
        conventions=option_letters(METRICS, "accuracy", official=letter_or_sentence, lmms_eval=letter_or_lettered),
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=16),
    )
    for name, (split, n) in PARTS.items()
)
