"""Feeds the judged benchmarks: the judge's words stand in the files, and are read as a run reads them from its store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.catalog import find_task
from harness.data.sources import Row
from harness.data.steps import columns, text_objects
from harness.judging import needed
from harness.scoring import score_judged, score_reply
from harness.store import Stored
from harness.task import Convention
from harness.types import Response, Sample, Scored
from tests.golden.feeding import Check, Feeder, Golden, compare, peer, reading_extractions, rows_of, score, values
from tests.golden.feeding_subjects import aesbench as by_options


def judged(convention: Convention, sample: Sample, reply: str, words: Sequence[str]) -> Scored:
    """Score a reply by the first word that can be read, or else the last, as the judge phase does."""
    assert convention.judging is not None
    words = words[: convention.judging.attempts]
    word = next((one for one in words if convention.judging.read(one, sample).answer is not None), words[-1])
    row = score_reply(convention, sample, reply)
    return score_judged(convention, convention.judging, row, sample, ("k", Stored(Response(key="k", text=word))))


def rounded(numbers: Mapping[str, float], by: float, decimals: int = 1) -> dict[str, float]:
    return {name: round(by * value, decimals) for name, value in numbers.items()}


def llava_bench_wild(golden: Golden) -> Iterator[Check]:
    task, expected, data = find_task("llava_bench_wild"), golden["expected"], golden["data"]
    captions = {one["image"]: one["caption"] for one in data["context"]}
    answers = {one["question_id"]: one["text"] for one in data["answers_reference"]}
    records = [
        Row({**one, "image": None, "caption": captions[one["image"]], "gpt_answer": answers[one["question_id"]]}, "golden")
        for one in data["questions"]
    ]
    replies = [one["text"] for one in golden["predictions"]["answers_model"]]
    fed = list(zip(task.samples(records), replies, golden["predictions"]["judge_reviews"], strict=True))

    def rows_by(name: str) -> tuple[list[Scored], dict[str, float]]:
        rows = [judged(task.conventions[name], sample, reply, [review]) for sample, reply, review in fed]
        return rows, values(task.conventions[name], rows)

    rows, got = rows_by("official")
    for row, pair in zip(rows, expected["tuples"], strict=True):
        yield Check(f"{row.sample_id} pair", [row.scores["reference"], row.scores["model"]], [float(one) for one in pair])
    for part, numbers in expected["scores"].items():
        of = "" if part == "all" else f"/{part.removeprefix('llava_bench_')}"
        yield Check(f"{part} relative", 100 * got[f"relative{of}"], numbers["relative"])
        for side in ("reference", "model"):
            yield Check(f"{part} {side}", round(10 * round(got[f"{side}{of}"], 3), 1), numbers[f"{side}_x10"])
    rows, got = rows_by("lmms_eval")
    for row, pair in zip(rows, peer(golden, "lmms-eval parsed") or [], strict=False):
        yield Check(f"lmms_eval {row.sample_id}", [row.scores["reference"], row.scores["model"]], [float(one) for one in pair])
    for part, number in (peer(golden, "lmms-eval relative") or {}).items():
        yield Check(f"lmms_eval {part}", 100 * got["relative" if part == "all" else f"relative/{part}"], number)
    _, got = rows_by("vlmevalkit")
    for part, number in (peer(golden, "VLMEvalKit formula") or {}).items():
        yield Check(f"vlmevalkit {part}", 100 * got["relative" if part == "overall" else f"relative/{part}"], number)


def mmvet(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("mmvet"), golden["expected"]
    official = task.conventions["official"]
    records = [Row({**one, "image": None, "question_id": name}, name) for name, one in golden["data"].items()]
    samples = list(task.samples(records))
    runs: list[dict[str, float]] = []
    first_run: list[Scored] = []
    for number in range(golden["source_of_truth"]["num_run"]):
        said = golden["predictions"]
        rows = [judged(official, one, said[one.id]["answer"], said[one.id]["judge_replies_by_run"][number]) for one in samples]
        for row in rows:
            yield Check(f"run {number} {row.sample_id}", row.scores["grade"], expected["per_item_scores"][row.sample_id][number])
        runs.append(values(official, rows))
        first_run = rows if number == 0 else first_run
        yield Check(f"run {number}", 100 * runs[-1]["total"], expected["unrounded_total_percent"][number])
    got = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
    percent = rounded(got, 100)
    for theirs, number in expected["capabilities_percent"].items():
        if theirs not in ("std", "runs"):
            yield Check(theirs, percent["total" if theirs == "total" else f"capability/{theirs}"], number)
    for theirs, number in expected["integrations_percent"].items():
        if theirs not in ("total", "std", "runs"):
            yield Check(theirs, percent[f"integration/{'_'.join(sorted(theirs.split('_')))}"], number)
    for entry in peer(golden, "VLMEvalKit MMVet_acc") or []:
        label = entry["Category"]
        # a question with one capability counts twice there: as the capability, and as the set that bears its name
        weights = {one.id: (label in (of := golden["data"][one.id]["capability"])) + (of == [label]) for one in samples}
        graded = [(weights[row.sample_id], row.scores["grade"]) for row in first_run]
        twice = sum(w * x for w, x in graded) / max(1, sum(weights.values()))
        yield Check(f"vlmevalkit {label}", 100 * (runs[0]["total"] if label == "Overall" else twice), entry["acc"])
    prompt = task.conventions["official"].judging
    assert prompt is not None
    first = samples[0]
    (asked,) = prompt.ask(first, golden["predictions"][first.id]["answer"], 0).parts
    tail = expected["judge_prompt_tail_of_first_item"]
    yield Check("prompt", getattr(asked, "text", "")[-len(tail) :], tail)


def infimm_eval(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("infimm_eval"), golden["expected"]
    official = task.conventions["official"]
    held = {"Question": "Why?", "Answer": "So.", "Image path": []}
    records = [
        Row({**held, "key": one["id"], "Category": one["category"], "Complexity": one["complexity"]}, one["id"])
        for one in golden["data"]
    ]
    grades = golden["predictions"]["judge_scores_0_to_1"]
    got = values(official, [judged(official, one, "Hence.", [str(grades[one.id])]) for one in task.samples(records)])
    for theirs, number in expected.items():
        name = next(name for name in (theirs, f"category/{theirs}", f"complexity/{theirs}") if name in got)
        yield Check(theirs, 100 * got[name], number)


def mathverse(golden: Golden) -> Iterator[Check]:
    """The replies are what stage 1 took out; the script was run with ``--quick_match``."""
    task, expected = find_task("mathverse"), golden["expected"]
    official = task.conventions["official"]
    steps = (text_objects("metadata"), columns(question="question|", query_cot="query_cot|query_wo"))
    records: list[Row] = []
    for row in rows_of(golden):
        for step in steps:
            made = step(row, Path())
            assert isinstance(made, Row)
            row = made
        records.append(row)
    rows = score(reading_extractions(official), zip(task.samples(records), golden["predictions"], strict=True))
    for row, item in zip(rows, expected["per_item"], strict=True):
        yield Check(f"{item['i']} {row.sample_id}", row.scores["correct"], item["judgement"])
    got, whole = values(official, rows), expected["aggregate"]
    means = {"mean_of_six_versions": "six_versions", "mean_of_five_versions_without_text_only": "five_versions"}
    yield from compare("all", got, whole, {"micro_over_all_rows": "accuracy"} | means)
    for theirs, number in whole.get("printed_by_the_script", {}).items():
        ours = next((name for group in PRINTED if (name := f"{group}/{theirs}") in got), "accuracy")
        yield Check(theirs, round(got[ours], 3), number)
    for version, numbers in expected["sub_scores"]["by_version"].items():
        yield Check(version, got[f"version/{version}"], numbers["accuracy"])
    for version, number in golden.get("peers_aggregate", {}).get("vlmevalkit_by_version_percent", {}).items():
        yield Check(f"vlmevalkit {version}", round(100 * got[f"version/{version}"], 6), number)
    judging = official.judging
    assert judging is not None
    for row, sample in zip(rows, task.samples(records), strict=True):
        verdict = judged(official, sample, row.reply or "", ["Judgement: 1"])
        yield Check(f"{row.sample_id} judged right", verdict.scores["correct"], 1)


def benchlmm(golden: Golden) -> Iterator[Check]:
    """One style's file; a reply that is put to no judge has no words."""
    task, expected = find_task("benchlmm"), golden["expected"]
    official = task.conventions["official"]
    said = {one["question_id"]: one for one in golden["predictions"]}
    rows = []
    for record in rows_of(golden):
        sample, own = task.to_sample(record.but(style="style_cartoon")), said.get(record["question_id"])
        reply, words = ("", []) if own is None else (str(own["model_output"]), own.get("judge_replies", []))
        silent = score_reply(official, sample, reply)
        rows.append(judged(official, sample, reply, words) if needed(silent.parsed) and words else silent)
        score, number = rows[-1].scores, expected["per_item"].get(str(record["question_id"]))
        yield Check(f"{sample.id} needs a judge", needed(silent.parsed), bool(words))
        yield Check(sample.id, score["score"] if score["scored"] == 1 else None, number)
    got = values(official, rows)
    yield Check("average", got["average"], expected["average_score_fraction"])
    yield Check("style", got["styles"], expected["average_score_fraction"])
    yield Check("scored", sum(row.scores["scored"] for row in rows), expected["scored_items"])
    yield Check("all", len(rows), expected["total_items"])
    yield Check("with all", got["with_all"], expected["average_if_missing_counted_as_zero"])


def aesbench(golden: Golden) -> Iterator[Check]:
    """The part that a judge grades, beside those by options (``feeding_subjects``)."""
    yield from by_options(golden)
    task = find_task("aesbench_aesi")
    official, fed = task.conventions["official"], []
    for name, record in golden["data"].items():
        own = Row({**record, "key": name, "image": None, "AesI_data": {**record["AesI_data"], "Answer": "Calm."}}, name)
        scores = golden["predictions"].get(name, {}).get("AesI_scores")
        if scores is not None:
            words = [f"{scores['relevance']} {scores['precision']} {scores['completeness']}"]
            fed.append(judged(official, task.to_sample(own), "It is calm.", words))
    got, expected = values(official, fed), golden["expected"]["scores"]["AesI"]
    yield from compare(
        "AesI", got, expected, {"overall_mean": "overall"} | {name: name for name in ("relevance", "precision", "completeness")}
    )


PRINTED = ("subfield", "subject", "version")

FEEDERS: dict[str, Feeder] = {
    "llava_bench_wild": llava_bench_wild,
    "mmvet": mmvet,
    "infimm_eval": infimm_eval,
    "mathverse": mathverse,
    "benchlmm": benchlmm,
    "aesbench": aesbench,
}
