"""Feeds RefCOCO, DocVQA, Video-Bench and MVBench from a golden file's annotations, written in the official layout and read back.

The other benchmarks are in ``feeding``. These go through their own readers, because repeats are counted, and answers
joined, while reading.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.catalog import find_task
from harness.task import Task
from harness.types import Sample, Scored
from tests.golden.feeding import Check, Feeder, Golden, reading_extractions, score, values


def read_back(task: str, files: Mapping[str, Any], *, empty: bool = False) -> list[Sample]:
    """Write files (name to JSON content, or text) and read them as the task's official layout.

    Args:
        task: its name.
        files: what lies there.
        empty: whether an answer may be the empty text, which a task otherwise takes for hidden.
    """
    found = find_task(task)
    with TemporaryDirectory() as name:
        for path, content in files.items():
            (Path(name) / path).parent.mkdir(exist_ok=True)
            text = content if isinstance(content, str) else json.dumps(content)
            (Path(name) / path).write_text(text, encoding="utf-8")
        records = found.layouts[0].read([Path(name)])
        return list(map(found.to_sample, records) if empty else found.samples(records))


def to_digits(got: float, expected: object, digits: int) -> float:
    """Our number, rounded like theirs if theirs is rounded."""
    rounded = isinstance(expected, int | float) and round(expected, digits) == expected
    return round(got, digits) if rounded else got


REFCOCO_PEERS = {
    "vlmevalkit": ("vlmevalkit", "vlmevalkit", "hit"),
    "lmms_eval_bbox_rec": ("lmms_eval", "lmms_eval_bbox_rec", "acc@0.5"),
    "lmms_eval_grounding": ("lmms_eval_grounding", "lmms_eval_grounding_oracle", "acc@0.5"),
}
"""Theirs per item: our convention, theirs in the aggregate, our score behind that."""


def refcoco(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("refcoco_val"), golden["expected"]
    samples = read_back("refcoco_val", {"refcoco_val.json": golden["data"]})
    fed = list(zip(samples, golden["predictions"], strict=True))
    rows = score(task.conventions["official"], fed)
    for row, item in zip(rows, expected["per_item"], strict=True):
        iou = 0.0 if item["iou"] is None or math.isnan(float(item["iou"])) else item["iou"]
        yield Check(f"{item['i']} hit", row.scores["hit"], item["hit"])
        yield Check(f"{item['i']} iou", to_digits(row.scores["iou"], iou, 7), iou)
    distinct = [row for row in rows if row.groups["copy"] == "first"]
    got = {
        "n": len(rows),
        "hits": sum(row.scores["hit"] for row in rows),
        "accuracy_at_0_5": values(task.conventions["official"], rows)["accuracy"],
        "n_after_driver_dedup": len(distinct),
        "hits_after_driver_dedup": sum(row.scores["hit"] for row in distinct),
        "accuracy_at_0_5_after_driver_dedup": values(task.conventions["official"], rows)["accuracy_distinct"],
    }
    for name, number in expected["aggregate"].items():
        yield Check(name, got.get(name), number)
    for theirs, (name, aggregate, hit) in REFCOCO_PEERS.items():
        convention = task.conventions[name]
        rows = score(convention, fed)
        for row, item in zip(rows, expected["per_item"], strict=True):
            if theirs in item.get("peers_iou", {}):
                iou = item["peers_iou"][theirs]
                yield Check(f"{theirs} {item['i']}", to_digits(row.scores["iou"], iou, 7), iou)
        if aggregate in golden.get("peers_aggregate", {}):
            mean = sum(row.scores[hit] for row in rows) / len(rows)
            yield Check(aggregate, mean, golden["peers_aggregate"][aggregate])
            yield Check(f"{aggregate}, our metric", values(convention, rows)[convention.primary], mean)


DOCVQA_PEERS = {
    "due-benchmark": "due",
    "google-research/pix2struct": "pix2struct",
    "lmms-eval": "lmms_eval",
    "VLMEvalKit": "vlmevalkit",
}
"""How the peers' names begin: our convention."""


def documents(name: str, file: str) -> Feeder:
    """The benchmarks by ANLS, which differ in name and file alone."""

    def feed(golden: Golden) -> Iterator[Check]:
        samples = read_back(name, {file: golden["data"]})
        yield from by_anls(find_task(name), samples, golden)

    return feed


def by_anls(task: Task, samples: Sequence[Sample], golden: Golden) -> Iterator[Check]:
    expected = golden["expected"]
    answered = {str(entry["questionId"]): entry["answer"] for entry in golden["predictions"]}
    fed = [(sample, answered.get(sample.id)) for sample in samples]
    rows: dict[str, list[Scored]] = {name: score(convention, fed) for name, convention in task.conventions.items()}
    overall = {name: values(convention, rows[name])["anls"] for name, convention in task.conventions.items()}
    for name, numbers in (("official", expected), ("due", expected.get("due_anls"))):
        if numbers:
            yield Check(f"{name} score", overall[name], numbers["score"])
            for row in rows[name]:
                yield Check(f"{name} {row.sample_id}", row.scores["anls"], numbers["per_item"][row.sample_id])
    for theirs, numbers in golden.get("peer_measurements", {}).items():
        name = next((name for start, name in DOCVQA_PEERS.items() if theirs.startswith(start)), "")
        if not name or numbers["overall"] is None:  # a toolkit without a convention here, or one that stopped on these replies
            continue
        yield Check(theirs, to_digits(100 * overall[name], numbers["overall"], 4), numbers["overall"])
        differing = sum(
            abs(a.scores["anls"] - b.scores["anls"]) > 1e-9 for a, b in zip(rows[name], rows["official"], strict=True)
        )
        yield Check(f"{theirs}, differing", differing, numbers["items_differing_from_official"])


