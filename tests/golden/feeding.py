"""How each benchmark is fed from a golden file, and which of our numbers answer to which of its own.

One function a benchmark in ``FEEDERS``: it takes the parsed file and yields `Check` values, for every convention the file holds.
Nothing here knows sizes or ids, so larger files of the same format pass through the same code. It stands with the tests and
not in the tasks, because the files' form (annotations and replies in one) is that of no benchmark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.catalog import find_task
from harness.data.sources import Row
from harness.metrics.aggregate import Estimate, Rows, aggregate
from harness.parsers.choice import NEEDS_JUDGE
from harness.parsers.number import without_judge
from harness.scoring import score_reply
from harness.task import Convention, Layout, Task
from harness.types import Sample, Scored

Golden = Mapping[str, Any]


@dataclass(frozen=True)
class Check:
    """One number or verdict: what it is, what riddle says, what the file says."""

    what: str
    got: object
    expected: object

    @property
    def holds(self) -> bool:
        """Equal, numbers to 1e-9 (absolute); undefined (NaN), absent and null are one."""
        got, expected = (None if isinstance(one, float) and math.isnan(one) else one for one in (self.got, self.expected))
        if isinstance(got, int | float) and isinstance(expected, int | float):
            return math.isclose(got, expected, rel_tol=0, abs_tol=1e-9)
        return got == expected


Feeder = Callable[[Golden], Iterable[Check]]


def score(convention: Convention, fed: Iterable[tuple[Sample, str | None]]) -> list[Scored]:
    """Score replies, or the lack of one."""
    return [score_reply(convention, sample, reply, missing=reply is None) for sample, reply in fed]


def estimates(convention: Convention, rows: Sequence[Scored]) -> dict[str, Estimate]:
    """The convention's metrics by name."""
    return {estimate.name: estimate for estimate in aggregate(Rows.of(rows), convention.metrics)}


def values(convention: Convention, rows: Sequence[Scored]) -> dict[str, float]:
    """Their values alone."""
    return {name: estimate.value for name, estimate in estimates(convention, rows).items()}


def compare(what: str, got: Mapping[str, object], expected: Mapping[str, object], names: Mapping[str, str]) -> Iterator[Check]:
    """Check the entries of ``expected`` that ``names`` (theirs to ours) translates."""
    for theirs, ours in names.items():
        if theirs in expected:
            yield Check(f"{what} {theirs}", got.get(ours), expected[theirs])


def peer(golden: Golden, start: str) -> Any:
    """The peers' entry whose key begins so; None if the file has none."""
    return next((entry for key, entry in golden.get("peers", {}).items() if key.startswith(start)), None)


def rows_of(golden: Golden) -> list[Row]:
    """The annotations as records, without pictures."""
    data = golden["data"]
    records = data.values() if isinstance(data, Mapping) else data
    return [Row({**record, "image": None}, f"record {number}") for number, record in enumerate(records)]


def scaled(by: float, numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: by * value for name, value in numbers.items()}


FIVE = ("accuracy", "precision", "recall", "f1", "yes_ratio")
CELLS = ("TP", "FP", "TN", "FN")


def pope(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("pope"), golden["expected"]
    pictures = [record["image"] for record in golden["data"]]
    records = [row.but(picture=picture) for row, picture in zip(rows_of(golden), pictures, strict=True)]
    fed = list(zip(task.samples(records), golden["predictions"], strict=True))

    official = task.conventions["official"]
    rows = score(official, fed)
    for row, item in zip(rows, expected["per_item"], strict=True):
        yield Check(f"{row.sample_id} parsed", row.parsed.answer, item["parsed"])
        yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])
    got = values(official, rows)
    for category, numbers in expected["per_category"].items():
        yield from compare(category, got, numbers, {name: f"{name}/{category}" for name in FIVE})
        own = [row for row in rows if row.groups["category"] == category]
        yield from compare(category, counts(own), numbers, {cell: cell for cell in CELLS})
    yield from compare("pooled", got, expected["pooled"], {name: name for name in FIVE})
    yield from (
        Check(f"pooled {cell}", sum(row.scores[cell.lower()] for row in rows), expected["pooled"][cell]) for cell in CELLS
    )
    means = {"mean_f1_over_categories": "mean_f1", "mean_accuracy_over_categories": "mean_accuracy"}
    yield from compare("means", got, expected, means)
    yield from pope_shifted(official, fed, expected.get("missing_prediction_behaviour"))
    yield from pope_peers(golden, fed)


