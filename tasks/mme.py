"""MME: two yes/no questions about each picture, one with the answer yes and one with no; 14 sub-tasks.

Paper: Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models, arXiv 2306.13394.
Data: MME_Benchmark_release_version, 1,187 pictures, 2,374 questions (on request from the authors). Licence: research only.
Official scorer: eval_tool/calculation.py of BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation.
A sub-task scores 100 * acc + 100 * acc_plus, acc_plus being the share of pictures with both right; perception (ten sub-tasks, at
most 2,000) and cognition (four, at most 800) are sums.
Differences: pairs are formed by picture, not by line; sub-tasks that are not there are left out of a sum instead of an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.data.folders import in_order, text_per_part, text_per_picture
from harness.data.sources import Row, image_handles, layout
from harness.metrics.aggregate import Estimator, Metric, all_of, combine, mean, sum_over
from harness.metrics.choice import correct
from harness.parsers.yes_no import first_four_characters, first_four_stripped, only_one_of_both
from harness.prompts import SHORT_ANSWER
from harness.task import Card, Convention, Layout, Parse, Task
from harness.types import Generation, Image, Record, Sample

PROMPT = "{question}"
REQUEST = " Please answer yes or no."

COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
PERCEPTION = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR")
SUBTASKS = PERCEPTION + COGNITION


def read_release(where: Sequence[Path]) -> Iterator[Record]:
    """Both forms that the release mixes; files named one by one are results."""
    if not where[0].is_dir():
        return read_results(where)
    return text_per_picture(where, SUBTASKS, ("question", "answer"), texts="questions_answers_YN", pictures="images")


def read_results(where: Sequence[Path]) -> Iterator[Record]:
    """``SUBTASK.txt`` of the eval_tool, where a reply may stand in a fourth field."""
    return text_per_part(where, SUBTASKS, ("picture", "question", "answer"))


def from_table(row: Row, root: Path) -> Record:
    """VLMEvalKit names the picture in ``image_path``, Hugging Face in ``question_id``."""
    return row.but(picture=row.get("question_id") or row["image_path"])


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


LAYOUTS = (
    Layout(name="official", files=("*/**/*.txt",), read=read_release),
    Layout(name="eval_tool", files=("*.txt",), read=read_results),
    layout("vlmevalkit_tsv", "MME.tsv", adapt=from_table),
    layout("hf_parquet", "**/test-*.parquet", adapt=from_table),
)

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
        layouts=tuple(in_order(one, SUBTASKS) for one in LAYOUTS),
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
