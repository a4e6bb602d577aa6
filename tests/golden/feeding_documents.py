"""Feeds the benchmarks on charts, documents and tables.

Annotations are written in the official layout, or in DUE's, and read back. Where a file has replies as lists of values, they are
written as the readers of answer files write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import find_task
from harness.data.due import as_reply, property_sample, replies_of
from harness.metrics.ptb import ptb_words
from harness.types import Sample
from tests.golden.feeding import Check, Feeder, Golden, score, values
from tests.golden.feeding_files import documents, read_back
from tests.golden.feeding_vqa import peers


def chartqa(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("chartqa"), golden["expected"]
    samples = read_back("chartqa", golden["data"], empty=True)
    replies = [reply for part in ("human", "augmented") for reply in golden["predictions"][part]]
    fed = list(zip(samples, replies, strict=True))
    rows = {name: score(convention, fed) for name, convention in task.conventions.items()}
    for name, numbers in (("official", expected), ("paper", expected["authors_swapped"])):
        got = values(task.conventions[name], rows[name])
        items = [item for part in ("human", "augmented") for item in numbers["per_item"][part]]
        for row, reply, item in zip(rows[name], replies, items, strict=True):
            yield Check(f"{name} {row.references[0]!r} {reply!r}", row.scores["correct"], item)
        yield from (Check(f"{name} {part}", 100 * got[f"accuracy/{part}"], numbers[part]) for part in ("human", "augmented"))
    got = values(task.conventions["official"], rows["official"])
    yield Check("overall", 100 * got["accuracy"], expected["overall_all_items"])
    yield Check("mean of both", 100 * got["mean_of_splits"], expected["overall_mean_of_splits"])
    named = {"VLMEvalKit": "vlmevalkit", "lmms-eval": "lmms_eval", "LLaMA2-Accessory": "paper"}
    known = {
        **golden,
        "peer_measurements": {name: one for name, one in golden["peer_measurements"].items() if "lm-eval 0" not in name},
    }
    yield from peers(known, {theirs: task.conventions[ours] for theirs, ours in named.items()}, fed, rows["official"], "correct")


INFOVQA_TYPES = {
    "answer_types": (
        "answer_type",
        {"Image-Span": "image span", "Question-Span": "question span", "Multi-Span": "multiple spans", "None span": "non span"},
    ),
    "evidence_types": (
        "evidence",
        {
            "Table/list": "table/list",
            "Text": "textual",
            "Visual/Layout": "photo/pciture/visual_objects",
            "Figure": "figure",
            "Map": "map",
        },
    ),
    "operation_types": ("operation", {"Sorting": "comparison", "Arithmetic": "arithmetic", "Counting": "counting"}),
}


def infovqa(golden: Golden) -> Iterator[Check]:
    yield from documents("infovqa", "infographicsVQA_val_v1.0_withQT.json")(golden)
    task = find_task("infovqa")
    answered = {str(entry["questionId"]): entry["answer"] for entry in golden["predictions"]}
    samples = read_back("infovqa", {"infographicsVQA_val_v1.0_withQT.json": golden["data"]})
    official = task.conventions["official"]
    got = values(official, score(official, [(sample, answered.get(sample.id)) for sample in samples]))
    for theirs, (metric, names) in INFOVQA_TYPES.items():
        for kind, number in golden["expected"]["scores_by_types"][theirs].items():
            yield Check(f"{theirs} {kind}", got[f"{metric}/{names[kind]}"], number)


def lines(records: Sequence[Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def by_pairs(task: str, golden: Golden) -> list[tuple[Sample, str | None]]:
    """Samples and replies of files in DUE's form; what was said of keys that nobody asked about gets a sample without a value."""
    references, answers = (
        [{**one, "name": str(line)} for line, one in enumerate(golden[part]["document.jsonl"])]
        for part in ("data", "predictions")
    )  # the scorer goes by line, whatever the name
    samples = read_back(task, {"document.jsonl": lines(references)}, empty=True)
    said = {key: reply for line in answers[: len(references)] for key, reply in (replies_of(line) or {}).items()}
    known = {sample.id: sample for sample in samples}
    unknown = (key.partition("/") for key in said if key not in known)
    others = [property_sample({"name": line, "key": key, "values": []}) for line, _, key in unknown]
    return [(sample, said.get(sample.id)) for sample in (*samples, *others)]


