"""MathVista testmini: mathematics in pictures; the answer is an option, an integer, a decimal number or a list.

Paper: Lu et al., MathVista: Evaluating Mathematical Reasoning of Foundation Models in Visual Contexts, ICLR 2024,
arXiv 2310.02255.
Data: lupantech/MathVista data/testmini.json at 53d5258 with data/images, or Hugging Face AI4Math/MathVista split testmini:
1,000 questions, 540 with options, 418 integers, 40 decimals, 2 lists.
Licence: CC BY-SA 4.0, not for training.
Official scorer: lupantech/MathVista evaluation/extract_answer.py --quick_extract and calculate_score.py at 53d5258.
Differences: the scorer asks GPT-4 to take the answer out of a reply; without a judge rules do what they can (judge: rule), and
a reply that needs it is marked and wrong. Stored extractions (field ``extraction`` of the official result files) are scored as
they are.

Known label error, kept: question 479. Hugging Face has precisions as floats, to which the scorer cannot round: made whole here.
The scorer groups by the labels in the result file, and those of published results are older (skills, grades): give such a file as
data as well to get the groups that were published with it.
"""

from __future__ import annotations

from dataclasses import replace

from harness.conventions import typed
from harness.data.sources import images, layout
from harness.data.steps import columns, media, whole_numbers
from harness.fetch.sources import Offer, on_github, on_hub
from harness.metrics.aggregate import Metric, mean
from harness.parsers.typed import as_written, by_rule
from harness.prompts import fill, letters
from harness.task import Card, Task
from harness.types import Generation, Record, Sample
from tasks.judges import mathvista

PROMPT = "Hint: Please answer the question {hint}, at the end.\nQuestion: {question}{unit}{options}"
HINTS = {
    "text": "and provide the correct option letter, e.g., A, B, C, D",
    "integer": "requiring an integer answer and provide the final value, e.g., 1, 2, 3",
    "float 1": "requiring a floating-point number with one decimal place and provide the final value, e.g., 1.2, 1.3, 1.4",
    "float 2": "requiring a floating-point number with two decimal places and provide the final value, e.g., 1.23, 1.34, 1.45",
    "list": "requiring a Python list as an answer and provide the final list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]",
}
GROUPS = ("question_type", "answer_type", "language", "source", "category", "task", "context", "grade")
LAYOUTS = (
    layout("official", "testmini.json", steps=(columns(image_path="image"), media(), whole_numbers("precision"))),
    layout("hf_parquet", "**/testmini-*.parquet", steps=(columns(image="decoded_image|"), whole_numbers("precision"))),
)


def to_sample(record: Record) -> Sample:
    """Map a record; each question is its own cluster."""
    about = {**record["metadata"], "question_type": record["question_type"], "answer_type": record["answer_type"]}
    return Sample(
        id=str(record["pid"]),
        parts=images(record),
        question=record["question"],
        options=tuple(map(str, record["choices"] or ())),
        references=(str(record["answer"]),),
        groups={name: str(about[name]) for name in GROUPS if name in about} | {"skills": ", ".join(about.get("skills", ()))},
        fields={"unit": record["unit"] or "", "precision": record["precision"]},
    )


def hint(sample: Sample) -> str:
    """The form of the answer (create_one_query in evaluation/build_query.py, shot type ``solution``)."""
    kind = sample.groups["answer_type"]
    decimals = f" {sample.fields['precision'] or 2:.0f}" if kind == "float" else ""
    return HINTS.get(kind + decimals, HINTS["float 2" if decimals else "text"])


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
TYPED = typed(METRICS, primary="accuracy")

TASKS = (
    Task(
        name="mathvista",
        card=Card.of(__doc__, split="testmini", n=1000),
        layouts=LAYOUTS,
        sources=(
            on_hub("AI4Math/MathVista", "**/testmini-*.parquet"),
            Offer(
                layout="official",
                parts=on_github("lupantech/MathVista", "53d525874bdde205128e6b160b7357a88277d479", "data/testmini.json"),
                note="without pictures: for replies made elsewhere",
            ),
        ),
        to_sample=to_sample,
        prompt=fill(PROMPT, hint=hint, unit=" (Unit: {unit})", options="\nChoices:\n{options}", option="({letter}) {text}"),
        conventions=TYPED | {"official": replace(TYPED["official"], judging=mathvista.OFFICIAL)},
        ideal=ideal,
        choices=lambda sample: sample.options,
        generation=Generation(max_new_tokens=512),
    ),
)
