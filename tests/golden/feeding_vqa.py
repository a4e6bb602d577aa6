"""Feeds the benchmarks of short answers about pictures: those with ten people's answers, and those of exact match.

Their annotations are written in the official layout and read back. Official percentages are rounded to two decimals there (by
Python 2 for the VQA challenge, which rounds halves up): ours hold if they round to theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import find_task
from harness.task import Convention
from harness.types import Sample, Scored
from tests.golden.feeding import Check, Feeder, Golden, score, values
from tests.golden.feeding_files import read_back

Fed = Sequence[tuple[Sample, str | None]]


def rounded(got: float, expected: Any) -> Any:
    """The expected number where ours rounds to it, else ours; theirs have two decimals, or four."""
    digits = 2 if isinstance(expected, int | float) and round(expected, 2) == expected else 4
    if isinstance(expected, int | float) and abs(got - expected) <= 0.5 * 10**-digits + 1e-9:
        return expected
    return got


def peers(
    golden: Golden, conventions: Mapping[str, Convention], fed: Fed, official: Sequence[Scored], name: str
) -> Iterator[Check]:
    """Check each peer's overall percentage and the number of items on which it differs from the official scorer.

    Args:
        golden: the file.
        conventions: beginnings of the peers' names with the convention that is theirs.
        fed: samples and replies.
        official: their rows by the official convention.
        name: the score.
    """
    for theirs, numbers in golden.get("peer_measurements", {}).items():
        convention = next((one for start, one in conventions.items() if theirs.startswith(start)), None)
        yield Check(f"{theirs} has a convention", convention is not None, True)
        if convention is not None:
            rows = score(convention, fed)
            got = 100 * values(convention, rows)["accuracy"]
            yield Check(theirs, rounded(got, numbers["overall"]), numbers["overall"])
            differing = sum(abs(a.scores[name] - b.scores[name]) > 1e-9 for a, b in zip(rows, official, strict=True))
            yield Check(f"{theirs}, differing", differing, numbers["items_differing_from_official"])


def people_peers(task: str) -> dict[str, Convention]:
    own = find_task(task).conventions
    return {
        "VLMEvalKit": own["vlmevalkit"],
        "lmms-eval lmms_eval/tasks/vqav2": find_task("vqav2").conventions["lmms_eval"],
        "lmms-eval": find_task("okvqa").conventions["lmms_eval"],
        **(
            {"LLaMA2-Accessory accessory/eval_mm/utils/vqa_eval.py, answers WITHOUT": own["paper_without_ids"]}
            if task == "vizwiz"
            else {}
        ),
        "LLaMA2-Accessory": own["paper"],
    }


def _challenge(task: str, prefix: str) -> Feeder:
    """OK-VQA and VQAv2, which share files and scorer."""

    def feed(golden: Golden) -> Iterator[Check]:
        official, expected = find_task(task).conventions["official"], golden["expected"]
        files = {f"{prefix}{kind}.json": golden["data"][part] for kind, part in FILES[task].items()}
        said = {str(entry["question_id"]): entry["answer"] for entry in golden["predictions"]}
        fed = [(sample, said.get(sample.id)) for sample in read_back(task, files)]
        rows = score(official, fed)
        for row in rows:
            number = expected["per_item"][row.sample_id]
            yield Check(row.sample_id, rounded(100 * row.scores["accuracy"], number), number)
        got = values(official, rows)
        yield Check("overall", rounded(100 * got["accuracy"], expected["overall"]), expected["overall"])
        for theirs, ours in (("perQuestionType", "question_type"), ("perAnswerType", "answer_type")):
            for kind, number in expected[theirs].items():
                yield Check(f"{theirs} {kind}", rounded(100 * got[f"{ours}/{kind}"], number), number)
        yield from peers(golden, people_peers(task), fed, rows, "accuracy")

    return feed


FILES = {
    "okvqa": {"mscoco_val2014_annotations": "annotations", "OpenEnded_mscoco_val2014_questions": "questions"},
    "vqav2": {"mscoco_val2014_annotations": "annotations", "OpenEnded_mscoco_val2014_questions": "questions"},
}


def textvqa(golden: Golden) -> Iterator[Check]:
    official, expected = find_task("textvqa").conventions["official"], golden["expected"]
    said = {str(entry["question_id"]): entry["answer"] for entry in golden["predictions"]}
    fed = [(sample, said.get(sample.id)) for sample in read_back("textvqa", {"TextVQA_0.5.1_val.json": golden["data"]})]
    rows = score(official, fed)
    for row in rows:
        yield Check(row.sample_id, row.scores["accuracy"], expected["per_item"][row.sample_id])
    yield Check("accuracy", values(official, rows)["accuracy"], expected["accuracy"])
    yield from peers(golden, people_peers("textvqa"), fed, rows, "accuracy")


def vizwiz(golden: Golden) -> Iterator[Check]:
    official, expected = find_task("vizwiz").conventions["official"], golden["expected"]
    said = {entry["image"].rpartition(".")[0]: entry["answer"] for entry in golden["predictions"]}
    fed = [(sample, said.get(sample.id)) for sample in read_back("vizwiz", {"val.json": golden["data"]})]
    rows = score(official, fed)
    for row, record in zip(rows, golden["data"], strict=True):
        number = expected["per_item"][record["image"]]
        yield Check(row.sample_id, rounded(100 * row.scores["accuracy"], number), number)
    got = values(official, rows)
    yield Check("overall", rounded(100 * got["accuracy"], expected["overall"]), expected["overall"])
    for theirs, ours in (("average_precision", "unanswerable_ap"), ("f1_score", "unanswerable_f1")):
        number = expected["unanswerability"][theirs]
        yield Check(theirs, rounded(100 * got[ours], number), number)
    yield from peers(golden, people_peers("vizwiz"), fed, rows, "accuracy")


FEEDERS: dict[str, Feeder] = {
    "okvqa": _challenge("okvqa", ""),
    "vqav2": _challenge("vqav2", "v2_"),
    "textvqa": textvqa,
    "vizwiz": vizwiz,
}
