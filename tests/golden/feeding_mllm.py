"""Feeds the benchmarks of multiple choice and of yes or no that ask for general abilities.

MMBench CN and CCBench go the way of MMBench EN (``feeding``), whose files have the same form. The others' annotations are
written in the official layout and read back, or fed as the tables that the file holds.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import find_task
from harness.data.sources import Row
from harness.metrics.aggregate import Rows
from harness.task import Convention
from harness.types import Sample, Scored, Text
from tests.golden.feeding import Check, Feeder, Golden, mmbench, peer, reading_extractions, score, values
from tests.golden.feeding_files import read_back

Fed = Sequence[tuple[Sample, str | None]]


def mean_of(rows: Iterable[Scored]) -> float:
    scores = [row.scores["correct"] for row in rows]
    return sum(scores) / len(scores)


def letters_of(rows: Sequence[Scored], expected: Sequence[str | None], what: str, offered: str = "ABCDE") -> Iterator[Check]:
    """Check which letters were read; Z, another letter than those ``offered`` and none are all no option."""
    for row, said in zip(rows, expected, strict=True):
        found = row.parsed.answer
        yield Check(f"{what} {row.sample_id}", found if found in [*offered] else None, said if said in [*offered] else None)


def seedbench(golden: Golden) -> Iterator[Check]:
    task, expected, data = find_task("seedbench"), golden["expected"], golden["data"]
    every = [task.to_sample(Row({**one, "image": None}, one["question_id"])) for one in data["questions"]]
    names = {str(number): name for name, number in data["question_type"].items()}
    kinds = [one["question_type_id"] for one in data["questions"]]
    replies = golden["predictions"]["text"]
    kept = read_back("seedbench", {"SEED-Bench.json": data})
    yield Check("pictures only", [one.id for one in kept], [one.id for one in every if one.groups["data_type"] == "image"])
    yield Check("kinds", {one.groups["type"] for one in kept}, {names[str(kind)] for kind in kinds if kind < 10})

    rows = score(task.conventions["official"], list(zip(every, replies, strict=True)))
    numbers = expected["generation_exact_letter"]
    for theirs, own in shares(rows, kinds).items():
        if theirs in numbers:
            yield Check(theirs, round(own, 2), numbers[theirs])
    for kind, number in numbers["per_type_percent"].items():
        yield Check(f"type {kind}", round(100 * mean_of(of_kind(rows, kinds, int(kind))), 2), number)
    got = values(task.conventions["official"], [row for row in rows if row.groups["data_type"] == "image"])
    yield Check("our metric", round(100 * got["accuracy"], 2), numbers["image_percent"])
    missing = expected["missing_prediction_behaviour"]
    lost = set(missing["removed_question_ids"])
    fed = [(one, None if one.id in lost else reply) for one, reply in zip(every, replies, strict=True)]
    shrunk = [row for row in score(task.conventions["official"], fed) if row.groups["data_type"] == "image"]
    yield Check("missing", round(100 * mean_of(shrunk), 2), round(missing["llava_image_percent_after"], 2))
    yield from seed_readings(golden, every, kinds)


def shares(rows: Sequence[Scored], kinds: Sequence[int]) -> dict[str, float]:
    own = {"image_percent": lambda kind: kind < 10, "video_percent": lambda kind: kind > 9, "total_percent": lambda kind: True}
    parts = {name: [row for row, kind in zip(rows, kinds, strict=True) if counts(kind)] for name, counts in own.items()}
    return {name: 100 * mean_of(part) for name, part in parts.items() if part}


def of_kind(rows: Sequence[Scored], kinds: Sequence[int], wanted: int) -> list[Scored]:
    return [row for row, kind in zip(rows, kinds, strict=True) if kind == wanted]


def seed_readings(golden: Golden, every: Sequence[Sample], kinds: Sequence[int]) -> Iterator[Check]:
    conventions, expected = find_task("seedbench").conventions, golden["expected"]
    losses = [json.dumps(one) for one in golden["predictions"]["losses_A_to_D"]]
    rows = score(conventions["likelihood"], list(zip(every, losses, strict=True)))
    yield from letters_of(rows, expected["likelihood"]["predictions"], "likelihood")
    for name, share in (("image", "image_percent"), ("all", "total_percent")):
        numbers = expected["likelihood"][name]
        yield Check(f"likelihood {name}", shares(rows, kinds)[share], numbers["total_percent"])
        for kind, number in numbers["per_type_percent"].items():
            yield Check(f"likelihood {name} {kind}", 100 * mean_of(of_kind(rows, kinds, int(kind))), number)
    fed = list(zip(every, golden["predictions"]["text"], strict=True))
    rows = score(conventions["paper"], fed)
    yield from paper_rule(rows, expected["sphinx_rule"])
    for start, name in (("lmms-eval", "lmms_eval"), ("VLMEvalKit", "vlmevalkit")):
        if numbers := peer(golden, start):
            rows = score(conventions[name], fed)
            yield from letters_of(rows, [said.upper() for said in numbers["pred"]], name, "ABCD")
            if name == "lmms_eval":
                yield Check("lmms_eval all", mean_of(rows), numbers["accuracy_all"])
            yield Check(f"{name} image", shares(rows, kinds)["image_percent"] / 100, numbers["accuracy_image"])


def paper_rule(rows: Sequence[Scored], expected: Mapping[str, Any]) -> Iterator[Check]:
    """The authors' rule; where they draw at random (null) ours is unparsed and wrong."""
    yield from letters_of(rows, expected["parsed"], "paper")
    yield Check("paper draws", sum(row.parsed.unparsed for row in rows), expected["random_fallback_count"])
    yield Check("paper", mean_of(rows), expected["accuracy_random_counted_wrong"])
    for row, right in zip(rows, expected.get("correct", [None] * len(rows)), strict=True):
        if right is not None:
            yield Check(f"paper {row.sample_id} correct", row.scores["correct"], right)


