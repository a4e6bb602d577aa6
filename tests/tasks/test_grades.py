"""Replies with what a judge has said of them elsewhere: every layout of grades, several runs, what is missing, and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.config import ScoreConfig
from harness.data.grades import read_grades
from harness.errors import ConfigError, ReplyError
from harness.replies import score_conventions
from harness.results import Result, load_result
from tests.tasks.test_score_layouts import Case, cases_of, lines, plain_jsonl

TASKS = ("mmvet", "llava_bench_wild", "hallusionbench", "mathverse", "benchlmm")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("mini"), 12)


def scored(case: Case, folder: Path, grades: Sequence[Path], judge: str = "replay", convention: str = "official") -> Result:
    replies = plain_jsonl(case, folder)
    (result,) = score_conventions(
        case.task, case.data, replies, conventions=(convention,), grades=grades, judge=judge, runs=folder / "runs"
    )
    return result


def mmvet_grades(case: Case, folder: Path, runs: Sequence[Sequence[str]]) -> list[Path]:
    """The authors' file: all runs in lists."""
    held = {
        one.id: {"model": ["gpt-4"] * len(runs), "content": list(said), "score": [0.0] * len(runs)}
        for one, said in zip(case.samples, zip(*runs, strict=True), strict=True)
    }
    (folder / "grades.json").write_text(json.dumps(held))
    return [folder / "grades.json"]


def generic(case: Case, folder: Path, runs: Sequence[Sequence[str]]) -> list[Path]:
    """A file a run, each line an id and what the judge replied."""
    return [
        lines(
            folder / f"run{number}.jsonl",
            [{"id": one.id, "judge_reply": word, "judge": "gpt-4"} for one, word in zip(case.samples, said, strict=True)][::-1],
        )
        for number, said in enumerate(runs)
    ]


def by_id(case: Case, folder: Path, runs: Sequence[Sequence[str]]) -> list[Path]:
    """Words by id, one or a list."""
    words = zip(*runs, strict=True)
    held = {one.id: said[0] if len(said) == 1 else list(said) for one, said in zip(case.samples, words, strict=True)}
    (folder / "by_id.json").write_text(json.dumps(held))
    return [folder / "by_id.json"]


