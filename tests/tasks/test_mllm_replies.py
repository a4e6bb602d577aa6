"""Replies to the benchmarks of general abilities: joined from the files that people have, and read alike however odd they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog import find_task
from harness.metrics.aggregate import Rows, aggregate
from harness.parsers.candidates import DRAWN, lmms_choice, lmms_choice_once, mmmu_choice, most_named
from harness.parsers.choice import letter_then_text
from harness.parsers.letter import first_character, letter_up_to_period, lowest_loss, one_option, only_letter
from harness.parsers.tails import blank_filled, open_answer, true_or_false_cn
from harness.parsers.verdict import correct_or_incorrect, yes_or_no
from harness.plan import Source
from harness.replies import score_replies
from harness.scoring import score_reply
from harness.task import Parse
from harness.types import Sample
from tasks.mini import write
from tests.tasks.test_mini_mllm import TASKS
from tests.tasks.test_score_layouts import Case, by_id_json_gz, cases_of, joined_whole, lines, plain_jsonl, table, tsv


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("mini"), 9)


def llava(case: Case, folder: Path) -> Path:
    """LLaVA's answer files."""
    rows = [
        {"question_id": sample.id, "prompt": case.task.prompt(sample), "text": reply, "model_id": "a"}
        for sample, reply in zip(case.samples, case.replies, strict=True)
    ]
    return lines(folder / "answers.jsonl", rows)


def cmmmu_submission(case: Case, folder: Path) -> Path:
    rows = [
        {"id": int(sample.id), "type": sample.groups["type"], "response": reply}
        for sample, reply in zip(case.samples, case.replies, strict=True)
    ]
    return lines(folder / "submission.jsonl", rows)


Writer = Callable[[Case, Path], Path]
GENERIC: tuple[Writer, ...] = (plain_jsonl, by_id_json_gz, table, tsv, llava)
OWN: Mapping[str, tuple[Writer, ...]] = {"cmmmu": (cmmmu_submission,)}


@pytest.mark.parametrize(("name", "writer"), [(name, writer) for name in TASKS for writer in (*GENERIC, *OWN.get(name, ()))])
def test_each_reply_reaches_its_sample(name: str, writer: Writer, cases: dict[str, Case], tmp_path: Path) -> None:
    joined_whole(cases[name], writer, tmp_path)


@pytest.mark.parametrize("name", TASKS)
def test_a_missing_reply_is_wrong_and_counted(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    rows = [{"id": one.id, "reply": case.task.ideal(one)} for one in case.samples]
    given_ = lines(tmp_path / "replies.jsonl", rows[1:])
    for convention in case.task.conventions.values():
        scored = [
            score_reply(convention, one, None if n == 0 else case.task.ideal(one), missing=n == 0)
            for n, one in enumerate(case.samples)
        ]
        assert next(iter(scored[0].scores.values())) == 0.0
    result = score_replies(case.task, case.data, given_, model_name="a", runs=tmp_path / "runs", data_name="mini")
    assert result.missing == 1


@pytest.mark.parametrize("name", ["mmvp", "hallusionbench"])
def test_verdicts_of_a_judge_in_the_file_are_read_as_the_official_scorer_does(
    name: str, cases: dict[str, Case], tmp_path: Path
) -> None:
    case, said = cases[name], {"mmvp": ("Yes", "no"), "hallusionbench": ("Correct.", "incorrect")}[name]
    rows = [{"id": one.id, "reply": "hm", "extraction": said[n % 3 == 2]} for n, one in enumerate(case.samples)]
    result = score_replies(
        case.task, case.data, lines(tmp_path / "judged.jsonl", rows), model_name="a", runs=tmp_path / "runs", data_name="mini"
    )
    from pyarrow import parquet

    assert parquet.read_table(result.scores_path).column("score.correct").to_pylist() == [
        float(n % 3 != 2) for n in range(len(case.samples))
    ]


@cache
def some(name: str) -> tuple[Sample, ...]:
    """A few samples of a benchmark, made once for all examples."""
    task = find_task(name)
    return tuple(Source.find(task, write(Path(mkdtemp()), [name], n=6)).samples())[:9]


ODD = st.text(max_size=60) | st.sampled_from(
    ["", " ", "A", "(A) or (B)", "NASA", "1,200", "1e999", "nan", "答案是A", "不对", "对错", "Yes. No", "\n\n", "(", "-" * 500]
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(reply=ODD)
def test_any_reply_has_a_score_by_every_convention(reply: str) -> None:
    for name in TASKS:
        for key, convention in find_task(name).conventions.items():
            for sample in some(name):
                row = score_reply(convention, sample, reply)
                assert row.failed is None, (name, key, row.failed)
                score = next(iter(row.scores.values()))
                assert score >= 0 and (score <= 1 or (name, key) == ("cmmmu", "vlmevalkit"))
                if row.parsed.reason and row.parsed.reason.startswith(DRAWN):
                    assert score == 0


def sample(*options: str, **more: Any) -> Sample:
    return Sample(id="1", question="?", options=options, references=("B",), **more)


ANIMALS = ("a cat", "a dog", "a dog house", "a bird")


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("B", "B"), ("b", "B"), ("(b)", "B"), ("B.", "B"), ("**B**", "B"), ("B. a cat", "B"), ("b: a dog", "B"), ("（B）", "B"),
        ("The answer is B", "B"), ("answer is b.", "B"), ("Answer: B", "B"), ("My choice is B, because", "B"), ("答案是B", "B"),
        ("选B。", "B"), ("Option B fits best", "B"), ("It is (B), not that", "B"),
        ("The answer is a dog", "B"), ("a dog house", "C"), ("I see a bird.", "D"), ("A DOG", "B"),
        ("The answer is a bird.", "D"), ("A bird sings", "D"), ("(A) or (B)", None), ("a cat and a bird", None),
        ("NASA", None), ("", None),
        ("E", None),
        ("I cannot tell", None), ("A man is standing here", None), ("not sure", None), ("Z", None),
    ],
)  # fmt: skip
def test_strictly_one_option_is_named_or_none(reply: str, read: str | None) -> None:
    assert one_option(reply, sample(*ANIMALS)).answer == read