def qbench_a1(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("qbench_a1"), golden["expected"]
    from tasks.qbench_a1 import numbered

    table = [numbered(Row({**one, "image": None}, str(one["id"])), None) for one in golden["data"]["hf_rows"]]
    fed = list(zip(task.samples(row.but(same=place) for place, row in enumerate(table)), golden["predictions"], strict=True))
    rows = score(task.conventions["paper"], fed)
    yield from paper_rule(rows, expected["sphinx_rule"])
    got = values(task.conventions["paper"], rows)
    for theirs, ours in (("by_question_type", "type"), ("by_concern", "concern")):
        for name, numbers in expected["sphinx_rule"][theirs].items():
            kind = name.replace("(in-context) ", "")
            yield Check(f"{theirs} {name}", got[f"{ours}/{kind}"], numbers["accuracy"])
            yield Check(f"{theirs} {name} n", sum(row.groups[ours] == kind for row in rows), numbers["n"])
    for name in ("official", "vlmevalkit"):
        rows = score(task.conventions[name], fed)
        yield from letters_of(rows, expected["reference_can_infer"]["pred"], name)
        yield Check(name, values(task.conventions[name], rows)["accuracy"], expected["reference_can_infer"]["accuracy"])
    if (said := peer(golden, "lmms-eval")) is not None:
        yield from letters_of(score(task.conventions["lmms_eval"], fed), said, "lmms_eval")


def as_csv(records: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(records[0]))
    table.writeheader()
    table.writerows(records)
    return text.getvalue()


def mmvp(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("mmvp"), golden["expected"]
    samples = read_back("mmvp", {"Questions.csv": as_csv(golden["data"])})
    judged = reading_extractions(task.conventions["official"])
    rows = score(judged, list(zip(samples, (one["judge_reply"] for one in golden["predictions"]), strict=True)))
    for row, right in zip(rows, expected["per_item_correct"], strict=True):
        yield Check(f"{row.sample_id} correct", row.scores["correct"], right)
    got = values(judged, rows)
    yield Check("pairs", got["pair_accuracy"], expected["pair_accuracy"])
    yield Check("single", got["accuracy"], expected["individual_accuracy"])
    judging = task.conventions["official"].judging
    assert judging is not None
    asked = judging.ask(samples[0], golden["predictions"][0]["response"], 0).parts
    texts = [{"role": part.role, "content": part.text} for part in asked if isinstance(part, Text)]
    yield Check("asked", texts, expected.get("judge_prompt_of_first_item", texts))
    fed = list(zip(samples, (one["response"] for one in golden["predictions"]), strict=True))
    for start, name, said, single, pairs in (
        ("lmms-eval", "lmms_eval", "pred_letter", "accuracy", "pair_accuracy"),
        ("VLMEvalKit", "vlmevalkit", "pred", "Average", "Overall_pair"),
    ):
        if numbers := peer(golden, start):
            rows = score(task.conventions[name], fed)
            yield from letters_of(rows, numbers[said], name)
            got = values(task.conventions[name], rows)
            yield Check(f"{name} single", got["accuracy"], numbers[single])
            yield Check(f"{name} pairs", got["pair_accuracy"], numbers[pairs])


ACCURACIES = {"aAcc": "aAcc", "qAcc": "qAcc", "fAcc": "fAcc", "easy_aAcc": "easy_aAcc", "hard_aAcc": "hard_aAcc"}


def percent(what: str, got: Mapping[str, float], expected: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Check]:
    """Their percentages have four decimals, or all."""
    for theirs, ours in names.items():
        if theirs in expected:
            number = expected[theirs]
            yield Check(f"{what} {theirs}", round(100 * got[ours], 4) if round(number, 4) == number else 100 * got[ours], number)


def hallusionbench(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("hallusionbench"), golden["expected"]
    samples = read_back("hallusionbench", {"HallusionBench.json": golden["data"]})
    official = reading_extractions(task.conventions["official"])
    fed = [(one, said["judge_correctness_reply"]) for one, said in zip(samples, golden["predictions"], strict=True)]
    rows = score(official, fed)
    for row, item in zip(rows, expected["per_item"], strict=True):
        code = {"wrong": "0", "unclear": "2"}.get(str(row.parsed.answer), "1")
        yield Check(f"{row.sample_id} code", code, item["judge_code"])
        yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])
    got = values(official, rows)
    yield from percent("official", got, expected, ACCURACIES)
    for category in ("VD", "VS"):
        names = {"easy": f"easy_aAcc/{category}", "hard": f"hard_aAcc/{category}"}
        names |= {name: f"{name}/{category}" for name in ("aAcc", "qAcc", "fAcc")}
        yield from percent(category, got, expected[category], names)
    yield from hallusion_rest(golden, official, rows, got)
    yield from hallusion_peers(golden, samples, fed)


def hallusion_rest(golden: Golden, official: Convention, rows: Sequence[Scored], got: Mapping[str, float]) -> Iterator[Check]:
    expected = golden["expected"]
    held = expected["consistency"]
    yield from percent("consistency", got, held, {"correct": "fAcc", "wrong": "figures_all_wrong"})
    yield Check("inconsistent", round(100 * (1 - got["fAcc"] - got["figures_all_wrong"]), 4), held["inconsistent"])
    yield Check("figure score", round(got["figure_score"], 4), expected["figure_score"])
    yield Check("bias", got["yes_difference"], expected["bias"]["pct_diff"])
    yield Check("false positives", got["false_positive_ratio"], expected["bias"]["fp_ratio"])
    counted = {metric.name: metric.estimator(Rows.of(rows)).n for metric in official.metrics if metric.by is None}
    for name in ACCURACIES:
        yield Check(f"{name} n", counted[name], expected["denominators"][name])
    for part in ("easy", "hard"):
        yield Check(
            f"{part} rows", sum(row.groups["part"] == part for row in rows), expected["denominators"][f"{part}_questions"]
        )


def hallusion_peers(golden: Golden, samples: Sequence[Sample], judged: Fed) -> Iterator[Check]:
    conventions = find_task("hallusionbench").conventions
    if numbers := peer(golden, "lmms-eval"):
        lmms = reading_extractions(conventions["lmms_eval"])
        got = values(lmms, score(lmms, judged))
        yield from percent("lmms_eval", got, numbers, {name: name for name in ("aAcc", "qAcc", "fAcc")})
    replies = [one["model_prediction"] for one in golden["predictions"]]
    got = values(conventions["vlmevalkit"], score(conventions["vlmevalkit"], list(zip(samples, replies, strict=True))))
    for numbers in peer(golden, "VLMEvalKit") or []:
        of = "" if numbers["split"] == "Overall" else f"/{numbers['split']}"
        yield from percent(f"vlmevalkit{of}", got, numbers, {name: f"{name}{of}" for name in ("aAcc", "qAcc", "fAcc")})


FEEDERS: dict[str, Feeder] = {
    "mmbench_cn": mmbench("mmbench_cn"),
    "ccbench": mmbench("ccbench"),
    "seedbench": seedbench,
    "qbench_a1": qbench_a1,
    "mmvp": mmvp,
    "hallusionbench": hallusionbench,
}