def counts(rows: Sequence[Scored]) -> dict[str, float]:
    return {cell: sum(row.scores[cell.lower()] for row in rows) for cell in CELLS}


def pope_shifted(official: Convention, fed: Sequence[tuple[Sample, str]], missing: Any) -> Iterator[Check]:
    """What evaluate.py makes of a lost first line: every answer goes to the question before its own."""
    for category in ("random", "popular", "adversarial"):
        if missing and missing["case"].startswith(f"first answer of category {category} missing"):
            own = [(sample, reply) for sample, reply in fed if sample.groups["category"] == category]
            pairs = [(sample, reply) for (sample, _), (_, reply) in pairwise(own)]
            rows = score(official, pairs)
            got = values(official, rows)
            yield from compare("shifted", got, missing["measured"], {name: name for name in FIVE})
            yield from compare("shifted", counts(rows), missing["measured"], {cell: cell for cell in CELLS})


def pope_peers(golden: Golden, fed: Sequence[tuple[Sample, str]]) -> Iterator[Check]:
    conventions = find_task("pope").conventions
    rows = score(conventions["vlmevalkit"], fed)
    got = scaled(100, values(conventions["vlmevalkit"], rows))
    for row, said in zip(rows, peer(golden, "VLMEvalKit_extracted") or [], strict=False):
        yield Check(f"vlmevalkit {row.sample_id}", (row.parsed.answer or "Unknown").capitalize(), said)
    for numbers in peer(golden, "VLMEvalKit vlmeval") or []:
        of = "" if numbers["split"] == "Overall" else f"/{numbers['split']}"
        names = {"Overall": f"f1{of}", "acc": f"accuracy{of}", "precision": f"precision{of}", "recall": f"recall{of}"}
        yield from compare(f"vlmevalkit{of}", zero_for_undefined(got), numbers, names)
    rows = score(conventions["lmms_eval"], fed)
    if numbers := peer(golden, "lmms-eval lmms_eval"):
        got = zero_for_undefined(values(conventions["lmms_eval"], rows))
        yield from compare("lmms_eval", got, numbers, {name: name for name in FIVE})


def zero_for_undefined(numbers: Mapping[str, float]) -> dict[str, float]:
    """The toolkits say 0 where a denominator is 0."""
    return {name: 0.0 if math.isnan(value) else value for name, value in numbers.items()}


MME_PEERS = (
    ("vlmevalkit", "VLMEvalKit vlmeval", "VLMEvalKit_extracted", "unknown"),
    ("lmms_eval", "lmms-eval lmms_eval", "lmms-eval_parsed", "other"),
)


def mme(golden: Golden) -> Iterator[Check]:
    from harness.data.folders import in_order
    from tasks.mme import SUBTASKS

    task, expected = find_task("mme"), golden["expected"]
    expected_rows = [
        row.but(category=row["task"], picture=record["image"], item=number, reply=reply)
        for number, (row, record, reply) in enumerate(zip(rows_of(golden), golden["data"], golden["predictions"], strict=True))
    ]
    records = list(in_order(Layout(name="golden", files=(), read=lambda _: iter(expected_rows)), SUBTASKS).read([Path()]))
    fed = [(task.to_sample(record), record["reply"]) for record in records]
    order = [record["item"] for record in records]

    official = task.conventions["official"]
    rows = score(official, fed)
    for row, number in zip(rows, order, strict=True):
        item = expected["per_item"][number]
        yield Check(f"{row.sample_id} parsed", row.parsed.answer or "other", item["parsed"])
        yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])
    got = values(official, rows)
    yield from compare("official", got, expected, {name: name for name in ("perception", "cognition", "total")})
    for theirs, ours, factor in (("subtasks", "score", 1), ("acc", "acc", 100), ("acc_plus", "acc_plus", 100)):
        for subtask, number in expected.get(theirs, {}).items():
            yield Check(f"{theirs} {subtask}", factor * got[f"{ours}/{subtask}"], number)
    for name, numbers, parsed, other in MME_PEERS:
        rows = score(task.conventions[name], fed)
        got = values(task.conventions[name], rows)
        for theirs, number in (peer(golden, numbers) or {}).items():
            yield Check(f"{name} {theirs}", got.get(theirs, got.get(f"score/{theirs}")), number)
        if said := peer(golden, parsed):
            for row, item in zip(rows, order, strict=True):
                yield Check(f"{name} {row.sample_id}", row.parsed.answer or other, said[item].lower())


