"""ChartQA: questions about charts by people and by a program; numbers count within 5 %.

Paper: Masry et al., ChartQA: A Benchmark for Question Answering about Charts with Visual and Logical Reasoning, Findings of
ACL 2022, arXiv 2203.10244.
Data: vis-nlp/ChartQA, ChartQA Dataset/test: test_human.json and test_augmented.json with png/; 1,250 questions each, on 625 and
987 charts. Hugging Face lmms-lab/ChartQA or HuggingFaceM4/ChartQA, split test; VLMEvalKit's ChartQA_TEST.tsv.
Licence: GPL-3.0 (the repository).
Official scorer: google-research/pix2struct pix2struct/metrics.py relaxed_correctness (the authors publish none): within 5 % of a
number that is not 0, else the same text but for letter case.
Differences: a missing answer is wrong. accuracy is over all questions, and as both parts are equally large it is also the mean of
both. The scorer takes 1,000, $5 and 0 for text, a final period makes text wrong, and a century either way is right for a year:
see strict. The SPHINX authors' code loses 10 questions that repeat, and swaps the scorer's arguments (paper).

No layout has ids, so a sample's is made of part, question and label, and numbered where those repeat.
"""

from __future__ import annotations

from pathlib import Path

from harness.conventions import relaxed
from harness.data.options import content_key
from harness.data.sources import Row, images, layout
from harness.data.steps import columns, from_file_name, media, picture_facts
from harness.fetch.sources import on_hub, vlmevalkit
from harness.metrics.aggregate import Metric, mean, mean_over
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Task
from harness.types import Generation, Record, Sample

PARTS = {"0": "human", "1": "augmented"}
"""Hugging Face's M4 copy has numbers for the parts."""


def beside(row: Row, root: Path) -> Row:
    """Name the chart's file, in the folder ``png`` beside the questions."""
    return row.but(path=(row.file.parent / "png" / row["imgname"]).relative_to(root).as_posix())


def text_of(record: Record) -> str:
    """Part, question and label, by which layouts agree."""
    return content_key(part_of(record), record["query"], label_of(record))


def part_of(record: Record) -> str:
    """The part, of which layouts have spellings of their own."""
    named = str(record["part"])
    return PARTS.get(named) or ("human" if "human" in named else "augmented")


def label_of(record: Record) -> str:
    """The label, which one copy has in a list of one."""
    label = record["label"]
    return str(label[0] if isinstance(label, list) else label)


FOLDERS = "{0}|test/{0}|ChartQA Dataset/test/{0}"
TABLE = columns(query="query|question", label="label|answer", part="split|type|human_or_machine", imgname="image_key|")
LAYOUTS = (
    layout(
        "official",
        *(FOLDERS.format(f"test_{part}.json") for part in PARTS.values()),
        steps=(from_file_name("part", "human|augmented"), beside, media(path="path")),
        repeats={"same": text_of},
    ),
    layout("vlmevalkit_tsv", "ChartQA_TEST.tsv", steps=(picture_facts, TABLE), repeats={"same": text_of}),
    layout("hf_parquet", "**/test-*.parquet", steps=(picture_facts, TABLE), repeats={"same": text_of}),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those about a chart are its cluster."""
    return Sample(
        id=text_of(record) + (f"#{record['same'] + 1}" if record.get("same") else ""),
        parts=images(record),
        question=record["query"],
        references=(label_of(record),),
        cluster=str(record["imgname"]),
        groups={"split": part_of(record)},
        fields={"index": str(record.get("index", ""))},
    )


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="accuracy", estimator=mean("correct"), by="split"),
    Metric(name="mean_of_splits", estimator=mean_over("split", mean("correct"))),
)

TASKS = (
    Task(
        name="chartqa",
        card=Card.of(__doc__, split="test (human and augmented)", n=2500),
        layouts=LAYOUTS,
        sources=(
            on_hub("lmms-lab/ChartQA", "**/test-*.parquet"),
            vlmevalkit("ChartQA_TEST", "c902e0aa9be5582a7aad6dcf52734b42"),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions=relaxed(METRICS),
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=10),
        aligned_by="split",
    ),
)
