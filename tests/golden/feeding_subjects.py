"""Feeds the benchmarks of many subjects or abilities: MMMU, CMMMU, TinyLVLM-eHub and AesBench.

Where the official scorers of MMMU and CMMMU draw at random, what they draw (seed 42, in the data's order) is put in the reply's
place here, so that their aggregates can be compared too; the tasks count such replies as wrong.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.catalog import find_task
from harness.parsers.candidates import DRAWN
from harness.parsers.tails import FALSE_CN, TRUE_CN, judged_tails
from harness.prompts import letters
from harness.task import Convention
from harness.types import Sample, Scored
from tests.golden.feeding import Check, Feeder, Golden, peer, rows_of, score, values
from tests.golden.feeding_files import read_back

Fed = Sequence[tuple[Sample, str | None]]


def drawn(row: Scored) -> bool:
    return bool(row.parsed.reason and row.parsed.reason.startswith(DRAWN))


def with_draws(convention: Convention, fed: Fed, ends: Callable[[Sample], Sequence[str]]) -> list[Scored]:
    """Score with the official random choices, in order, from what ``ends`` offers."""
    dice = random.Random(42)
    rows = score(convention, fed)
    replies = [dice.choice(list(ends(sample))) if drawn(row) else reply for row, (sample, reply) in zip(rows, fed, strict=True)]
    return score(convention, [(sample, reply) for (sample, _), reply in zip(fed, replies, strict=True)])


def random_items(rows: Sequence[Scored], expected: Mapping[str, Any]) -> Iterator[Check]:
    """What is drawn is wrong and counted."""
    right = sum(row.scores["correct"] for row in rows)
    yield Check("drawn", sum(map(drawn, rows)), expected["random_fallback_items"])
    yield Check("right without draws", right, expected["deterministic_correct"])
    yield Check("share without draws", right / len(rows), expected["accuracy_if_random_counted_wrong"])


def mmmu_val(golden: Golden) -> Iterator[Check]:
    from tasks.mmmu_val import several

    task, expected = find_task("mmmu_val"), golden["expected"]
    samples = list(task.samples(several(row, None) for row in rows_of(golden)))
    fed = [(sample, golden["predictions"].get(sample.id)) for sample in samples]
    official = task.conventions["official"]
    rows = score(official, fed)
    for row in rows:
        item = expected["per_item"][row.sample_id]
        yield Check(f"{row.sample_id} drawn", drawn(row), item["random_fallback"])
        if not drawn(row):
            read = row.parsed.answer
            yield Check(f"{row.sample_id} read", sorted(map(str, read)) if isinstance(read, tuple) else read, item["parsed"])
            yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])
    yield from random_items(rows, expected)
    yield Check(
        "bound", (sum(r.scores["correct"] for r in rows) + sum(map(drawn, rows))) / len(rows), expected["accuracy_upper_bound"]
    )
    rows = with_draws(official, fed, lambda sample: letters(sample.options))
    got = values(official, rows)
    for name, numbers in expected["scores_with_seed_42_in_data_order"].items():
        ours = {"Overall": "accuracy"}.get(name) or (
            f"discipline/{name[8:]}" if name.startswith("Overall-") else f"subject/{name}"
        )
        yield Check(name, round(got[ours], 3), numbers["acc"])
        kind, _, of = ours.partition("/")
        yield Check(f"{name} n", sum(not of or row.groups[kind] == of for row in rows), numbers["num"])
    yield from mmmu_peers(golden, fed)


def mmmu_peers(golden: Golden, fed: Fed) -> Iterator[Check]:
    conventions = find_task("mmmu_val").conventions
    for start, name in (("VLMEvalKit", "vlmevalkit"), ("lmms-eval", "lmms_eval")):
        if numbers := peer(golden, start):
            rows = score(conventions[name], fed)
            for row, right in zip(rows, numbers["correct"], strict=True):
                if not drawn(row):
                    yield Check(f"{name} {row.sample_id}", row.scores["correct"], right)
            got = values(conventions[name], rows)
            yield Check(f"{name} open", got["type/open"], numbers["open_accuracy"])
            if not any(map(drawn, rows)):
                yield Check(name, got["accuracy"], numbers["accuracy"])


CATEGORIES = {
    "Art & Design": "艺术与设计",
    "Business": "商业",
    "Science": "科学",
    "Health & Medicine": "健康与医学",
    "Humanities & Social Sciences": "人文社会科学",
    "Technology & Engineering": "技术与工程",
}


def cmmmu_ends(sample: Sample) -> Sequence[str]:
    return letters(sample.options) or (TRUE_CN, FALSE_CN)


def cmmmu(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("cmmmu"), golden["expected"]
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in golden["data"])
    said = {str(one["id"]): one["response"] for one in golden["predictions"]}
    fed = [(one, said.get(one.id)) for one in read_back("cmmmu", {"cmmmu-data-val-answer.jsonl": lines})]
    official = task.conventions["official"]
    rows = score(official, fed)
    for row, item in zip(rows, expected["per_item"], strict=True):
        yield Check(f"{row.sample_id} drawn", drawn(row), item["random_fallback"])
        read = row.parsed.answer
        if row.groups["type"] == "判断":
            read = tuple(judged_tails(row.reply or ""))
        if not (drawn(row) and row.groups["type"] == "选择") and (read is not None or item["parsed"]):
            yield Check(f"{row.sample_id} read", sorted(map(str, read)) if isinstance(read, tuple) else read, item["parsed"])
        if not drawn(row):
            yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])
    yield from random_items(rows, expected)
    rows = with_draws(official, fed, cmmmu_ends)
    got = values(official, rows)
    for name, numbers in expected["scores_with_seed_42_in_data_order"].items():
        of = CATEGORIES.get(name, "")
        own = [row.scores["correct"] for row in rows if not of or row.groups["category"] == of]
        yield Check(name, got[f"category/{of}" if of else "accuracy"], numbers["acc"])
        yield Check(f"{name} correct", sum(own), numbers["correct"])
        yield Check(f"{name} n", len(own), numbers["n"])
    yield from cmmmu_peers(golden, fed)


def cmmmu_peers(golden: Golden, fed: Fed) -> Iterator[Check]:
    convention = find_task("cmmmu").conventions["vlmevalkit"]
    blanks = [(sample, reply) for sample, reply in fed if sample.groups["type"] == "填空"]
    for start, own, every in (
        ("VLMEvalKit vlmeval", fed, not any(sample.options and not reply for sample, reply in fed)),
        ("VLMEvalKit evaluate on the fill-in", blanks, True),
    ):
        found = peer(golden, start)
        got = values(convention, with_draws(convention, own, cmmmu_ends))
        for name, number in (found[0] if isinstance(found, list) else found or {}).items():
            if every:  # an empty reply to a choice is one draw more there
                yield Check(f"{start} {name}", got.get("accuracy" if name == "总准确率" else f"category/{name}"), number)


def tiny_lvlm_ehub(golden: Golden) -> Iterator[Check]:
    task, expected = find_task("tiny_lvlm_ehub"), golden["expected"]
    files = {f"{ability}/dataset.json": records for ability, records in golden["data"].items()}
    said = {f"{ability}/{n}": reply for ability, replies in golden["predictions"].items() for n, reply in enumerate(replies)}
    official = task.conventions["official"]
    rows = score(official, [(sample, said.get(sample.id)) for sample in read_back("tiny_lvlm_ehub", files)])
    for row in rows:
        ability, _, place = row.sample_id.partition("/")
        yield Check(row.sample_id, row.scores["correct"], expected["per_item"][ability][int(place)])
    got = values(official, rows)
    for ability, number in expected["ability_accuracy"].items():
        yield Check(ability, got[f"ability/{ability}"], number)
    yield Check("sum", got["total"] / 100, expected["overall_sum_of_fractions"])
    yield Check("leaderboard", got["total"], expected["overall_leaderboard_scale"])


def aesbench(golden: Golden) -> Iterator[Check]:
    """The rule-scored parts; the fourth is a judge's."""
    task, expected = find_task("aesbench"), golden["expected"]
    official = task.conventions["official"]
    own = {"AesP": "AesP", "AesE": "AesE", "AesA": "AesA1"}
    fed = [
        (sample, golden["predictions"].get(sample.cluster, {}).get(f"{own[sample.groups['part']]}_response"))
        for sample in read_back("aesbench", {"AesBench_evaluation.json": golden["data"]})
    ]
    rows = score(official, fed)
    got = values(official, rows)
    for part, name in own.items():
        yield Check(part, 100 * got[f"part/{part}"], expected["scores"][f"{name}_percent"])
        found = [row for row in rows if row.groups["part"] == part]
        for row, item in zip(found, expected["per_item"][name], strict=True):
            yield Check(f"{row.sample_id} image", row.cluster, item["image"])
            yield Check(f"{row.sample_id} read", row.parsed.answer or "Z", item["inferred"])
            yield Check(f"{row.sample_id} correct", row.scores["correct"], item["correct"])


FEEDERS: dict[str, Feeder] = {
    "mmmu_val": mmmu_val,
    "cmmmu": cmmmu,
    "tiny_lvlm_ehub": tiny_lvlm_ehub,
    "aesbench": aesbench,
}