MMBENCH_L2 = {
    "AR": "attribute_reasoning",
    "CP": "coarse_perception",
    "FP-C": "finegrained_perception (cross-instance)",
    "FP-S": "finegrained_perception (instance-level)",
    "LR": "logic_reasoning",
    "RR": "relation_reasoning",
}


def mmbench(name: str) -> Feeder:
    """The benchmarks with rotations, which share a form."""
    return lambda golden: _mmbench(find_task(name), golden)


def _mmbench(task: Task, golden: Golden) -> Iterator[Check]:
    expected = golden["expected"]
    official = task.conventions["official"]
    answered = {int(index): reply for index, reply in golden["predictions"].items()}
    # The official scorer joins on the replies: a row without one is not there for it.
    fed = [(sample, answered[int(sample.id)]) for sample in task.samples(rows_of(golden)) if int(sample.id) in answered]
    rows = {int(row.sample_id): row for row in score(official, fed)}
    for item in expected["per_row"]:
        row = rows[item["index"]]
        yield Check(f"{item['index']} inferred", row.parsed.answer, item["inferred"])
        yield Check(f"{item['index']} hit", row.scores["correct"], item["hit_vanilla"])
    undecided = [index for index, row in rows.items() if row.parsed.reason and row.parsed.reason.startswith(NEEDS_JUDGE)]
    yield Check("judge", sorted(undecided), sorted(expected["judge_would_be_called_for"]))
    for item in expected["circular_per_question"]:
        yield Check(f"circular {item['index']}", circular(list(rows.values()), item["index"]), item["hit"])
    got = values(official, list(rows.values()))
    names = {"vanilla_first_pass_accuracy": "vanilla", "vanilla_all_rows_accuracy": "all_rows"}
    yield from compare("official", got, expected, names)
    first = {row.groups["question"] for row in rows.values() if row.groups["rotation"] == "0"}
    counted = [row for row in rows.values() if row.groups["question"] in first]
    for numbers in expected["circular"]:
        own = values(official, [row for row in counted if row.groups.get("split", "none") == numbers["split"]])
        for theirs, number in numbers.items():
            if theirs != "split":
                yield Check(f"{numbers['split']} {theirs}", own.get(mmbench_name(theirs)), number)
    yield from mmbench_missing(official, fed, expected.get("missing_prediction_behaviour", {}))
    yield from mmbench_peers(task, golden, fed)


def mmbench_name(theirs: str) -> str:
    """VLMEvalKit has one flat list of names: all, the six groups by their initials, the twenty abilities."""
    if theirs == "Overall":
        return "circular"
    return f"l2/{MMBENCH_L2[theirs]}" if theirs in MMBENCH_L2 else f"category/{theirs}"


def mmbench_missing(official: Convention, fed: Sequence[tuple[Sample, str]], missing: Mapping[str, Any]) -> Iterator[Check]:
    """VLMEvalKit forgives a lost rotation and forgets a question without its first row; ours counts both as wrong."""

    def run(keep: Callable[[int], bool], strict: bool = False) -> tuple[dict[str, Estimate], list[Scored]]:
        pairs = [(sample, reply if keep(int(sample.id)) else None) for sample, reply in fed if strict or keep(int(sample.id))]
        rows = score(official, pairs)
        return estimates(official, rows), rows

    if case := missing.get("rotation_row_missing"):
        lost = set(case["removed_index"])
        got, rows = run(lambda index: index not in lost)
        yield Check("rotation missing", got["circular"].value, case["overall_after"])
        yield Check("rotation missing, its question", circular(rows, case["group"]), case["hit_after"])
        yield Check("none missing, its question", circular(run(lambda index: True)[1], case["group"]), case["hit_before"])
        strict, rows = run(lambda index: index not in lost, strict=True)
        yield Check("rotation missing, as riddle counts it", circular(rows, case["group"]), 0)
    if case := missing.get("original_row_missing"):
        first = case["removed_index"]
        got, _ = run(lambda index: index % 1_000_000 != first)
        yield Check("original missing", got["circular"].value, case["overall_after"])
        yield Check("original missing, questions", got["circular"].n, case["questions_scored_after"])
        strict, _ = run(lambda index: index != first, strict=True)
        yield Check("original missing, questions as riddle counts them", strict["circular"].n, case["questions_scored_before"])


