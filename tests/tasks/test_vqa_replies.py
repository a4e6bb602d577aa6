"""Replies to short visual questions in every layout in which people have them: the same reply must reach the same sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.replies import score_replies
from harness.types import Sample
from tests.tasks.test_score_layouts import Case, cases_of, lines, plain_jsonl, replies_of, table

TASKS = ("okvqa", "vqav2", "vizwiz", "textvqa", "gqa", "scienceqa", "iconqa", "ocrvqa", "ai2d")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("mini"), 8)


def named(sample: Sample) -> str:
    """The benchmark's own id, where the sample's is made of its content."""
    return str(sample.fields.get("question_id") or sample.id)


def lmms_eval(case: Case, folder: Path) -> Path:
    """The records of Hugging Face's tables; ScienceQA and AI2D have no ids there, but questions and options."""
    rows = []
    for number, (sample, reply) in enumerate(zip(case.samples, case.replies, strict=True)):
        doc: dict[str, Any] = {"question": sample.question}
        key = {"gqa": "id"}.get(case.task.name, "question_id")
        doc |= {"choices": list(sample.options)} if case.task.name in ("scienceqa", "ai2d") else {key: sample.id}
        asked = case.task.prompt(sample)
        rows.append({"doc_id": number, "doc": doc, "arguments": [[asked]], "resps": [[reply]], "filtered_resps": [reply]})
    return lines(folder / "samples.jsonl", rows)


def llava_own_ids(case: Case, folder: Path) -> Path:
    rows = [
        {"question_id": named(sample), "prompt": case.task.prompt(sample), "text": reply, "answer_id": "x", "metadata": {}}
        for sample, reply in zip(case.samples, case.replies, strict=True)
    ]
    return lines(folder / "llava.jsonl", rows)


def whole(folder: Path, content: object) -> Path:
    (folder / "submission.json").write_text(json.dumps(content))
    return folder / "submission.json"


def challenge(case: Case, folder: Path) -> Path:
    """EvalAI's form for the VQA challenge and TextVQA."""
    return whole(folder, [{"question_id": int(s.id), "answer": r} for s, r in zip(case.samples, case.replies, strict=True)])


def vizwiz_results(case: Case, folder: Path) -> Path:
    return whole(folder, [{"image": f"{s.id}.jpg", "answer": r} for s, r in zip(case.samples, case.replies, strict=True)])


def gqa_predictions(case: Case, folder: Path) -> Path:
    return whole(folder, [{"questionId": s.id, "prediction": r} for s, r in zip(case.samples, case.replies, strict=True)])


def scienceqa_outputs(case: Case, folder: Path) -> Path:
    """What the official scripts keep of replies: by problem."""
    outputs = {named(sample): reply for sample, reply in zip(case.samples, case.replies, strict=True)}
    return whole(folder, {"acc": 1.0, "correct": 2, "count": 3, "results": dict.fromkeys(outputs, 0), "outputs": outputs})


def scienceqa_analysis(case: Case, folder: Path) -> Path:
    """What LLaVA's scorer writes beside its numbers."""
    rows = [
        {"question_id": named(s), "parsed_ans": "A", "ground_truth": s.references[0], "question": case.task.prompt(s), "pred": r}
        for s, r in zip(case.samples, case.replies, strict=True)
    ]
    return whole(folder, {"correct": rows[::2], "incorrect": rows[1::2]})


def iconqa_results(case: Case, folder: Path) -> Path:
    """A file a sub-task, each with predictions by problem."""
    for kind in ("choose_img", "choose_txt", "fill_in_blank"):
        (folder / kind).mkdir()
        own = {s.id: r for s, r in zip(case.samples, case.replies, strict=True) if s.groups["task"] == kind}
        (folder / kind / "exp.json").write_text(json.dumps({"acc": 50.0, "results": own}))
    return folder


Writer = Callable[[Case, Path], Path]
GENERIC: tuple[Writer, ...] = (plain_jsonl, lmms_eval, llava_own_ids, table)
OWN: dict[str, tuple[Writer, ...]] = {
    "okvqa": (challenge,),
    "vqav2": (challenge,),
    "textvqa": (challenge,),
    "vizwiz": (vizwiz_results,),
    "gqa": (gqa_predictions,),
    "scienceqa": (scienceqa_outputs, scienceqa_analysis),
    "iconqa": (iconqa_results,),
}


@pytest.mark.parametrize(("name", "writer"), [(name, writer) for name in TASKS for writer in (*GENERIC, *OWN.get(name, ()))])
def test_each_reply_reaches_its_sample(name: str, writer: Writer, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    folder = tmp_path / "replies"
    folder.mkdir()
    result = score_replies(case.task, case.data, writer(case, folder), model_name="a", runs=tmp_path / "runs", data_name="mini")
    joined = result.run["replies"]
    assert replies_of(result) == list(case.replies), joined
    assert (result.missing, joined["extra"]["n"], joined["duplicates"]["n"]) == (0, 0, 0)


@pytest.mark.parametrize("name", TASKS)
def test_a_missing_reply_is_wrong_counted_and_shifts_nothing(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    rows = [{"id": sample.id, "reply": reply} for sample, reply in zip(case.samples, case.replies, strict=True)]
    result = score_replies(case.task, case.data, lines(tmp_path / "r.jsonl", rows[1:]), runs=tmp_path / "runs")
    assert (result.missing, result.n) == (1, len(case.samples))
    assert replies_of(result) == [None, *case.replies[1:]]
    whole_one = score_replies(case.task, case.data, lines(tmp_path / "s.jsonl", rows), runs=tmp_path / "runs")
    assert result.metric().value < whole_one.metric().value