AVERAGES = {
    "Avg. All": "avg_all{}",
    "Avg. Video-Exclusive": "avg{}/Video-Exclusive",
    "Avg. Prior-Knowledge QA": "avg{}/Prior-Knowledge QA",
    "Avg. Decision-Making": "avg{}/Decision-Making",
}


def videobench(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("videobench"), golden["expected"]
    official = reading_extractions(task.conventions["official"])
    files = {f"Eval_QA/{name}": content for name, content in golden["data"]["question_files"].items()}
    samples = read_back("videobench", {**files, "ANSWER.json": golden["data"]["answers"]})
    merged = golden["predictions"]["merged_judge_file"]
    chosen = {f"{name}/{key}": entry["output_chatgpt_choice"] for name, own in merged.items() for key, entry in own.items()}
    rows = {row.sample_id: row for row in score(official, [(sample, chosen.get(sample.id)) for sample in samples])}
    for name, items in expected["per_item"].items():
        for item in items:
            row = rows[f"{name}/{item['id']}"]
            outcome = "missing" if row.missing else "correct" if row.scores["correct"] else "wrong"
            yield Check(row.sample_id, outcome, item["outcome"] if item["outcome"] in ("correct", "wrong") else "missing")
    got = values(official, list(rows.values()))
    for name, numbers in expected["sub_scores"].items():
        own = [row for row in rows.values() if row.groups["dataset"] == name]
        yield from _set(name, own, got, numbers)
    for scope, ending in (("over_submitted", ""), ("over_all_questions", "_over_all")):
        numbers = expected["aggregate"][scope]
        yield Check(f"paper {scope}", 100 * got[f"paper_avg{ending}"], numbers["paper_avg_plain_mean_of_13"])
        for theirs, ours in AVERAGES.items():
            yield Check(f"{theirs} {scope}", 100 * got[ours.format(ending)], numbers["leaderboard"][theirs])


def _set(name: str, own: Sequence[Scored], got: Mapping[str, float], numbers: Mapping[str, float]) -> Iterator[Check]:
    yield Check(f"{name} questions", len(own), numbers["questions"])
    yield Check(f"{name} submitted", sum(not row.missing for row in own), numbers["submitted"])
    yield Check(f"{name} correct", sum(row.scores["correct"] for row in own), numbers["correct"])
    for theirs, ours in (("submitted", "accuracy"), ("all_questions", "accuracy_over_all")):
        number = numbers[f"accuracy_over_{theirs}"]
        yield Check(f"{name} over {theirs}", to_digits(100 * got[f"{ours}/{name}"], number, 6), number)


MVBENCH = {"official_correct": "official", "vlmevalkit_exact_matching": "vlmevalkit", "lmms_eval": "lmms_eval"}
"""Theirs per item: our convention."""


def mvbench(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("mvbench"), golden["expected"]
    files = golden["data"]["files"]
    samples = {sample.id: sample for sample in read_back("mvbench", {f"json/{name}": own for name, own in files.items()})}
    yield Check("n", len(samples), expected["aggregate"]["n"])
    replies = {
        f"{Path(name).stem}/{place}": reply for name, own in golden["predictions"].items() for place, reply in enumerate(own)
    }
    fed = [(sample, replies.get(sample.id)) for sample in samples.values()]
    rows = {name: score(convention, fed) for name, convention in task.conventions.items()}
    got = {name: values(convention, rows[name]) for name, convention in task.conventions.items()}
    for theirs, ours in MVBENCH.items():
        own = {row.sample_id: row.scores["correct"] for row in rows[ours]}
        for name, items in expected["per_item"].items():
            for item in items:
                if theirs in item:
                    yield Check(f"{ours} {name} {item['i']}", own[f"{Path(name).stem}/{item['i']}"], item[theirs])
    for name, items in expected["per_item"].items():
        for item in items:
            sample = samples[f"{Path(name).stem}/{item['i']}"]
            letter = sample.references[0]
            truth = f"({letter}) {sample.options[ord(letter) - ord('A')]}"
            yield Check(f"{sample.id} truth", truth, item["ground_truth"])
    yield Check("average", 100 * got["official"]["accuracy"], expected["aggregate"]["avg_micro_official"])
    yield Check("mean of tasks", 100 * got["official"]["mean_of_aspects"], expected["aggregate"]["mean_of_tasks"])
    for code, numbers in expected["sub_scores"].items():
        yield Check(
            f"official {code}", to_digits(100 * got["official"][f"aspect/{code}"], numbers["accuracy"], 6), numbers["accuracy"]
        )
    yield from _mvbench_peers(golden.get("peers_aggregate", {}), got)


def _mvbench_peers(peers: Golden, got: Mapping[str, Mapping[str, float]]) -> Iterator[Check]:
    """VLMEvalKit prints counts; lmms-eval says 0 of a task without an answer."""
    if numbers := peers.get("vlmevalkit_exact_matching"):
        for code, (right, n, _) in {**numbers["by_task"], "overall": numbers["overall"]}.items():
            name = "accuracy" if code == "overall" else f"aspect/{code}"
            yield Check(f"vlmevalkit {code}", got["vlmevalkit"][name], right / n)
    for code, number in peers.get("lmms_eval", {}).get("by_task", {}).items():
        own = got["lmms_eval"][f"aspect/{code}"]
        yield Check(f"lmms_eval {code}", 0.0 if math.isnan(own) else 100 * own, number)


FEEDERS: dict[str, Feeder] = {
    "refcoco": refcoco,
    "docvqa": documents("docvqa", "val_v1.0.json"),
    "videobench": videobench,
    "mvbench": mvbench,
}
