"""Feeds the benchmarks of exact match: short answers (GQA, OCR-VQA) and options (ScienceQA, IconQA, AI2D).

Annotations are written in the official layout and read back, but AI2D's, which the file has in Hugging Face's form. Replies that
the files hold as numbers are fed as the text that the official scorers compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import find_task
from harness.types import Sample, Scored
from tests.golden.feeding import Check, Feeder, Golden, rows_of, score, values
from tests.golden.feeding_files import read_back
from tests.golden.feeding_vqa import peers, rounded

DETAILS = {
    "accuracyPerStructuralType": "structural",
    "accuracyPerSemanticType": "semantic",
    "accuracyPerSteps": "steps",
    "accuracyPerLength": "words",
}


def gqa(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("gqa"), golden["expected"]
    said = {str(entry["questionId"]): entry["prediction"] for entry in golden["predictions"]}
    samples = read_back("gqa", {"testdev_balanced_questions.json": golden["data"]["questions"]})
    fed = [(sample, said.get(sample.id)) for sample in samples]
    rows = score(task.conventions["official"], fed)
    yield Check("which questions count", {row.sample_id for row in rows}, set(expected["per_item"]))
    yield from (Check(row.sample_id, row.scores["correct"], expected["per_item"][row.sample_id]) for row in rows)
    got = values(task.conventions["official"], rows)
    yield from (Check(name, 100 * got[name], expected[name]) for name in ("accuracy", "binary", "open"))
    yield Check("distribution", got["distribution"], expected["distribution"])
    for theirs, ours in DETAILS.items():
        for kind, (number, count) in expected[theirs].items():
            yield Check(f"{theirs} {kind}", 100 * got[f"{ours}/{kind}"], number)
            yield Check(f"{theirs} {kind} n", sum(row.groups[ours] == kind for row in rows), count)
    named = {"VLMEvalKit": "vlmevalkit", "lmms-eval": "lmms_eval", "LLaMA2-Accessory": "paper"}
    yield from peers(golden, {theirs: task.conventions[ours] for theirs, ours in named.items()}, fed, rows, "correct")


def ocrvqa(golden: Golden) -> Iterator[Check]:
    """The file scores the other splits too, one by one; the task reads the test part."""
    task, expected = find_task("ocrvqa"), golden["expected"]
    samples = {sample.id: sample for sample in read_back("ocrvqa", {"dataset.json": golden["data"]})}
    every = {book: {**record, "split": 3} for book, record in golden["data"].items()}
    whole = {sample.id: sample for sample in read_back("ocrvqa", {"dataset.json": every})}
    yield Check("test items", len(samples), expected["test_items"])
    ids = [f"{entry['book_id']}-{entry['question_index']}" for entry in golden["predictions"]]
    replies = dict(zip(ids, (entry["answer"] for entry in golden["predictions"]), strict=True))
    for theirs, ours in (("authors", "paper"), ("vlmevalkit", "vlmevalkit"), ("vlmevalkit", "official")):
        convention = task.conventions[ours]
        items = score(convention, [(whole[one], replies[one]) for one in ids])
        for row, number in zip(items, expected["per_item"][theirs], strict=True):
            yield Check(f"{ours} {row.sample_id}", row.scores["correct"], number)
        got = values(convention, score(convention, [(sample, replies.get(one)) for one, sample in samples.items()]))
        yield Check(ours, got["accuracy"], expected[f"{theirs}_accuracy"])


SUBSETS = {
    "natural": "subject/NAT",
    "social": "subject/SOC",
    "language": "subject/LAN",
    "has_text": "context/TXT",
    "has_image": "context/IMG",
    "no_context": "context/NO",
    "grade_1_6": "grade/G1-6",
    "grade_7_12": "grade/G7-12",
    "average": "accuracy",
}
"""Names of the official subset scores, without ``acc_``, and ours; all others are topics."""


def scienceqa(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("scienceqa_all"), golden["expected"]
    said = {entry["question_id"]: entry for entry in golden["predictions"]}
    samples = read_back("scienceqa_all", {"problems.json": golden["data"]["problems.json"]})
    fed = [(sample, said[pid]["text"] if (pid := sample.fields["question_id"]) in said else None) for sample in samples]
    official = task.conventions["official"]
    rows = score(official, fed)
    places = {sample.id: sample.fields["question_id"] for sample in samples}
    for row in rows:
        pid = places[row.sample_id]
        index = -1 if row.parsed.answer is None else "ABCDE".index(row.parsed.answer)
        yield Check(f"{pid} parsed", index, expected["parsed_index"][pid])
        yield Check(f"{pid} correct", row.scores["correct"], expected["per_item"][pid])
    got = values(official, rows)
    yield Check("accuracy", 100 * got["accuracy"], expected["accuracy"])
    yield Check("correct", sum(row.scores["correct"] for row in rows), expected["correct"])
    shown = [row for row in rows if "<image>" in said.get(places[row.sample_id], {}).get("prompt", "")]
    yield Check("questions with a picture in the prompt", len(shown), expected["img_count"])
    yield Check("their accuracy", 100 * values(official, shown)["accuracy"], expected["img_accuracy"])
    for theirs, text in expected["official_subset_scores"].items():
        name = theirs.removeprefix("acc_")
        ours = SUBSETS.get(name, f"topic/{name}")
        yield Check(theirs, rounded(100 * got[ours], float(text)) if ours in got else -1.0, float(text))
    yield from _random(task.conventions["paper"], fed, places, expected["authors_per_item_null_means_random_guess"])
    named = {"lmms-eval": "lmms_eval", "VLMEvalKit": "vlmevalkit"}
    yield from peers(golden, {theirs: task.conventions[ours] for theirs, ours in named.items()}, fed, rows, "correct")


def _random(
    convention: Any, fed: Sequence[tuple[Sample, str | None]], places: Mapping[str, str], expected: Mapping[str, int | None]
) -> Iterator[Check]:
    """Where the authors draw at random (null) ours is unparsed and wrong."""
    for row in score(convention, fed):
        number = expected[places[row.sample_id]]
        yield Check(f"paper {row.sample_id}", None if row.parsed.unparsed else row.scores["correct"], number)
        yield Check(f"paper {row.sample_id} earns", row.scores["correct"], number or 0)


def iconqa(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("iconqa"), golden["expected"]
    samples = read_back("iconqa", golden["data"])
    said = {pid: str(one) for part in golden["predictions"].values() for pid, one in part["results"].items()}
    # The official script goes by the predictions: a question without one is not there for it.
    fed = [(sample, said[sample.id]) for sample in samples if sample.id in said]
    rows: list[Scored] = score(task.conventions["official"], fed)
    yield from (Check(row.sample_id, row.scores["correct"], expected["per_item"][row.sample_id]) for row in rows)
    got = values(task.conventions["official"], rows)
    yield Check("total", rounded(100 * got["accuracy"], expected["total"]), expected["total"])
    for theirs, ours in (("tasks", "task"), ("skills", "skill")):
        for name, number in expected[theirs].items():
            yield Check(f"{theirs} {name}", rounded(100 * got[f"{ours}/{name}"], number), number)


AI2D_READINGS = {
    "authors": ("paper", "authors_text_exact_match"),
    "lmms_eval": ("lmms_eval", "lmms_eval_letter_exact_match"),
    "vlmevalkit": ("official", "vlmevalkit_can_infer_only"),
}


def ai2d(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("ai2d"), golden["expected"]
    samples = list(task.samples(row.but(same=number) for number, row in enumerate(rows_of(golden))))
    fed = list(zip(samples, golden["predictions"], strict=True))
    for theirs, (ours, aggregate) in AI2D_READINGS.items():
        rows = score(task.conventions[ours], fed)
        for number, (row, item) in enumerate(zip(rows, expected["per_item"][theirs], strict=True)):
            yield Check(f"{ours} {number}", row.scores["correct"], item)
        yield Check(ours, values(task.conventions[ours], rows)["accuracy"], expected[aggregate])
    parsed = [row.parsed.answer or "Z" for row in score(task.conventions["vlmevalkit"], fed)]
    yield from (
        Check(f"letter of {n}", *pair)
        for n, pair in enumerate(zip(parsed, expected["per_item"]["vlmevalkit_parsed"], strict=True))
    )


FEEDERS: dict[str, Feeder] = {"gqa": gqa, "ocrvqa": ocrvqa, "scienceqa": scienceqa, "iconqa": iconqa, "ai2d": ai2d}
