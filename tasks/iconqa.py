"""IconQA: abstract diagrams; choose a picture, choose a text, or fill in the blank.

Paper: Lu et al., IconQA: A New Benchmark for Abstract Diagram Understanding and Visual Language Reasoning, NeurIPS 2021, arXiv
2110.13214.
Data: iconqa.github.io: iconqa_data/problems.json, pid2skills.json and iconqa/test/TASK/ID/{image,choice_0,...}.png; 21,489 test
questions, of which 11,535 choose a picture, 6,316 a text, and 3,638 fill in. Hugging Face lmms-lab/ICON-QA, which has two
pictures to choose from at most.
Licence: CC BY-NC-SA 4.0.
Official scorer: lupantech/IconQA tools/sub_acc.py at bcb414c: the prediction is the answer to the letter: an option's place,
counted from 0, or the text for the blank.
Differences: the script leaves out missing predictions and stops where no answer of a sub-task or skill is right; here both are
wrong and 0. It reads no replies, so the default prompt asks for the place; strict reads letters and texts of options too.
lmms-eval's task compares with the word "answers" and means nothing.

Papers on language models mostly report the questions that choose a text, which are iconqa_txt. The column IVQA of SPHINX-X
names no split.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.data.sources import Row, images, layout, whole_json
from harness.data.steps import columns, only
from harness.errors import DatasetError
from harness.fetch.sources import on_hub
from harness.metrics.aggregate import Metric, mean
from harness.metrics.text import equals, lowered, text_score
from harness.parsers.choice import letter_among
from harness.parsers.text import as_given, stripped
from harness.prompts import OPTION_LETTER, SHORT_ANSWER, letters, option_lines
from harness.task import Card, Convention, Layout, Task
from harness.types import FileSource, Generation, Parsed, Record, Sample

PLACE = "Answer with the number of the right option."
KINDS = {"iconqa": ("test", 21489, None), "iconqa_txt": ("test, choose a text", 6316, "choose_txt")}


def beside(row: Row, root: Path) -> Row:
    """Add the skills, which another file has, and the pictures, the diagram first."""
    file, folder = root / "pid2skills.json", root / "iconqa" / row["split"] / row["ques_type"] / row["key"]
    if not file.exists():
        raise DatasetError(f"{row.where}: {file} is not there; it names the skills of each question")
    shown = ["image.png", *(row["choices"] if row["ques_type"] == "choose_img" else ())]
    return row.but(skills=whole_json(file)[row["key"]], image=[FileSource(folder / Path(name).name) for name in shown])


def from_columns(row: Row, root: Path) -> Row:
    """Gather Hugging Face's columns: choices and skills parted by commas, a column for each picture."""
    pictures = [row.get(name) for name in ("query_image", "choice_image_0", "choice_image_1")]
    lists = {name: [one.strip() for one in (row.get(name) or "").split(",") if one.strip()] for name in ("choices", "skills")}
    return row.but(**lists, image=[one for one in pictures if one is not None])


def layouts(kind: str | None) -> tuple[Layout, ...]:
    """The official tree and Hugging Face's table, whole or of one sub-task."""
    part = (only("ques_type", kind),) if kind else ()
    return (
        layout(
            "official",
            "problems.json",
            beside=("pid2skills.json",),
            steps=(only("split", "test"), *part, columns(question_id="key"), beside),
        ),
        layout("hf_parquet", "**/test-*.parquet", steps=(*part, from_columns)),
    )


def to_sample(record: Record) -> Sample:
    """Map a problem; each is its own cluster. Pictures to choose from are named by their place."""
    kind, choices = record["ques_type"], tuple(map(str, record["choices"] or ()))
    options = tuple(f"picture {place}" for place in range(len(choices))) if kind == "choose_img" else choices
    return Sample(
        id=str(record["question_id"]),
        parts=images(record),
        question=record["question"],
        options=options if kind != "fill_in_blank" else (),
        references=(re.sub(r"^choice_(\d+)\.png$", r"\1", str(record["answer"])),),
        groups={"task": kind, "skill": ", ".join(record["skills"]), "grade": str(record.get("grade") or "")},
    )


def by_place(sample: Sample) -> str:
    """The question with options numbered from 0; the pictures to choose from follow the diagram in that order."""
    if not sample.options:
        return f"{sample.question}\n{SHORT_ANSWER}"
    return "\n".join((sample.question, *(f"({place}) {text}" for place, text in enumerate(sample.options)), PLACE))


def by_letter(sample: Sample) -> str:
    """The question with options as letters."""
    if not sample.options:
        return by_place(sample)
    return "\n".join((sample.question, option_lines(sample.options), OPTION_LETTER))


def place_or_letter(reply: str, sample: Sample) -> Parsed:
    """The place of an option, alone or as a letter, or read by its text; for the blank the stripped reply."""
    bare = reply.strip().strip("().")
    if not sample.options or (bare.isdecimal() and bare not in sample.options):
        return stripped(bare if sample.options else reply, sample)
    found = letter_among(reply, sample.options)
    named = found.answer in letters(sample.options)
    return Parsed(str(letters(sample.options).index(found.answer)), found.reason) if named else Parsed(None, found.reason)


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="task", estimator=mean("correct"), by="task"),
    Metric(name="skill", estimator=mean("correct"), by="skill", separator=", "),
)
OFFICIAL = Convention(parse=as_given, score=text_score("correct", equals()), metrics=METRICS, primary="accuracy")
STRICT = Convention(
    parse=place_or_letter,
    score=text_score("correct", equals(lowered)),
    metrics=METRICS,
    primary="accuracy",
    note="Options by place, letter or text; blanks stripped and lower-cased. For replies in words, with prompt=letters.",
)

TASKS = tuple(
    Task(
        name=name,
        card=Card.of(__doc__, split=split, n=n),
        layouts=layouts(kind),
        sources=(on_hub("lmms-lab/ICON-QA", "**/test-*.parquet", note="two pictures to choose from at most"),),
        to_sample=to_sample,
        prompt=by_place,
        prompts={"letters": by_letter},
        conventions={"official": OFFICIAL, "strict": STRICT},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: tuple(map(str, range(len(sample.options)))),
        generation=Generation(max_new_tokens=16),
        needs=frozenset({"images"} if kind else {"images", "several_images"}),
    )
    for name, (split, n, kind) in KINDS.items()
)
