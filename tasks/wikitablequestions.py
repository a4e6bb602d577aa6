"""WikiTableQuestions: questions about tables from Wikipedia, shown as pictures; the answer is a set of cells, numbers or dates.

Paper: Pasupat and Liang, Compositional Semantic Parsing on Semi-Structured Tables, ACL 2015, arXiv 1508.00305; tables as
pictures by DUE (Borchmann et al., NeurIPS 2021 Datasets and Benchmarks).
Data: ppasupat/WikiTableQuestions 1.0.2, tagged/data/pristine-unseen-tables.tagged (or data/pristine-unseen-tables.tsv, without
what answers stand for), with the tables as pictures beside their files: csv/203-csv/733.png; 4,344 questions on 421 tables.
Or DUE's test/document.jsonl with pngs/NAME.png.
Licence: CC BY-SA 4.0.
Official scorer: evaluator.py 1.0.2 of the repository: as many items as the answer has, each the same by text, number or date.
Differences: a missing answer is wrong, where the scorer counts predictions alone (accuracy_submitted). Items are parted by tabs,
as in its files; split and strict part them by commas too. DUE's port has no canonical values, so that 100000 is wrong for
100,000 (due); UReader takes the whole reply as one item (paper).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from harness.data.due import accepted, per_key
from harness.data.sources import images, layout
from harness.data.steps import columns, media, substitute
from harness.data.tabbed import barred, read_tabbed
from harness.fetch.sources import Offer, on_github
from harness.metrics.aggregate import Metric, mean, submitted
from harness.metrics.denotation import denotation_score
from harness.parsers.text import as_given
from harness.parsers.values import items, items_by_comma, one_line, parted
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Convention, Parse, Score, Task
from harness.types import Generation, Parsed, Record, Sample

FILE = "pristine-unseen-tables"
LAYOUTS = (
    layout(
        "official",
        f"tagged/data/{FILE}.tagged|{FILE}.tagged|data/{FILE}.tsv|{FILE}.tsv",
        reader=read_tabbed,
        steps=(
            barred(targets="targetValue", canonical="targetCanon"),
            columns(path="context"),
            substitute("path", r"\.csv$", ".png"),
            media(path="path"),
        ),
    ),
    layout(
        "due",
        "document.jsonl|test/document.jsonl",
        steps=(
            per_key(),
            columns(id="id|{name}/{key}", utterance="key", context="name", path="pngs/{name}.png"),
            media(path="path"),
        ),
    ),
)


def to_sample(record: Record) -> Sample:
    """Map a question; those on a table are its cluster."""
    targets = record.get("targets") or [texts[0] for texts in accepted(record["values"])]
    return Sample(
        id=str(record["id"]),
        parts=images(record),
        question=record["utterance"],
        references=tuple(targets),
        cluster=str(record["context"]),
        fields={"canonical": record.get("canonical")},
    )


def either(*readings: Parse) -> Score:
    """Right if one of several readings of the reply is."""
    compare = denotation_score()

    def score(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
        if parsed.answer is None:
            return compare(parsed, sample)
        return max((compare(read(parsed.answer, sample), sample) for read in readings), key=lambda one: one["correct"])

    return score


METRICS = (
    Metric(name="accuracy", estimator=mean("correct")),
    Metric(name="accuracy_submitted", estimator=submitted(mean("correct"))),
)
scored = partial(Convention, parse=items, score=denotation_score(), metrics=METRICS, primary="accuracy")

TASKS = (
    Task(
        name="wikitablequestions",
        card=Card.of(__doc__, split="pristine-unseen-tables (test)", n=4344),
        layouts=LAYOUTS,
        sources=(
            Offer(
                layout="official",
                parts=on_github("ppasupat/WikiTableQuestions", "master", f"tagged/data/{FILE}.tagged"),
                note="without pictures: for replies made elsewhere; the branch as it is now",
            ),
        ),
        to_sample=to_sample,
        prompt=fill("{question}\n" + SHORT_ANSWER),
        prompts={"plain": fill("{question}")},
        conventions={
            "official": scored(),
            "split": scored(parse=items_by_comma, note="Items are parted by a comma and a blank."),
            "strict": scored(
                parse=as_given,
                score=either(items, parted),
                note="Right as the items that tabs part, or commas, bars or line breaks.",
            ),
            "due": scored(score=denotation_score(canonical=False), note="DUE's: without what the targets stand for."),
            "paper": scored(
                parse=one_line,
                score=denotation_score(canonical=False, upper=True),
                note="UReader's: as due, in upper case; the whole reply is one item, so that answers of several are wrong.",
            ),
        },
        ideal=lambda sample: "\t".join(sample.references),
        generation=Generation(max_new_tokens=20),
    ),
)