READINGS: tuple[tuple[Parse, str, str | None], ...] = (
    (only_letter, "B", "B"), (only_letter, "B.", None), (only_letter, "E", None),
    (first_character, " because", "B"), (first_character, "The answer is A", None), (first_character, "(B)", None),
    (lowest_loss, "[1.5, 0.2, 3, 0.2]", "B"), (lowest_loss, "[1, 2]", None), (lowest_loss, "B", None),
    (lowest_loss, "[1, 2, NaN, 0]", None), (lowest_loss, "[true, 1, 1, 1]", None), (lowest_loss, "{}", None),
    (letter_up_to_period, "B. A", "B"), (letter_then_text, "The answer is dog", "D"),
    (mmmu_choice, "(A) or (B)", "B"), (mmmu_choice, "NASA", None), (mmmu_choice, "I think it is a bird over there", "D"),
    (lmms_choice, "NASA", "A"), (lmms_choice, "B.a", "B"), (lmms_choice_once, "(A) or (B)", None),
    (most_named, "AB", "AB"), (most_named, "(C) A A", "C"), (most_named, "BAB", "B"), (most_named, "a bird", "D"),
    (most_named, "", None), (most_named, "b", None),
)  # fmt: skip


@pytest.mark.parametrize(("parse", "reply", "read"), READINGS)
def test_letters_are_read_as_each_scorer_reads_them(parse: Parse, reply: str, read: str | None) -> None:
    assert parse(reply, sample(*ANIMALS)).answer == read


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("正确", "对"),
        ("错误", "错"),
        ("不对", "对"),
        ("没错", "错"),
        ("是否正确？", None),
        ("不知道", None),
        ("", None),
        ("所以是错的。", "错"),
    ],
)
def test_judgements_in_chinese(reply: str, read: str | None) -> None:
    assert true_or_false_cn(reply, sample()).answer == read


def test_open_answers_are_the_parts_behind_certain_words_and_the_numbers_in_them() -> None:
    assert open_answer("It has 3.\nSo the answer is 1,200 units.", sample()).answer == ("1,200 units", 1200.0, 200.0)
    assert open_answer("x", sample()).answer == (" x", "x ")
    assert open_answer("", sample()).unparsed
    asked = Sample(id="1", question="?", references=("北京",))
    assert blank_filled("首都是北京。因此答案为北京市", asked).answer == ("北京", "北京市")


def test_verdicts_that_say_neither() -> None:
    one = Sample(id="1", references=("yes",))
    assert [yes_or_no(said, one).answer for said in ("YES", "no", "yes.", "yes\n", "")] == ["yes", "wrong", None, None, None]
    said = ("Correct", "incorrect", "not correct", "unclear", "")
    assert [correct_or_incorrect(verdict, one).answer for verdict in said] == ["yes", "wrong", "yes", "unclear", "unclear"]


def test_an_unclear_verdict_is_right_only_where_no_figure_is_shown(cases: dict[str, Case]) -> None:
    task = cases["hallusionbench"].task
    read = task.conventions["official"].extracted
    assert read is not None
    for one in cases["hallusionbench"].samples:
        got = task.conventions["official"].score(read("unclear", one), one)["correct"]
        assert got == float(one.groups["figure_shown"] == "no")


def test_one_wrong_row_fails_its_question_and_its_figure_alone(cases: dict[str, Case]) -> None:
    case = cases["hallusionbench"]
    official = case.task.conventions["official"]
    rows = [score_reply(official, one, case.task.ideal(one) if n else "hm") for n, one in enumerate(case.samples)]
    got = {one.name: one for one in aggregate(Rows.of(rows), official.metrics)}
    n = {name: got[name].n for name in ("aAcc", "qAcc", "fAcc", "easy_aAcc", "hard_aAcc")}
    for name in ("aAcc", "qAcc", "fAcc", "easy_aAcc"):
        assert got[name].value == pytest.approx(1 - 1 / n[name]), name
    assert got["hard_aAcc"].value == 1 and got["aAcc"].clusters < got["aAcc"].n


def test_lmms_eval_has_four_other_right_answers_for_mmvp() -> None:
    convention = find_task("mmvp").conventions["lmms_eval"]
    for number in ("98", "99", "100", "279", "280"):
        one = Sample(id=number, options=("Long", "Short"), references=("A" if number in ("99", "279", "98") else "B",))
        assert score_reply(convention, one, "B").scores["correct"] == float(number in ("99", "279"))


def test_the_files_of_golden_replies_are_json() -> None:
    folder = Path(__file__).parents[1] / "golden" / "scoring"
    assert all(json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["predictions"] for name in TASKS)
