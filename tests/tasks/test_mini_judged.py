"""The mini benchmarks that a judge grades: whole, read by the real tasks, and scored with a judge; and how BenchLMM is graded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import find_task
from harness.cli import main
from harness.data.media import open_image
from harness.data.sources import read_records
from harness.judging import needed
from harness.metrics.aggregate import Rows, aggregate
from harness.replies import score_conventions, score_replies
from harness.scoring import score_reply
from harness.types import Image, Sample, Text
from tasks.judges import aesbench, benchlmm
from tasks.mini import write
from tests.chat_server import ChatServer
from tests.tasks.test_mini_mllm import samples
from tests.tasks.test_mllm_replies import llava
from tests.tasks.test_score_layouts import Case, by_id_json_gz, cases_of, joined_whole, lines, plain_jsonl, table

TASKS = ("benchlmm", "mmvet", "llava_bench_wild", "infimm_eval")
N = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini_judged")
    write(folder, TASKS, seed=3, n=N)
    return folder


@pytest.mark.parametrize("name", TASKS)
def test_the_mini_data_are_whole_and_the_same_again(root: Path, tmp_path: Path, name: str) -> None:
    task, found = find_task(name), samples(root, name)
    assert len(found) == N == len({one.id for one in found}) and all(task.ideal(one) for one in found)
    official = task.conventions["official"]
    assert all(needed(score_reply(official, one, task.ideal(one)).parsed) for one in found)
    for one in found:
        pictures = [part for part in one.parts if isinstance(part, Image)]
        assert len(pictures) == (2 if one.groups.get("category") == "Analogical" else 1)
        assert all(open_image(part.source).size[0] > 0 for part in pictures)
    write(tmp_path, [name], seed=3, n=N)
    digests = [
        hashlib.sha256(b"".join(path.read_bytes() for path in sorted((folder / name).rglob("*.*")))).hexdigest()
        for folder in (root, tmp_path)
    ]
    assert digests[0] == digests[1]
    write(tmp_path / "few", [name], n=1)
    assert samples(tmp_path / "few", name)


def judge(text: str, asked: int) -> str:
    """Gives each reply full marks, in the form that is asked for."""
    if "[Correct Action]" in text:
        return "action accessment evidence: it is\naction score: 1"
    return "8 8" if "[Assistant 2]" in text else "1.0"


@pytest.mark.slow
def test_the_suite_is_judged_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "model=oracle", "suite=judged_mini", "mini.n=6", f"paths.data={tmp_path}", f"runs={tmp_path / 'runs'}"]
    assert main([*words, "output=json"]) == 1
    unscored = json.loads(capsys.readouterr().out)
    assert [row["value"] for row in unscored["results"]] == [None] * 4
    assert [one["kind"] for one in unscored["errors"]] == ["Unscored"] * 4
    assert main(words) == 1 and capsys.readouterr().out.count("unscored (needs judge)") == 4
    with ChatServer(judge) as server:
        at = ["judge=local", f"judge.base_url={server.url}", "judge.model=rules", "output=json"]
        assert main([*words, *at]) == 0
    judged = json.loads(capsys.readouterr().out)["results"]
    assert [row["value"] for row in judged] == [1.0] * 4
    assert main([*words, "judge=replay", f"judge.folder={tmp_path / 'runs'}", "output=json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == judged


# --- BenchLMM ------------------------------------------------------------------------------------------------------------

DRAWN = Sample(id="a", question="How many?", references=("2 / two",), groups={"style": "style_sketch", "field": "artistic"})
PLAYED = Sample(id="b", question="Next? (A) go up (B) dig. Say.", references=("(B) dig",), groups={"style": "game"})


@pytest.mark.parametrize(
    ("word", "grade"),
    [
        ("0.5", 0.5),
        ("The score is 1.0.", 1.0),
        ("-0.5", 0.5),
        (".5", None),
        ("0.8/1.0", None),
        ("85%", None),
        ("", None),
        ("\u0661", 1.0),
    ],
)
def test_a_grade_is_the_only_number_from_0_to_1(word: str, grade: float | None) -> None:
    assert benchlmm.grade(word, DRAWN).answer == grade


@pytest.mark.parametrize(
    ("word", "grade"),
    [("evidence: B\naction score: 1", 1.0), ("e: 1\n\nscore: a: 0", 0.0), ("action score: 1", None), ("e\nscore: nan", None)],
)
def test_an_action_is_graded_in_the_second_line(word: str, grade: float | None) -> None:
    assert benchlmm.grade(word, PLAYED).answer == grade


@given(st.text(), st.sampled_from((DRAWN, PLAYED)))
def test_whatever_a_judge_says_is_a_grade_or_unread(word: str, sample: Sample) -> None:
    parsed = benchlmm.grade(word, sample)
    assert (parsed.answer is None) == (parsed.reason is not None)
    assert parsed.answer is None or 0 <= parsed.answer <= 1


def test_each_style_is_asked_about_in_its_own_words() -> None:
    def asked(sample: Sample, attempt: int = 0) -> str:
        (part,) = benchlmm.ask(sample, "two", attempt).parts
        assert isinstance(part, Text)
        return part.text

    assert "[Action Choices]: (A) go up (B) dig\n" in asked(PLAYED)
    assert "Question: None \n" in asked(DRAWN) and "10 | ten | 1.0" in asked(DRAWN) and "luggage" not in asked(DRAWN)
    for style, mark in (("xray", "luggage"), ("RS", "brige"), ("AD", "ego-vehicle"), ("CT", "10 | 10 | 1.0")):
        assert mark in asked(Sample(id="c", references=("x",), groups={"style": style}))
    (shown,) = benchlmm.ask_with_question(DRAWN, "two", 0).parts
    assert "Question: How many? \n" in getattr(shown, "text", "")


def test_of_two_files_of_a_style_one_is_read_and_others_are_left(tmp_path: Path) -> None:
    row = {"question_id": 0, "image": "0.png", "text": "Which?", "answer": "A: stop"}
    for name in ("AD", "LLaVA_AD", "LLaVA_MRI", "style_weather"):
        lines(tmp_path / f"Benchmark_{name}.jsonl", [row, {**row, "question_id": "1", "answer": ""}, row])
    task = find_task("benchlmm")
    found = list(task.samples(read_records(task, [tmp_path])[1]))
    assert sorted(one.id for one in found) == ["AD/0", "AD/0.1", "MRI/0", "MRI/0.1"]
    exact = task.conventions["exact"]
    replies = ("Stop.", "stop sign", "a: STOP", "")
    rows = [score_reply(exact, one, reply) for one, reply in zip(found, replies, strict=True)]
    assert [row.scores["score"] for row in rows] == [1.0, 0.0, 0.0, 0.0]
    got = {one.name: one.value for one in aggregate(Rows.of(rows), exact.metrics)}
    assert got["styles"] == got["with_all"] == 0.25 and got["style/AD"] == 0.5


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("mini"), 6)


def benchlmm_answers(case: Case, folder: Path) -> Path:
    """The authors' files of replies: one a style, whose ids begin anew."""
    for style in ("style_sketch", "infrard", "game"):
        rows = [
            {"question_id": int(one.id.rpartition("/")[2]), "prompt": one.question, "model_output": reply}
            for one, reply in zip(case.samples, case.replies, strict=True)
            if one.groups["style"] == style
        ]
        lines(folder / f"answers_Benchmark_{style}.jsonl", rows)
    return folder