@pytest.mark.parametrize("writer", [mmvet_grades, generic, by_id])
def test_the_mean_of_the_runs_counts_and_each_is_told(
    writer: Callable[..., list[Path]], cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases["mmvet"]
    runs = [[f"{((n + run) % 11) / 10} " for n in range(len(case.samples))] for run in range(3)]
    result = scored(case, tmp_path, writer(case, tmp_path, runs))
    totals = [sum(map(float, said)) / len(said) for said in runs]
    assert result.judge is not None and result.judge["runs"] == pytest.approx(totals, abs=1e-12)
    assert result.metric().value == pytest.approx(sum(totals) / 3, abs=1e-12) and result.judge["sd"] == pytest.approx(
        pstdev(totals)
    )
    named = "a judge" if writer is by_id else "gpt-4"
    assert result.judge["name"] == f"{named} (stored grades, mean of 3 runs)" == result.run["judge"]["name"]
    assert load_result(result.folder).judge == result.judge and result.judge["unjudged"] == 0
    (alone,) = writer(case, tmp_path, runs[:1])[:1]
    single = scored(case, tmp_path, [alone], judge="gpt-4-0613")
    assert single.judge is not None and single.judge["name"] == "gpt-4-0613 (stored grades)"
    assert single.metric().value == pytest.approx(totals[0], abs=1e-12) and single.folder != result.folder


def test_llavas_reviews_are_joined_by_question_and_ratios_averaged(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["llava_bench_wild"]
    files = []
    for run in range(2):
        rows = [
            {"id": n + 1, "question_id": int(one.id), "content": f"8 {n % 9 + run}\nSo.", "tuple": [8.0, float(n % 9 + run)]}
            for n, one in enumerate(case.samples)
        ]
        files.append(lines(tmp_path / f"review{run}.jsonl", rows))
    result = scored(case, tmp_path, files)
    means = [sum(n % 9 + run for n in range(12)) / 12 for run in range(2)]
    expected = [round(round(mean, 3) / 8 * 100, 1) / 100 for mean in means]
    assert result.judge is not None and result.judge["runs"] == pytest.approx(expected, abs=1e-12)
    assert result.metric().value == pytest.approx(sum(expected) / 2, abs=1e-12)


def test_codes_words_and_judgements_of_other_benchmarks(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["hallusionbench"]
    codes = lines(tmp_path / "c.jsonl", [{"id": one.id, "gpt4v_output_gpt_check": n % 2} for n, one in enumerate(case.samples)])
    words = lines(
        tmp_path / "w.jsonl", [{"id": one.id, "content": ("Incorrect", "Correct")[n % 2]} for n, one in enumerate(case.samples)]
    )
    (tmp_path / "one").mkdir()
    values = {scored(case, tmp_path / "one", [file]).metric().value for file in (codes, words)}
    assert values == {0.5}
    case = cases["mathverse"]
    rows = [
        {
            "sample_index": one.fields["sample_index"],
            "problem_version": one.groups["version"],
            "extraction": "x",
            "judgement": n % 3 % 2,
        }
        for n, one in enumerate(case.samples)
    ]
    (tmp_path / "two").mkdir()
    assert scored(case, tmp_path / "two", [lines(tmp_path / "j.jsonl", rows)]).metric().value == pytest.approx(1 / 3)


def test_files_about_other_samples_add_up_to_one_run(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["benchlmm"]
    (tmp_path / "scores").mkdir()
    for style in dict.fromkeys(one.groups["style"] for one in case.samples):
        word = "evidence\nscore: 1" if style == "game" else "0.5"
        rows = [
            {"question_id": one.id.rpartition("/")[2], "model_response": word}
            for one in case.samples
            if one.groups["style"] == style
        ]
        lines(tmp_path / "scores" / f"Benchmark_{style}_evaluate.jsonl", rows)
    result = scored(case, tmp_path, [tmp_path / "scores"])
    assert result.judge is not None and len(result.judge["runs"]) == 1 and result.judge["unjudged"] == 0
    assert result.metric().value == pytest.approx(2 / 3) and result.metric("style/game").value == 1


def test_a_reply_without_a_grade_is_unjudged_and_stays_in_the_mean(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["mmvet"]
    words = ["1.0"] * (len(case.samples) - 2) + ["well", "1.0"]
    (file,) = generic(case, tmp_path, [words])
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))  # the last sample's stands first
    result = scored(case, tmp_path, [file])
    assert result.judge is not None and result.judge["unjudged"] == 2 == result.unparsed
    assert result.metric().value == pytest.approx(10 / 12)


def test_what_cannot_be_grades_is_refused(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["mmvet"]
    with pytest.raises(ReplyError, match="no id with a field that holds what a judge said"):
        scored(case, tmp_path, [lines(tmp_path / "a.jsonl", [{"id": "v1_0", "colour": "red"}] * 2)])
    with pytest.raises(ReplyError, match="do not fit"):
        scored(case, tmp_path, [lines(tmp_path / "b.jsonl", [{"id": f"v9_{n}", "grade": 1} for n in range(12)])])
    with pytest.raises(ConfigError, match="asks no judge"):
        scored(cases["mathverse"], tmp_path, generic(case, tmp_path, [["1"] * 12]), convention="strict")


SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
WORDS = SIMPLE | st.lists(SIMPLE, max_size=3) | st.dictionaries(st.text(max_size=8), SIMPLE, max_size=3)


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries({"id": WORDS, "grade": WORDS}) | WORDS, min_size=2, max_size=4))
def test_any_file_is_read_or_refused_with_its_name(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = lines(tmp_path_factory.getbasetemp() / "any.jsonl", rows)
    try:
        (read,) = read_grades(path)
    except ReplyError as error:
        assert path.name in str(error)
    else:
        assert all(word is None or isinstance(word, str) for one in read for word in one.words)


def test_the_command_names_the_judge_and_tells_the_runs(
    cases: dict[str, Case], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = cases["mmvet"]
    grades = generic(case, tmp_path, [["1.0"] * 12, ["0.5"] * 12])
    words = [
        "score",
        "task=mmvet",
        f"data={case.data[0]}",
        f"predictions={plain_jsonl(case, tmp_path)}",
        f"runs={tmp_path / 'runs'}",
    ]
    given_ = f"grades=[{','.join(map(str, grades))}]"
    assert main([*words, given_, "judge=replay", "judge.name=gpt-4-0613"]) == 0
    out = capsys.readouterr().out
    assert "gpt-4-0613 (stored grades, mean of 2 runs)" in out and "total 100.00, 50.00, standard deviation 25.00" in out


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"judge": {"_target_": "models.openai_chat.OpenAIChat"}}, "riddle score asks none"),
        ({"judge": {"_target_": "harness.judged.Replay"}}, "grades=FILE"),
        ({"grades": (Path("no.json"),)}, "grades=no.json: no such"),
        ({"grades": (Path(__file__),), "judge": {"name": "rule"}}, "give one of them"),
    ],
)
def test_a_judge_and_grades_that_do_not_go_together_are_refused(told: dict[str, Any], message: str) -> None:
    (problem,) = ScoreConfig(task="mmvet", predictions=(Path(__file__),), **told).problems()
    assert message in problem
