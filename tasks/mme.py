"""MME: two yes/no questions about each picture, one with the answer yes and one with no; 14 sub-tasks.

Paper: Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models, arXiv 2306.13394.
Data: MME_Benchmark_release_version, 1,187 pictures, 2,374 questions (on request from the authors). Licence: research only.
Official scorer: eval_tool/calculation.py of BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation.
A sub-task scores 100 * acc + 100 * acc_plus, acc_plus being the share of pictures with both right; perception (ten sub-tasks, at
most 2,000) and cognition (four, at most 800) are sums.
Differences: pairs are formed by picture, not by line; sub-tasks that are not there are left out of a sum instead of an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import cast

from harness.data.sources import Row, find_files, image_handles, layout, media_below, read_fields
from harness.metrics.aggregate import Estimator, Metric, all_of, combine, mean, sum_over
from harness.metrics.choice import correct
from harness.parsers.yes_no import first_four_characters, first_four_stripped, only_one_of_both
from harness.prompts import SHORT_ANSWER
from harness.task import Card, Convention, Layout, Parse, Task
from harness.types import FileSource, Generation, Image, Record, Sample

PROMPT = "{question}"
REQUEST = " Please answer yes or no."

COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
PERCEPTION = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR")
SUBTASKS = PERCEPTION + COGNITION


def read_release(where: Sequence[Path]) -> Iterator[Row]:
    """``SUBTASK/0001.txt`` beside its picture, or ``SUBTASK/questions_answers_YN/0001.txt`` with ``SUBTASK/images/0001.jpg``."""
    if not where[0].is_dir():  # named files are those of the eval_tool
        yield from read_results(where)
        return
    for path in find_files(where, "*/**/*.txt"):
        apart = path.parent.name == "questions_answers_YN"
        folder = path.parent.parent if apart else path.parent
        if folder.name in SUBTASKS:
            stem = path.name.split(".txt")[0]
            pictures = folder / "images" if apart else folder
            found = (pictures / f"{stem}.{suffix}" for suffix in ("jpg", "png", "jpeg"))
            image = FileSource(next((picture for picture in found if picture.exists()), pictures / f"{stem}.jpg"))
            for row in read_fields(path, "question", "answer"):
                yield row.but(category=folder.name, picture=stem, image=image)


def read_results(where: Sequence[Path]) -> Iterator[Row]:
    """``SUBTASK.txt`` of the eval_tool: picture, question, answer and perhaps a reply in a line."""
    for path in find_files(where, "*.txt"):
        category = path.name.split(".txt")[0]
        if category in SUBTASKS:
            for row in read_fields(path, "picture", "question", "answer"):
                yield row.but(category=category, image=media_below(path.parent, f"{category}/{row['picture']}", row.where))


def from_table(row: Row, root: Path) -> Record:
    """VLMEvalKit names the picture in ``image_path``, Hugging Face in ``question_id``."""
    return row.but(picture=row.get("question_id") or row["image_path"])


def in_pairs(one: Layout) -> Layout:
    """Number the questions of each picture and put the sub-tasks in order, so that ids are the same in all layouts."""

    def read(where: Sequence[Path]) -> Iterator[Record]:
        place: Counter[tuple[str, str]] = Counter()
        order = {name: number for number, name in enumerate(SUBTASKS)}
        rows = (cast(Row, record) for record in one.read(where))
        stemmed = (row.but(picture=PurePosixPath(row["picture"]).stem) for row in rows)
        for row in sorted(stemmed, key=lambda row: (order.get(row["category"], len(order)), row["picture"])):
            key = row["category"], row["picture"]
            place[key] += 1
            yield row.but(place=place[key])

    return replace(one, read=read)


def to_sample(record: Record) -> Sample:
    """Map a record; the two questions of a picture share its name, which is their cluster."""
    picture = f"{record['category']}/{record['picture']}"
    return Sample(
        id=f"{picture}#{record['place']}",
        parts=tuple(map(Image, image_handles(record.get("image")))),
        question=record["question"].strip(),
        references=(record["answer"].strip().lower(),),
        cluster=picture,
        groups={"subtask": record["category"], "picture": picture},
        fields={"question_id": picture, "index": str(record.get("index", ""))},
    )


SCORE = combine(((100, mean("correct")), (100, all_of("correct", by="picture"))))


def scored(parse: Parse, cognition: str = "cognition", note: str = "") -> Convention:
    """All conventions count alike; they differ in the parser."""
    sums: dict[str, Estimator] = {
        "total": sum_over("subtask", SCORE),
        "perception": sum_over("subtask", SCORE, PERCEPTION),
        cognition: sum_over("subtask", SCORE, COGNITION),
    }
    parts = {
        "score": (SCORE, "points"),
        "acc": (mean("correct"), "percent"),
        "acc_plus": (all_of("correct", by="picture"), "percent"),
    }
    metrics = (
        *(Metric(name=name, estimator=estimator) for name, estimator in sums.items()),
        *(Metric(name=name, estimator=estimator, unit=unit, by="subtask") for name, (estimator, unit) in parts.items()),
    )
    return Convention(parse=parse, score=correct, metrics=metrics, primary="total", note=note)


TASKS = (
    Task(
        name="mme",
        card=Card(
            title="MME",
            asks="Yes or no, twice about each picture: one question with each answer.",
            split="release version: perception and cognition",
            n=2374,
            paper="arXiv 2306.13394",
            data="MME_Benchmark_release_version",
            scorer="BradyFU/Awesome-Multimodal-Large-Language-Models eval_tool/calculation.py",
            licence="research only; pictures under their own terms",
            differences="Pairs are formed by picture; missing sub-tasks are left out of a sum.",
        ),
        layouts=tuple(
            map(
                in_pairs,
                (
                    Layout(name="official", files=("*/**/*.txt",), read=read_release),
                    Layout(name="eval_tool", files=("*.txt",), read=read_results),
                    layout("vlmevalkit_tsv", "MME.tsv", adapt=from_table),
                    layout("hf_parquet", "**/test-*.parquet", adapt=from_table),
                ),
            )
        ),
        to_sample=to_sample,
        prompt=lambda sample: PROMPT.format(question=sample.question),
        prompts={
            "llava": lambda sample: f"{sample.question.replace(REQUEST, '')}\n{SHORT_ANSWER}",
            "sphinx": lambda sample: f"{sample.question}\n{SHORT_ANSWER}",
        },
        conventions={
            "official": scored(first_four_characters),
            "vlmevalkit": scored(only_one_of_both, "reasoning", "Exactly one of the words yes and no anywhere in the reply."),
            "lmms_eval": scored(first_four_stripped, note="Blanks and periods are stripped before the first four characters."),
        },
        ideal=lambda sample: sample.references[0].capitalize(),
        choices=lambda sample: ("Yes", "No"),
        generation=Generation(max_new_tokens=16),
        unit="points",
    ),
)