def circular(rows: Sequence[Scored], question: int) -> float:
    """Whether all rotations of a question are right."""
    return min(row.scores["correct"] for row in rows if row.groups["question"] == str(question))


def mmbench_peers(task: Task, golden: Golden, fed: Sequence[tuple[Sample, str]]) -> Iterator[Check]:
    convention = task.conventions["lmms_eval"]
    numbers = peer(golden, "lmms-eval lmms_eval")
    if numbers is None:
        return
    rows = score(convention, fed)
    got = values(convention, rows)
    yield Check("lmms_eval overall", got["circular"], numbers["overall"])
    for group in ("category", "l2"):
        yield from (Check(f"lmms_eval {name}", got[f"{group}/{name}"], number) for name, number in numbers[group].items())
    inferred = {row.sample_id: None if row.parsed.unparsed else row.parsed.answer for row in rows}
    yield from (
        Check(f"lmms_eval {item['index']}", inferred[str(item["index"])], item["inferred"]) for item in numbers["can_infer"]
    )


MATHVISTA_STEPS = (
    ("extraction", "judge_called", False),
    ("quick_extraction", "judge_called_with_quick_extract", True),
)


def mathvista(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("mathvista"), golden["expected"]
    replies = golden["predictions"]
    samples = [sample for sample in task.samples(rows_of(golden)) if sample.id in replies]
    official = task.conventions["official"]
    extractions: dict[str, str] = {}
    for sample in samples:
        reply, stored = replies[sample.id]["response"], replies[sample.id]["judge_extraction"]
        item = expected["per_item"][sample.id]
        for name, called, quick in (
            ("extraction", "judge_called", False),
            ("quick_extraction", "judge_called_with_quick_extract", True),
        ):
            found = without_judge(reply, sample.groups["answer_type"], sample.options, quick)
            yield Check(f"{sample.id} {called}", found is None, item[called])
            yield Check(f"{sample.id} {name}", stored if found is None else found, item[name])
        reason = official.parse(reply, sample).reason or ""
        yield Check(f"{sample.id} marked", reason.startswith(NEEDS_JUDGE), item["judge_called_with_quick_extract"])
        extractions[sample.id] = item["extraction"]

    rows = score(reading_extractions(official), [(sample, extractions[sample.id]) for sample in samples])
    for row in rows:
        yield Check(f"{row.sample_id} prediction", row.parsed.answer, expected["per_item"][row.sample_id]["prediction"])
        yield Check(f"{row.sample_id} true", row.scores["correct"], expected["per_item"][row.sample_id]["true_false"])
    groups = estimates(official, rows)
    for group, numbers in expected["scores"].items():
        named = {"accuracy": numbers} if group == "average" else {f"{group}/{name}": entry for name, entry in numbers.items()}
        for name, entry in named.items():
            yield Check(name, groups[name].value, entry["accuracy"])
            yield Check(f"{name} correct", groups[name].value * groups[name].n, entry["correct"])
            yield Check(f"{name} total", groups[name].n, entry["total"])
    for name, start in (("lmms_eval", "lmms-eval normalize"), ("vlmevalkit", "VLMEvalKit post_check")):
        if numbers := peer(golden, start):
            convention = reading_extractions(task.conventions[name])
            rows = score(convention, [(sample, extractions[sample.id]) for sample in samples])
            yield from (
                Check(f"{name} {row.sample_id}", row.scores["correct"], numbers["true_false"][row.sample_id]) for row in rows
            )
            got = values(convention, rows)
            names = {"accuracy": "accuracy", "float_items_accuracy": "answer_type/float"}
            yield from compare(name, got, numbers, names)


def reading_extractions(convention: Convention) -> Convention:
    """The convention with its reader of stored extractions in the parser's place."""
    assert convention.extracted is not None
    return replace(convention, parse=convention.extracted)


FEEDERS: dict[str, Feeder] = {
    "pope": pope,
    "mme": mme,
    "mmbench_en": mmbench("mmbench_en"),
    "mathvista": mathvista,
}