def check_pairs(task: str, name: str, fed: Sequence[tuple[Sample, str | None]], expected: Mapping[str, Any]) -> Iterator[Check]:
    convention = find_task(task).conventions[name]
    rows = score(convention, fed)
    got = values(convention, rows)
    yield from (Check(f"{name} {metric}", got[metric], expected[metric]) for metric in ("f1", "precision", "recall"))
    sums = {one: sum(row.scores[one] for row in rows) for one in ("hits", "said", "found", "asked")}
    yield Check(f"{name} tp", sums["hits"], expected["true_positive"])
    yield Check(f"{name} fp", sums["said"] - sums["hits"], expected["false_positive"])
    yield Check(f"{name} fn", sums["asked"] - sums["found"], expected["false_negative"])
    for key, numbers in expected.get("per_property", {}).items():
        yield from (Check(f"{name} {key} {metric}", got[f"{metric}/{key}"], number) for metric, number in numbers.items())
    for line, number in enumerate(expected["per_document"]):
        own = [row for row in rows if row.cluster == str(line)]
        yield Check(f"{name} line {line}", values(convention, own).get("f1", 0.0) if own else 0.0, number)


def extraction(task: str) -> Feeder:
    def feed(golden: Golden) -> Iterator[Check]:
        fed = by_pairs(task, golden)
        for name, theirs in (("official", "ignore_case_true"), ("case_sensitive", "ignore_case_false")):
            yield from check_pairs(task, name, fed, golden["expected"][theirs])

    return feed


def tabfact(golden: Golden) -> Iterator[Check]:
    fed, expected = by_pairs("tabfact", golden), golden["expected"]
    yield from check_pairs("tabfact", "official", fed, expected)
    official = find_task("tabfact").conventions["official"]
    got = values(official, score(official, fed))
    yield Check("accuracy", got["accuracy"], expected["f1_when_every_statement_has_exactly_one_prediction"])


FIELDS = ("id", "utterance", "context", "targetValue", "targetCanon", "targetCanonType")


def wikitablequestions(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("wikitablequestions"), golden["expected"]
    table = [FIELDS, *([record[field] for field in FIELDS] for record in golden["data"]["tagged"])]
    text = "".join("\t".join(fields) + "\n" for fields in table)
    said = {one: as_reply(items) for one, *items in golden["predictions"]}
    samples = read_back("wikitablequestions", {"pristine-unseen-tables.tagged": text}, empty=True)
    for name, numbers in (("official", expected), ("due", expected["due_wtq"])):
        convention = task.conventions[name]
        rows = score(convention, [(sample, said.get(sample.id)) for sample in samples])
        for row in rows:
            yield Check(f"{name} {row.sample_id} {row.reply!r}", row.scores["correct"], numbers["per_item"][row.sample_id])
        yield Check(name, values(convention, rows)["accuracy"], numbers.get("accuracy", numbers.get("score")))


def visualmrc(golden: Golden) -> Iterator[Check]:
    """Numbers up to 1000 are equal to 1e-6, as BLEU pools means, and sums are taken in another order."""
    task, expected = find_task("visualmrc"), golden["expected"]
    pages = [
        {"id": one["id"], "qa_data": [{"question": {"text": one["question"]}, "answer": {"text": one["answer"]}}]}
        for one in golden["data"]
    ]
    samples = read_back("visualmrc", {"test.jsonl": lines(pages)}, empty=True)
    for kind, texts in (("references", [one["answer"] for one in golden["data"]]), ("predictions", golden["predictions"])):
        for text, tokens in zip(texts, expected["ptb_tokens"][kind], strict=True):
            yield Check(f"tokens of {text!r}", " ".join(ptb_words(text)), tokens)
    official = task.conventions["official"]
    rows = score(official, list(zip(samples, golden["predictions"], strict=True)))
    got = values(official, rows)
    for name, scale in (("cider", 1000), ("rouge_l", 100)):
        for row, number in zip(rows, expected["per_item"][f"{name}_x100"], strict=True):
            yield Check(f"{name} {row.sample_id}", close(scale * row.scores[name], number), number)
        yield Check(name, close(100 * got[name], expected[f"{name}_x100"]), expected[f"{name}_x100"])
    for order, number in enumerate(expected["bleu1_4_x100"], start=1):
        yield Check(f"bleu{order}", close(100 * got[f"bleu{order}"], number), number)


def close(got: float, expected: float) -> float:
    """The expected number where ours is within 1e-6 of it."""
    return expected if abs(got - expected) <= 1e-6 else got


FEEDERS: dict[str, Feeder] = {
    "visualmrc": visualmrc,
    "wikitablequestions": wikitablequestions,
    "chartqa": chartqa,
    "infovqa": infovqa,
    "deepform": extraction("deepform"),
    "kleister_charity": extraction("kleister_charity"),
    "tabfact": tabfact,
}
