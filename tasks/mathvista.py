"""MathVista testmini: mathematics in pictures; options, integers, decimal numbers and lists.

Paper: Lu et al., MathVista: Evaluating Mathematical Reasoning of Foundation Models in Visual Contexts, ICLR 2024,
arXiv 2310.02255. Licence: CC BY-SA 4.0, not for training.
Data: lupantech/MathVista data/testmini.json at 53d5258 with data/images, or Hugging Face AI4Math/MathVista split testmini:
1,000 questions, 540 with options, 418 integers, 40 decimals, 2 lists.
Official scorer: evaluation/extract_answer.py --quick_extract and calculate_score.py at 53d5258. Its first step asks GPT-4 to take
the answer out of a reply; here rules do what they can, and a reply that needs the judge is marked and wrong. Stored extractions
(field ``extraction`` of the official result files) are scored as they are. Known label error, kept: question 479.
"""

from __future__ import annotations

from pathlib import Path

from harness.data.sources import Row, image_handles, layout, media_below
from harness.metrics.aggregate import Metric, mean
from harness.metrics.choice import correct, correct_number
from harness.parsers.typed import as_written, by_rule, option_or_bare_number, without_decimals
from harness.prompts import letters, option_lines
from harness.task import Card, Convention, Task
from harness.types import Generation, Image, Record, Sample

PROMPT = "Hint: Please answer the question {hint}, at the end.\nQuestion: {question}{unit}{choices}"
HINTS = {
    "text": "and provide the correct option letter, e.g., A, B, C, D",
    "integer": "requiring an integer answer and provide the final value, e.g., 1, 2, 3",
    "float 1": "requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4",
    "float 2": "requiring a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45",
    "list": "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]",
}
GROUPS = ("question_type", "answer_type", "language", "source", "category", "task", "context", "grade")


def from_json(row: Row, root: Path) -> Record:
    """The picture lies below the folder of testmini.json."""
    return row.but(image=media_below(root, row["image"], row.where), precision=whole(row["precision"]))


def from_parquet(row: Row, root: Path) -> Record:
    """Hugging Face has the picture's path in ``image`` and the picture in ``decoded_image``."""
    return row.but(image=row.get("decoded_image"), precision=whole(row["precision"]))


def whole(precision: float | None) -> int | None:
    """Hugging Face holds the precision as a float, which the official scorer cannot round to; the authors' file as an int."""
    return None if precision is None or precision != precision else int(precision)


def to_sample(record: Record) -> Sample:
    """Map a record; each question is its own cluster."""
    about = {**record["metadata"], "question_type": record["question_type"], "answer_type": record["answer_type"]}
    return Sample(
        id=str(record["pid"]),
        parts=tuple(map(Image, image_handles(record.get("image")))),
        question=record["question"],
        options=tuple(map(str, record["choices"] or ())),
        references=(str(record["answer"]),),
        groups={name: str(about[name]) for name in GROUPS if name in about} | {"skills": ", ".join(about.get("skills", ()))},
        fields={"unit": record["unit"] or "", "precision": record["precision"]},
    )


def prompt(sample: Sample) -> str:
    """Build the official query (create_one_query in evaluation/build_query.py, shot type ``solution``)."""
    kind = sample.groups["answer_type"]
    decimals = f" {sample.fields['precision'] or 2:.0f}" if kind == "float" else ""
    unit = f" (Unit: {sample.fields['unit']})" if sample.fields["unit"] else ""
    choices = f"\nChoices:\n{option_lines(sample.options, '({letter}) {text}')}" if sample.options else ""
    hint = HINTS.get(kind + decimals, HINTS["float 2" if decimals else "text"])
    return PROMPT.format(hint=hint, question=sample.question, unit=unit, choices=choices)


def ideal(sample: Sample) -> str:
    """The bare answer where the rules read it, else the sentence of the quick extraction, with the letter for options."""
    answer = sample.references[0]
    if by_rule(as_written)(answer, sample).answer == answer:
        return answer
    named = letters(sample.options)[sample.options.index(answer)] if answer in sample.options else answer
    return f'The answer is "{named}".'


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in GROUPS),
    Metric(name="skills", estimator=mean("correct"), by="skills", separator=", "),
)

TASKS = (
    Task(
        name="mathvista",
        card=Card(
            title="MathVista testmini",
            asks="A mathematical question about a picture; the answer is an option, a number or a list.",
            split="testmini",
            n=1000,
            paper="arXiv 2310.02255",
            data="lupantech/MathVista data/testmini.json at 53d5258; Hugging Face AI4Math/MathVista",
            scorer="lupantech/MathVista evaluation/extract_answer.py (rules only) and calculate_score.py at 53d5258",
            licence="CC BY-SA 4.0, not for training",
            differences="Replies that need GPT-4's extraction are wrong and marked, unless an extraction is stored with them.",
        ),
        layouts=(
            layout("official", "testmini.json", adapt=from_json),
            layout("hf_parquet", "**/testmini-*.parquet", adapt=from_parquet),
        ),
        to_sample=to_sample,
        prompt=prompt,
        conventions={
            "official": Convention(
                parse=by_rule(as_written), extracted=as_written, score=correct, metrics=METRICS, primary="accuracy"
            ),
            "vlmevalkit": Convention(
                parse=option_or_bare_number,
                extracted=option_or_bare_number,
                score=correct_number,
                metrics=METRICS,
                primary="accuracy",
                note="Options by letter or text without a nearest one; decimals are not rounded; lists are always wrong.",
            ),
            "lmms_eval": Convention(
                parse=by_rule(without_decimals),
                extracted=without_decimals,
                score=correct,
                metrics=METRICS,
                primary="accuracy",
                note="Decimal questions are always wrong: their precision is read as a float.",
            ),
        },
        ideal=ideal,
        choices=lambda sample: sample.options,
        generation=Generation(max_new_tokens=512),
    ),
)
