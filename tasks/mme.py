"""MME: yes or no, twice about each picture: one question with the answer yes and one with no; 14 sub-tasks.

Paper: Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models, arXiv 2306.13394.
Data: MME_Benchmark_release_version, 1,187 pictures, 2,374 questions (on request from the authors).
Licence: research only; pictures under their own terms.
Official scorer: eval_tool/calculation.py of BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation.
Differences: pairs are formed by picture, not by line; sub-tasks that are not there are left out of a sum instead of an error.

A sub-task scores 100 * acc + 100 * acc_plus, acc_plus being the share of pictures with both right; perception (ten sub-tasks, at
most 2,000) and cognition (four, at most 800) are sums.
"""

from __future__ import annotations

from harness.data.folders import in_order, part_texts, picture_texts
from harness.data.sources import images, layout
from harness.data.steps import columns
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, all_of, combine, mean, sum_over
from harness.metrics.choice import correct
from harness.parsers.yes_no import first_four_characters, first_four_stripped, only_one_of_both
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Convention, Parse, Task
from harness.types import Generation, Record, Sample

REQUEST = " Please answer yes or no."

COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
PERCEPTION = ("existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR")
SUBTASKS = PERCEPTION + COGNITION

FIELDS = ("question", "answer")
TABLE = (columns(picture="question_id|image_path"),)
TERMS = "MME is for research only; its authors ask to be asked before you use their pictures"
LAYOUTS = (
    picture_texts("official", SUBTASKS, FIELDS, texts="questions_answers_YN", pictures="images"),
    part_texts("eval_tool", SUBTASKS, FIELDS),
    layout("vlmevalkit_tsv", "MME.tsv", steps=TABLE),
    layout("hf_parquet", "**/test-*.parquet", steps=TABLE),
)


def to_sample(record: Record) -> Sample:
    """Map a record; the two questions of a picture share its name, which is their cluster."""
    picture = f"{record['category']}/{record['picture']}"
    return Sample(
        id=f"{picture}#{record['place']}",
        parts=images(record),
        question=record["question"].strip(),
        references=(record["answer"].strip().lower(),),
        cluster=picture,
        groups={"subtask": record["category"], "picture": picture},
        fields={"question_id": picture, "index": str(record.get("index", ""))},
    )


ACC, ACC_PLUS = mean("correct"), all_of("correct", by="picture")
SCORE = combine(((100, ACC), (100, ACC_PLUS)))


def scored(parse: Parse, cognition: str = "cognition", note: str = "") -> Convention:
    """All conventions count alike; they differ in the parser, and in what they call the second sum."""
    metrics = (
        Metric(name="total", estimator=sum_over("subtask", SCORE)),
        Metric(name="perception", estimator=sum_over("subtask", SCORE, PERCEPTION)),
        Metric(name=cognition, estimator=sum_over("subtask", SCORE, COGNITION)),
        Metric(name="score", estimator=SCORE, by="subtask", unit="points"),
        Metric(name="acc", estimator=ACC, by="subtask", unit="percent"),
        Metric(name="acc_plus", estimator=ACC_PLUS, by="subtask", unit="percent"),
    )
    return Convention(parse=parse, score=correct, metrics=metrics, primary="total", note=note)


TASKS = (
    Task(
        name="mme",
        card=Card.of(__doc__, split="release version: perception and cognition", n=2374),
        layouts=tuple(in_order(one, SUBTASKS) for one in LAYOUTS),
        sources=(
            on_hub("lmms-lab/MME", "**/test-*.parquet", terms=TERMS),
            vlmevalkit("MME", "b36b43c3f09801f5d368627fb92187c3", terms=TERMS),
        ),
        to_sample=to_sample,
        prompt=fill("{question}"),
        prompts={
            "llava": lambda sample: f"{sample.question.replace(REQUEST, '')}\n{SHORT_ANSWER}",
            "sphinx": fill("{question}\n" + SHORT_ANSWER),
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
