"""CMMMU val: college-level questions in Chinese with pictures: options (one or several right), true or false, and blanks.

Paper: Zhang et al., CMMMU: A Chinese Massive Multi-discipline Multimodal Understanding Benchmark, arXiv 2401.11944.
Data: CMMMU-Benchmark/CMMMU cmmmu-data-val-answer.jsonl with images/; Hugging Face m-a-p/CMMMU (six folders) or lmms-lab/CMMMU,
split val; VLMEvalKit's CMMMU_VAL.tsv. 900 questions.
Licence: Apache-2.0.
Official scorer: CMMMU-Benchmark/CMMMU eval/utils/eval_utils.py: all letters that are named most often (in brackets, else
anywhere, else by text); a judgement by words behind others such as "是"; blanks by what stands there, a right text standing
anywhere within.
Differences: where the scorer finds nothing it draws (seed 42, so that a score depends on the order of all questions): here that
is wrong, and counted as unparsed. A missing answer is wrong, where the scorer stops. "不对" (not right) is right for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from harness.data.sources import Row, image_handles, images, layout, media_below
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean
from harness.metrics.choice import correct
from harness.metrics.held import holding
from harness.parsers.candidates import most_named
from harness.parsers.tails import FALSE_CN, TRUE_CN, blank_filled, normalised_near, true_or_false_cn
from harness.prompts import letters, option_lines
from harness.task import Card, Convention, Score, Task
from harness.types import Generation, Parsed, Record, Sample

CHOICE, JUDGEMENT, BLANK = "选择", "判断", "填空"
INSTRUCTIONS = {
    CHOICE: "请回答以下多项选择题，并选出正确选项。这些题目可能包括单选和多选题型。如果所提供的信息不足以确定一个明确的答案，"
    "那么请根据可用的数据和你的判断来选择最可能正确的选项。",
    JUDGEMENT: "请回答以下判断题，并根据题目描述和所给的信息来判断问题中陈述的对错。如果信息不完整或不足以作出绝对判断，"
    "请运用你的逻辑推理和现有信息来做出最可能的判断。",
    BLANK: "请回答以下填空题，并根据题目的要求和所提供的信息来给出最恰当的答案。如果信息不足以确切回答，"
    "那么请依据现有的数据和你的推理能力来填写最合理的答案。",
}
PICTURES = range(1, 6)


def from_files(row: Row, root: Path) -> Row:
    """The authors' file names pictures, which lie in ``images``."""
    names = [row.get(f"image_{n}_filename") for n in PICTURES]
    return row.but(image=[media_below(root, f"images/{name}", row.where) for name in names if name])


def from_columns(row: Row, root: object) -> Row:
    """Hugging Face has a column for each picture."""
    return row.but(image=[one for n in PICTURES for one in image_handles(row.get(f"image_{n}"))])


LAYOUTS = (
    layout("official", "cmmmu-data-val-answer.jsonl", steps=(from_files,)),
    layout("vlmevalkit_tsv", "CMMMU_VAL.tsv", steps=(lambda row, root: row.but(id=row.get("id") or row["index"]),)),
    layout("hf_parquet", "**/val-*.parquet", steps=(from_columns,)),
)


def to_sample(record: Record) -> Sample:
    """Map a question; marks of pictures in its text become numbered ones, as the authors ask it."""
    question = record["question"]
    for n in PICTURES:
        question = question.replace(f'<img="{record.get(f"image_{n}_filename")}">', f"<图片 {n}>")
    of_choice = record["type"] == CHOICE
    return Sample(
        id=str(record["id"]),
        parts=images(record),
        question=question,
        options=tuple(str(record[f"option{n}"]) for n in range(1, 5)) if of_choice else (),
        references=(str(record["answer"]),),
        groups={name: str(record.get(name) or "") for name in ("type", "category", "subcategory")},
    )


def prompt(sample: Sample) -> str:
    """The authors' form."""
    options = f"选项：\n{option_lines(sample.options, '({letter}) {text}')}\n\n" if sample.options else ""
    return f"{INSTRUCTIONS[sample.groups['type']]}\n\n问题：{sample.question}\n{options}正确答案：\n"


def parse(reply: str, sample: Sample) -> Parsed:
    """Read the reply by the question's type."""
    kind = sample.groups["type"]
    if kind == CHOICE:
        return most_named(reply, sample)
    return true_or_false_cn(reply, sample) if kind == JUDGEMENT else blank_filled(reply, sample)


def credits(most: float, parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """Equal letters or judgements; a blank earns one for each candidate that holds the answer, at ``most`` so many."""
    if sample.groups["type"] != BLANK:
        return correct(parsed, sample)
    right = normalised_near(sample.references[0], sample.references[0])
    return {"correct": min(most, holding(parsed.answer or (), right))}


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    *(Metric(name=name, estimator=mean("correct"), by=name) for name in ("category", "type", "subcategory")),
)


def scored(score: Score, note: str = "") -> Convention:
    """All conventions read alike."""
    return Convention(parse=parse, score=score, metrics=METRICS, primary="accuracy", note=note)


def closed(sample: Sample) -> tuple[str, ...]:
    """Letters, or the two judgements."""
    return (TRUE_CN, FALSE_CN) if sample.groups["type"] == JUDGEMENT else letters(sample.options)


TASKS = (
    Task(
        name="cmmmu",
        card=Card.of(__doc__, split="val", n=900),
        layouts=LAYOUTS,
        sources=(on_hub("lmms-lab/CMMMU", "data/val-*.parquet"), vlmevalkit("CMMMU_VAL", "b4727e2fce2415bf646379e60c11a726")),
        to_sample=to_sample,
        prompt=prompt,
        conventions={
            "official": scored(partial(credits, 1.0)),
            "vlmevalkit": scored(
                partial(credits, float("inf")),
                "A blank earns one for each candidate that holds the answer, so that an accuracy may pass 1.",
            ),
            "lmms_eval": scored(partial(credits, 1.0), "An empty reply to a choice is a random letter there, and wrong here."),
        },
        ideal=lambda sample: sample.references[0],
        choices=closed,
        generation=Generation(max_new_tokens=64),
    ),
)