@pytest.mark.parametrize("name", TASKS)
def test_each_reply_reaches_its_sample(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    for writer in (plain_jsonl, by_id_json_gz, table, llava, *((benchlmm_answers,) if name == "benchlmm" else ())):
        (tmp_path / writer.__name__).mkdir()
        joined_whole(cases[name], writer, tmp_path / writer.__name__)


def test_empty_replies_are_left_out_of_the_mean_as_officially(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["benchlmm"]
    rows = [{"id": one.id, "reply": "x" if n else "", "extraction": "0.5" if n else None} for n, one in enumerate(case.samples)]
    rows = [{**row, "extraction": "evidence: so\nscore: 0.5"} if row["reply"] and row["id"][0] == "g" else row for row in rows]
    result = score_replies(case.task, case.data, lines(tmp_path / "r.jsonl", rows), runs=tmp_path / "runs")
    assert result.metric("average").value == result.metric().value == 0.5 and result.metric("with_all").value < 0.5


# --- AesBench's interpretation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "grades"),
    [
        ("2 1 0", [2, 1, 0]),
        ("\n relevance: 2, precision: 1.5, completeness: 0\nSo.", [2, 1.5, 0]),
        ("2 1", None),
        ("3 1 0", None),
        ("", None),
    ],
)
def test_three_grades_are_read_from_one_line(word: str, grades: list[float] | None) -> None:
    assert aesbench.three(word, DRAWN).answer == grades


@given(st.text())
def test_whatever_a_judge_says_is_three_grades_or_unread(word: str) -> None:
    parsed = aesbench.three(word, DRAWN)
    scores = aesbench.graded(parsed, DRAWN)
    assert all(0 <= score <= 2 for score in scores.values()) and (parsed.answer is None) == (parsed.reason is not None)


def test_interpretations_are_scored_by_stored_grades(tmp_path: Path) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    parts = {
        name: {"Question": "Which?", "Options": "A) a\nB) b", "Answer": "A"} for name in ("AesP_data", "AesE_data", "AesA1_data")
    }
    whole = {f"{n}.jpg": {**parts, "AesI_data": {"Question": f"Describe {n}.", "Answer": "Calm."}} for n in range(4)}
    (tmp_path / "data" / "AesBench_evaluation.json").write_text(json.dumps(whole))
    task, data = find_task("aesbench_aesi"), tmp_path / "data"
    replies = lines(tmp_path / "r.jsonl", [{"id": f"{n}.jpg/AesI", "reply": "It is calm."} for n in range(4)])
    grades = lines(tmp_path / "g.jsonl", [{"id": f"{n}.jpg/AesI", "grade": f"2 1 {n % 2}"} for n in range(4)])
    (result,) = score_conventions(task, data, replies, conventions=("official",), grades=[grades], runs=tmp_path / "runs")
    assert result.metric().value == pytest.approx(3.5 / 3) and result.metric("completeness").value == 0.5
    assert result.metric().unit == "points" and result.metric().high > 1
