"""HallusionBench: yes or no about figures, some of them edited, some not shown; does the model see, or say what it knows?

Paper: Guan et al., HallusionBench: An Advanced Diagnostic Suite for Entangled Language Hallucination and Visual Illusion, CVPR
2024, arXiv 2310.14566.
Data: tianyi-lab/HallusionBench HallusionBench.json with hallusion_bench/: 1,129 rows, 178 of them without a picture. Hugging Face
lmms-lab/HallusionBench and VLMEvalKit's HallusionBench.tsv have the 951 with one.
Licence: BSD-3-Clause.
Official scorer: tianyi-lab/HallusionBench evaluation.py and utils.py: GPT-4 says correct, incorrect or unclear, of every reply;
so does any judge here, and verdicts that a file of replies holds are read as there. Without a judge exactly one of the words yes
and no is the answer (judge: rule); what has none is wrong.
Differences: a missing answer is wrong. qAcc, easy and hard count a question of all (unedited, edited) figures as one, as the
code does, and not the rows, as the table's head says; fAcc counts a figure as one. In the layouts of 951 rows questions lose
their row without a picture, so that qAcc is easier and aAcc another number: conventions vlmevalkit and lmms_eval count as they
do. The diagnosis of causes needs a second judge, and is not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.data.sources import Row, images, layout
from harness.data.steps import media
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, Moment, Rows, all_of, combine, mean, mean_over, ratio
from harness.parsers.verdict import UNCLEAR, correct_or_incorrect
from harness.parsers.yes_no import only_one_of_both
from harness.prompts import fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Parsed, Record, Sample
from tasks.judges import hallusionbench

KEYS = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")


def indexed(row: Row, root: object) -> Row:
    """VLMEvalKit's: ``VD_video_1_0_0_0`` holds all keys, the answer is a word."""
    return row.but(**dict(zip(KEYS, str(row["index"]).split("_"), strict=True)), gt_answer=str(int(row["answer"] == "Yes")))


def figured(row: Row, root: object) -> Row:
    """Name the figure's file, by the scorer's rule; none where none is shown."""
    path = f"hallusion_bench/{row['category']}/{row['subcategory']}/{row['set_id']}_{row['figure_id']}.png"
    return row.but(path=path if str(row["visual_input"]) != "0" else None)


LAYOUTS = (
    layout("official", "HallusionBench.json", steps=(figured, media(path="path", optional=True))),
    layout("vlmevalkit_tsv", "HallusionBench.tsv", steps=(indexed,)),
    layout("hf_parquet", "**/image-*.parquet"),
)


def to_sample(record: Record) -> Sample:
    """Map a row; all that share figures and questions (a set) are a cluster."""
    own = {key: str(record[key]) for key in KEYS}
    of_set = f"{own['category']}/{own['subcategory']}/{own['set_id']}"
    without = own["category"] == "VS" and own["figure_id"] == "0"
    return Sample(
        id="_".join(own.values()),
        parts=images(record),
        question=record["question"],
        references=("yes" if str(record["gt_answer"]) == "1" else "no",),
        cluster=of_set,
        groups={
            "category": own["category"],
            "subcategory": f"{own['category']}_{own['subcategory']}",
            "question": f"{of_set}/{own['question_id']}",
            "figure": f"{of_set}/{own['figure_id']}",
            "part": "hard" if own["visual_input"] == "2" else "easy",
            "figure_shown": "no" if without else "yes",
            "image": "no" if own["visual_input"] == "0" else "yes",
        },
        fields={"index": "_".join(own.values()), "details": str(record.get("gt_answer_details") or "")},
    )


def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """``correct``: the reference, or an unclear verdict on a question whose figure is not shown; and what bias is made of."""
    unclear = parsed.answer == UNCLEAR and sample.groups["figure_shown"] == "no"
    right, truth = float(unclear or parsed.answer in sample.references), float(sample.references[0] == "yes")
    return {
        "correct": right,
        "wrong": 1 - right,
        "yes": float(right == truth),
        "truth": truth,
        "wrong_yes": (1 - right) * (1 - truth),
    }


FIGURES = {"figure_shown": "yes"}


def figure_score(rows: Rows) -> Moment:
    """The mean over figures of the share of right answers."""
    return mean_over("figure", mean("correct"))(rows.narrow(FIGURES))


def accuracies(image: dict[str, str], by: str | None = None) -> tuple[Metric, ...]:
    """The three accuracies over the rows with these groups."""
    of = {
        "aAcc": mean("correct", where=image),
        "fAcc": all_of("correct", by="figure", where=FIGURES | image),
        "qAcc": all_of("correct", by="question", where=image),
    }
    return tuple(Metric(name=name, estimator=estimator, by=by) for name, estimator in of.items())


EASY_AND_HARD = tuple(
    Metric(name=f"{part}_aAcc", estimator=all_of("correct", by="question", where={"part": part}), by=by)
    for by in (None, "category")
    for part in ("easy", "hard")
)
OFFICIAL = (
    *accuracies({}), *EASY_AND_HARD, *accuracies({}, by="category"),
    Metric(name="subcategory", estimator=mean("correct"), by="subcategory"),
    Metric(name="figure_score", estimator=figure_score),
    Metric(name="figures_all_wrong", estimator=all_of("wrong", by="figure", where=FIGURES)),
    Metric(name="yes_difference", estimator=combine(((1, mean("yes")), (-1, mean("truth")))), unit="fraction"),
    Metric(name="false_positive_ratio", estimator=ratio("wrong_yes", "wrong"), unit="fraction"),
)  # fmt: skip
PICTURED = {"image": "yes"}


def scored(metrics: tuple[Metric, ...], note: str = "") -> Convention:
    """All conventions read alike; they differ in the rows that count."""
    return Convention(
        parse=only_one_of_both, extracted=correct_or_incorrect, score=score, metrics=metrics, primary="aAcc", note=note
    )


TASKS = (
    Task(
        name="hallusionbench",
        card=Card.of(__doc__, split="all rows, with and without a picture", n=1129),
        layouts=LAYOUTS,
        sources=(
            vlmevalkit("HallusionBench", note="the 951 rows with a picture"),
            on_hub("lmms-lab/HallusionBench", "data/image-*.parquet", note="the 951 rows with a picture"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}"),
        prompts={"yes_no": fill("{question} Please answer yes or no.")},
        conventions={
            "official": replace(scored(OFFICIAL, "Without a verdict of a judge by rule."), judging=hallusionbench.OFFICIAL),
            "vlmevalkit": scored((*accuracies(PICTURED), *accuracies(PICTURED, by="category")), "Rows with a picture only."),
            "lmms_eval": scored(accuracies(PICTURED), "Rows with a picture only; its judge is GPT-4."),
        },
        ideal=lambda sample: sample.references[0].capitalize(),
        choices=lambda sample: ("Yes", "No"),
        generation=Generation(max_new_tokens=64),
    ),
)
