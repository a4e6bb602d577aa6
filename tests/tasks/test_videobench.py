"""Video-Bench: questions joined with their answers, the prompt's forms, and the leaderboard's arithmetic."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import FileSource, Sample, Video

SETS = (
    "ActivityNet", "MSVD", "MSRVTT", "TGIF", "Youcook2", "Ucfcrime", "MOT", "TVQA", "MV", "NBA", "Driving-exam",
    "Driving-decision-making", "SQA3D",
)  # fmt: skip


def question(name: str, number: int, options: int = 2) -> dict[str, Any]:
    return {
        "vid_path": f"Eval_video/{name}/v{number}.mp4",
        "video_id": number,
        "question": "What is it?",
        "choices": {letter: f"thing {letter}" for letter in "ABCDEF"[:options]},
    }


def write(folder: Path, sets: tuple[str, ...] = SETS, each: int = 2, answers: str = "ANSWER.json") -> None:
    (folder / "Eval_QA").mkdir()
    for name in sets:
        questions = {str(number): question(name, number) for number in range(each)}
        (folder / "Eval_QA" / f"{name}_QA_new.json").write_text(json.dumps(questions))
    key = {name: {str(number): {"answer": "AB"[number % 2]} for number in range(each)} for name in sets}
    (folder / answers).write_text(json.dumps(key))


def samples(*where: Path) -> list[Sample]:
    task = find_task("videobench")
    return list(task.samples(read_records(task, where)[1]))


@pytest.mark.parametrize("answers", ["ANSWER.json", "Eval_QA/ANSWER.json"])
def test_questions_get_their_answers_and_clips(tmp_path: Path, answers: str) -> None:
    write(tmp_path, answers=answers)
    found = {sample.id: sample for sample in samples(tmp_path)}
    assert len(found) == 26
    sample = found["TVQA/1"]
    assert (sample.references, sample.options, sample.groups) == (
        ("B",),
        ("thing A", "thing B"),
        {"dataset": "TVQA", "level": "Prior-Knowledge QA"},
    )
    (part,) = sample.parts
    assert isinstance(part, Video)
    assert part.source == FileSource(tmp_path / "Eval_video/TVQA/v1.mp4")
    assert sample.cluster == "Eval_video/TVQA/v1.mp4"


def test_files_may_be_named_one_by_one(tmp_path: Path) -> None:
    write(tmp_path)
    (sample, _) = samples(tmp_path / "Eval_QA" / "MOT_QA_new.json")
    (part,) = sample.parts
    assert isinstance(part, Video)
    assert part.source == FileSource(tmp_path / "Eval_video/MOT/v0.mp4")


def test_a_question_without_an_answer_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, sets=("MOT",))
    (tmp_path / "ANSWER.json").write_text('{"MOT": {"0": "A"}}')
    with pytest.raises(DatasetError, match=r"MOT_QA_new\.json record '1': no answer in .*ANSWER\.json"):
        samples(tmp_path)


def test_a_clip_outside_the_data_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, sets=("MOT",), each=1)
    path = tmp_path / "Eval_QA" / "MOT_QA_new.json"
    path.write_text(json.dumps({"0": {**question("MOT", 0), "vid_path": "../../secret.mp4"}}))
    with pytest.raises(DatasetError, match="does not lie below"):
        samples(tmp_path)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (1, "What?"),
        (2, "What? A.a B.b \n Among the two options A, B above, "),
        (
            6,
            "What?Choices: A.a B.b C.c D.d E.e F.f \n Among the six options A, B, C, D, E, F above, ",
        ),
    ],
)
def test_the_prompt_has_the_readmes_form(options: int, expected: str) -> None:
    task = find_task("videobench")
    sample = Sample(id="s", question="What?", options=tuple("abcdef"[:options]))
    assert task.prompt(sample) == (expected if options == 1 else f"{expected}the one closest to the correct answer is:")
    assert task.choices(sample) == tuple("ABCDEF"[:options])


def test_the_ideal_reply_is_right(tmp_path: Path) -> None:
    write(tmp_path)
    task = find_task("videobench")
    for sample in samples(tmp_path):
        assert score_reply(task.conventions["official"], sample, task.query(sample).ideal).scores["correct"] == 1.0


def estimates(folder: Path, replies: dict[str, str | None]) -> dict[str, float]:
    """All right, but for these."""
    convention = find_task("videobench").conventions["official"]
    rows = []
    for sample in samples(folder):
        reply = replies.get(sample.id, sample.references[0])
        rows.append(score_reply(convention, sample, reply, missing=reply is None))
    return {estimate.name: estimate.value for estimate in aggregate(Rows.of(rows), convention.metrics)}


def test_mot_and_the_driving_exam_weigh_half(tmp_path: Path) -> None:
    write(tmp_path)
    got = estimates(tmp_path, {"MOT/0": "B", "MOT/1": "A", "Driving-exam/0": "B"})
    assert got["avg/Video-Exclusive"] == pytest.approx(6 / 6.5)
    assert got["avg/Prior-Knowledge QA"] == 1.0
    assert got["avg/Decision-Making"] == pytest.approx(2.25 / 2.5)
    assert got["avg_all"] == pytest.approx((6 / 6.5 + 1 + 0.9) / 3)
    assert got["paper_avg"] == pytest.approx(11.5 / 13)


def test_the_leaderboard_forgives_missing_answers_and_the_other_average_does_not(tmp_path: Path) -> None:
    write(tmp_path)
    got = estimates(tmp_path, {"NBA/0": None})
    assert (got["accuracy/NBA"], got["accuracy_over_all/NBA"]) == (1.0, 0.5)
    assert (got["avg_all"], got["paper_avg"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert got["paper_avg_over_all"] == pytest.approx(12.5 / 13)


def test_an_average_over_absent_sets_is_undefined(tmp_path: Path) -> None:
    write(tmp_path, sets=SETS[:7])
    got = estimates(tmp_path, {})
    assert math.isnan(got["avg_all"])
    assert got["avg/Video-Exclusive"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("reply", "correct"), [("A", 1), ("(A)", 1), ("A. thing A", 1), ("thing A", 1), ("thing B", 0), ("neither", 0), ("", 0)]
)
def test_letters_are_read_by_rule(tmp_path: Path, reply: str, correct: int) -> None:
    write(tmp_path, sets=("MOT",))
    assert score_reply(find_task("videobench").conventions["official"], samples(tmp_path)[0], reply).scores["correct"] == correct


def test_a_judges_letter_counts_alone_and_no_text_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path, sets=("TVQA",))
    first = replace(samples(tmp_path)[0], options=("", "thing"), references=("A",))
    extracted = find_task("videobench").conventions["official"].extracted
    assert extracted is not None
    assert extracted("A", first).answer == "A"
    assert [extracted(text, first).answer for text in ("a", "E", "A.", "thing")] == [None] * 4
