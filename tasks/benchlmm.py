"""BenchLMM: questions about pictures in other styles than photographs: art, sensors, and uses such as driving or games.

Paper: Cai et al., BenchLMM: Benchmarking Cross-style Visual Capability of Large Multimodal Models, ECCV 2024, arXiv 2312.02896.
Data: AIFEG/BenchLMM jsonl/Benchmark_<style>.jsonl, 15 styles, 1,967 questions; pictures in BenchLMM.zip of AIFEG/BenchLMM on
Hugging Face, below images/<style>, <style> or images.
Licence: Apache-2.0 (code).
Official scorer: AIFEG/BenchLMM evaluate/gpt_evaluation_script*.py and avg_score.py: a chat model grades each reply from 0 to 1;
in games and with robots it says whether the action is right.
Differences: the wording is chosen by the style's name, which evaluate.sh misses for Robots. A game's grade outside 0 to 1 is
unread. As there, empty replies and those without a readable grade are left out of the means (which raises them);
with_all counts them as 0. The paper's average is taken as the mean over styles; by its three fields is given too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.data.sources import Row, images, layout
from harness.data.steps import media
from harness.metrics.aggregate import Metric, mean, mean_over, ratio
from harness.metrics.text import equals, without_marks
from harness.parsers.text import stripped
from harness.prompts import fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Parsed, Record, Sample
from tasks.judges import benchlmm

FIELDS = {
    "artistic": ("style_cartoon", "style_handmake", "style_painting", "style_sketch", "style_tattoo"),
    "sensor": ("CT", "MRI", "Med-X-RAY", "infrard", "xray"),
    "application": ("AD", "RS", "Robots", "defect_detection", "game"),
}
FIELD_OF = {style: field for field, styles in FIELDS.items() for style in styles}
_STYLE = re.compile(r"Benchmark_(LLaVA_)?(.+?)\.jsonl")


def styled(row: Row, root: Path) -> Iterator[Row]:
    """Name the style by the file; leave out other files, the same style's second file, and questions without an answer."""
    found = _STYLE.search(row.file.name)
    style = found[2] if found else ""
    doubled = found is not None and found[1] and row.file.with_name(f"Benchmark_{style}.jsonl").exists()
    if style in FIELD_OF and not doubled and str(row.get("answer") or ""):
        folder = next((name for name in (f"images/{style}", style, "images") if (root / name).is_dir()), "")
        yield row.but(style=style, path=f"{folder}/{row['image']}" if folder else row["image"])


def to_sample(record: Record) -> Sample:
    """Map a question; ids are only unique within a style, and not always there."""
    again = f".{record['again']}" if record.get("again") else ""
    return Sample(
        id=f"{record['style']}/{record['question_id']}{again}",
        parts=images(record),
        question=record["text"],
        references=(str(record["answer"]),),
        cluster=f"{record['style']}/{record.get('path', '')}",
        groups={"style": record["style"], "field": FIELD_OF[record["style"]]},
    )


def exact(parsed: Parsed, sample: Sample) -> dict[str, float]:
    """Whether the reply is one of the alternatives, which slashes part, or all of the answer; ``A:`` before it aside."""
    answer = sample.references[0].removeprefix("A:")
    right = equals(without_marks, strip=True)(parsed.answer or "", [one.strip() for one in (answer, *answer.split("/"))])
    return {"score": right * (parsed.answer is not None), "scored": 1.0}


AVERAGE = ratio("score", "scored")
STYLES = mean_over("style", AVERAGE)
METRICS = (
    Metric(name="styles", estimator=STYLES),
    Metric(name="fields", estimator=mean_over("field", STYLES)),
    Metric(name="average", estimator=AVERAGE),
    Metric(name="with_all", estimator=mean("score")),
    Metric(name="style", estimator=AVERAGE, by="style"),
    Metric(name="field", estimator=STYLES, by="field"),
)
OFFICIAL = Convention(
    parse=benchlmm.needing_a_judge, extracted=benchlmm.grade, score=benchlmm.graded, metrics=METRICS, primary="styles",
    judging=benchlmm.OFFICIAL,
    note="Its judge is not shown the question, which the scripts look for in a field that the files lack.",
)  # fmt: skip

TASKS = (
    Task(
        name="benchlmm",
        card=Card.of(__doc__, split="all 15 styles", n=1967),
        layouts=(
            layout(
                "official", "**/Benchmark_*.jsonl", steps=(styled, media(path="path")),
                repeats={"again": lambda record: (record["style"], str(record["question_id"]))},
            ),
        ),
        to_sample=to_sample,
        prompt=fill("{question}"),
        conventions={
            "official": OFFICIAL,
            "with_question": replace(OFFICIAL, judging=benchlmm.WITH_QUESTION, note="The judge is shown the question."),
            "exact": replace(
                OFFICIAL, parse=stripped, extracted=None, score=exact, judging=None,
                note="No judge: an alternative word for word, capitals and punctuation aside. A lower bound.",
            ),
        },
        ideal=lambda sample: sample.references[0].removeprefix("A:").split("/")[0].strip(),
        generation=Generation(max_new_tokens=128),
    ),
)  # fmt: skip
