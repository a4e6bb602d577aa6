"""Feeds the benchmarks on charts, documents and tables.

Annotations are written in the official layout, or in DUE's, and read back. Where a file has replies as lists of values, they are
written as the readers of answer files write them.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.catalog import find_task
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


FEEDERS: dict[str, Feeder] = {"chartqa": chartqa, "infovqa": infovqa}
