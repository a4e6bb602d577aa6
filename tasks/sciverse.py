"""SciVerse: science problems in five versions, which say more or less of the knowledge they need or show the question.

Paper: Guo et al., SciVerse: Unveiling the Knowledge Comprehension and Visual Reasoning of LMMs on Multi-modal Scientific
Problems, arXiv 2503.10627.
Data: Hugging Face ZiyuG/SciVerse QA.json or QA.parquet with the folders of Image.zip, Image_VisionDominant.zip and
Image_VisionOnly.zip: 1,147 problems of physics, chemistry and biology, 5,735 questions. The SPHINX-X paper had an earlier
release.
Licence: not stated on the card.
Official scorer: none was published. Accuracy: the option that the reply names by letter or else by its text, nothing guessed;
questions without options by their text, with blanks, capitals and a final period aside.
Differences: the prompt is ours, since no official one is known; of Vision Only, whose picture holds all, it is the instruction
alone. Text Only, a column of the SPHINX-X paper, is not among the published files. Versions bear the names of the data and that
paper; the later paper calls lite, rich and professional Knowledge-free, -lite and -rich.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.data.options import offered
from harness.data.sources import Row, images, layout
from harness.data.steps import media
from harness.fetch.sources import on_hub
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.metrics.text import equals, text_score, without_blanks
from harness.parsers.letter import letter_up_to_period, option_or_text
from harness.prompts import OPTION_LETTER, SHORT_ANSWER, fill, letters, option_lines
from harness.task import Card, Convention, Task
from harness.types import Generation, Record, Sample

VERSIONS = {
    "Knowledge Lite": ("knowledge_lite", "image", "Image"),
    "Knowledge Rich": ("knowledge_rich", "image", "Image"),
    "Knowledge Professional": ("knowledge_professional", "image", "Image"),
    "Vision Dominant": ("question_vd", "vision_dominant", "Image_VisionDominant"),
    "Vision Only": ("", "vision_only", "Image_VisionOnly"),
}
"""The columns of a version's text and picture, and the folder that its archive holds."""


def versions(row: Row, root: Path) -> Iterator[Row]:
    """Make five questions of a problem; the path of a picture may begin with its folder or not."""
    for version, (text, picture, folder) in VERSIONS.items():
        name = str(row[picture] or "").removeprefix("./")
        path = name if not name or name.startswith(f"{folder}/") or not (root / folder).is_dir() else f"{folder}/{name}"
        yield row.but(version=version, question=row[text] or "" if text else "", path=path)


STEPS = (versions, media(path="path", optional=True))
LAYOUTS = (layout("official", "**/QA.json", steps=STEPS), layout("hf_parquet", "**/QA*.parquet", steps=STEPS))


def to_sample(record: Record) -> Sample:
    """Map a version of a problem, which is the cluster; an answer in words that is an option's text is its letter."""
    options = offered({letter: record.get(f"choice{letter}") for letter in "ABCDE"}, "ABCDE")
    answer = str(record["answer"]).strip()
    if answer in options:
        answer = letters(options)[options.index(answer)]
    return Sample(
        id=f"{record['version'].lower().replace(' ', '_')}_{record['id']}",
        parts=images(record),
        question=record["question"],
        options=options,
        references=(answer.strip("().") if options else answer,),
        cluster=str(record["id"]),
        groups={"version": record["version"], "subject": str(record["subject"])},
    )


PLAIN = text_score("correct", equals(without_blanks))
METRICS = (
    Metric(name="five_versions", estimator=mean_over("version", mean("correct"), tuple(VERSIONS))),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in ("version", "subject")),
)
OFFICIAL = Convention(
    parse=option_or_text, score=PLAIN, metrics=METRICS, primary="five_versions", note="Ours: no scorer was published."
)

TASKS = (
    Task(
        name="sciverse",
        card=Card.of(__doc__, split="test, five versions", n=5735),
        layouts=LAYOUTS,
        sources=(on_hub("ZiyuG/SciVerse", "QA.json", layout="official", note="without pictures: their archives lie beside it"),),
        to_sample=to_sample,
        prompt=fill(
            "{asked}{options}{instruction}",
            asked=lambda sample: f"{sample.question}\n" if sample.question else "",
            options=lambda sample: f"{option_lines(sample.options)}\n" if sample.question and sample.options else "",
            instruction=lambda sample: OPTION_LETTER if sample.options else SHORT_ANSWER,
        ),
        conventions={
            "official": OFFICIAL,
            "paper": replace(OFFICIAL, parse=letter_up_to_period, note="The SPHINX authors' reading of options: a bare letter."),
        },
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=64),
    ),
)
