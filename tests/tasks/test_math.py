"""MathVerse and SciVerse: the mini data, every layout of data and replies, what is read of replies, and a run of the suite."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.catalog import find_task
from harness.cli import main
from harness.data.options import embedded
from harness.data.sources import Row, read_records
from harness.data.steps import text_objects
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.metrics.text import without_blanks
from harness.parsers.letter import option_or_text
from harness.parsers.verdict import WRONG, one_or_zero, one_or_zero_in_words
from harness.replies import score_replies
from harness.scoring import score_reply
from harness.types import Image, Sample
from tasks.mini import write
from tests.chat_server import ChatServer
from tests.tasks.test_mini_mllm import samples
from tests.tasks.test_mllm_replies import llava
from tests.tasks.test_score_layouts import Case, by_id_json_gz, cases_of, joined_whole, lines, plain_jsonl, table, tsv

TASKS, N = ("mathverse", "sciverse"), 60


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini_math")
    write(folder, TASKS, seed=3, n=N)
    return folder


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("mini"), 15)


@pytest.mark.parametrize("name", TASKS)
def test_the_mini_data_are_whole_fair_and_the_same_again(root: Path, tmp_path: Path, name: str) -> None:
    task, found = find_task(name), samples(root, name)
    assert len(found) == N and len({one.id for one in found}) == N
    for convention in task.conventions.values():
        rows = [score_reply(convention, one, task.ideal(one)) for one in found]
        got = {one.name: one.value for one in aggregate(Rows.of(rows), convention.metrics)}
        assert got[convention.primary] == 1.0
    closed = [one for one in found if one.options and one.groups["version"] == "Vision Only"]
    places = Counter((len(one.options), one.references[0]) for one in closed)
    assert max(places.values()) - min(places.values()) <= 2
    assert not any(one.question for one in found if one.groups["version"] == "Vision Only")
    assert {bool(one.parts) for one in found} == ({True, False} if name == "mathverse" else {True})
    write(tmp_path, [name], seed=3, n=N)
    digests = [
        hashlib.sha256(b"".join(path.read_bytes() for path in sorted((folder / name).rglob("*.*")))).hexdigest()
        for folder in (root, tmp_path)
    ]
    assert digests[0] == digests[1]
    write(tmp_path / "few", [name], n=1)
    assert len(samples(tmp_path / "few", name)) in (5, 6)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """MathVerse's rows as tables have them: pictures inside."""
    rows = [row for name in ("testmini", "testmini_text_only") for row in json.loads((folder / f"{name}.json").read_text())]
    return [
        {
            **row,
            "image": {"bytes": (folder / "images" / row["image"]).read_bytes(), "path": row["image"]} if row["image"] else None,
        }
        for row in rows
    ]


def mathverse_parquet(official: Path, folder: Path) -> None:
    rows = rows_of(official)
    parquet.write_table(pyarrow.Table.from_pylist([row for row in rows if row["image"]]), folder / "testmini.parquet")
    plain = [{**row, "image": "", "metadata": json.loads(row["metadata"].replace("'", '"'))} for row in rows if not row["image"]]
    parquet.write_table(pyarrow.Table.from_pylist(plain), folder / "testmini_text_only.parquet")


def mathverse_tsv(official: Path, folder: Path) -> None:
    rows = [
        {**row, "index": number, "image": base64.b64encode(row["image"]["bytes"]).decode() if row["image"] else ""}
        for number, row in enumerate(rows_of(official))
    ]
    pandas.DataFrame(rows).to_csv(folder / "MathVerse_MINI.tsv", sep="\t", index=False)


def sciverse_parquet(official: Path, folder: Path) -> None:
    for path in official.glob("Image*/*.png"):
        (folder / path.parent.name).mkdir(exist_ok=True)
        (folder / path.parent.name / path.name).write_bytes(path.read_bytes())
    rows = json.loads((official / "QA.json").read_text())
    rows = [{**row, "image": f"Image/{row['image']}", "answer": row[f"choice{row['answer']}"]} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "QA.parquet")


@pytest.mark.parametrize("other", [mathverse_parquet, mathverse_tsv, sciverse_parquet])
def test_every_layout_gives_the_same_samples(root: Path, tmp_path: Path, other: Callable[[Path, Path], None]) -> None:
    name = other.__name__.partition("_")[0]
    task = find_task(name)
    other(root / name, tmp_path)
    layout, records = read_records(task, [tmp_path])
    ours, theirs = ({one.id: one for one in some} for some in (samples(root, name), task.samples(records)))
    assert layout.name != "official" and ours.keys() == theirs.keys()
    for mine, yours in ((one, theirs[one.id]) for one in ours.values()):
        for attribute in ("question", "options", "references", "cluster", "groups"):
            assert getattr(mine, attribute) == getattr(yours, attribute)
        pictures = [[part.source.read() for part in one.parts if isinstance(part, Image)] for one in (mine, yours)]
        assert pictures[0] == pictures[1] and task.prompt(mine) == task.prompt(yours)


def mathverse_results(case: Case, folder: Path) -> Path:
    """The authors' file: rows with ``model_answer``, whose ``sample_index`` begins anew for Text Only."""
    rows = [
        {
            "sample_index": one.fields["sample_index"],
            "problem_index": one.cluster,
            "problem_version": one.groups["version"],
            "question": one.question,
            "answer": one.references[0],
            "model_answer": reply,
        }
        for one, reply in zip(case.samples, case.replies, strict=True)
    ]
    (folder / "results.json").write_text(json.dumps(rows[::-1]))
    return folder / "results.json"


@pytest.mark.parametrize(
    ("name", "writer"),
    [(name, one) for name in TASKS for one in (plain_jsonl, by_id_json_gz, table, tsv, llava)]
    + [("mathverse", mathverse_results)],
)
def test_each_reply_reaches_its_sample(name: str, writer: Any, cases: dict[str, Case], tmp_path: Path) -> None:
    joined_whole(cases[name], writer, tmp_path)


def test_stored_extractions_are_matched_to_the_letter(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["mathverse"]
    rows = [
        {"id": one.id, "model_answer": "So it is", "extraction": one.references[0] + " " * (n % 2)}
        for n, one in enumerate(case.samples)
    ]
    result = score_replies(case.task, case.data, lines(tmp_path / "r.jsonl", rows), runs=tmp_path / "runs")
    assert result.metric().value == 0.5 and result.run["judge"] == "stored extraction"


CLOSED = Sample(id="1", options=("two", "four"), references=("B",))


@pytest.mark.parametrize(("reply", "answer"), [("B: four", "B"), ("It is four.", "B"), ("a square", None), ("(b)", "B")])
def test_an_option_is_read_strictly(reply: str, answer: str | None) -> None:
    assert option_or_text(reply, CLOSED).answer == answer


def test_words_of_judges_texts_and_objects() -> None:
    assert [one_or_zero(word, CLOSED).answer for word in ("1", "Judgement: 0\n", "yes", "10", "")] == [
        "B",
        WRONG,
        None,
        None,
        None,
    ]
    assert [one_or_zero_in_words(word, CLOSED).answer for word in ("True", "0.0", "1", "x")] == ["B", WRONG, "B", None]
    assert without_blanks("$(-2, 1]$ .") == "(-2,1]"
    row = Row({"metadata": "{'subject': 'Functions', 'n': 1}"}, "f.json record 3")
    assert dict(text_objects("metadata")(row, Path()))["metadata"] == {"subject": "Functions", "n": 1}  # type: ignore[arg-type]
    for bad in ("{'a':", "[1]", "__import__('os')", ""):
        with pytest.raises(DatasetError, match=r"f\.json record 3: metadata"):
            text_objects("metadata")(row.but(metadata=bad), Path())


@given(st.lists(st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")), max_size=8), st.text())
def test_options_in_a_question_are_found_in_order_whatever_they_are(options: list[str], verdict: str) -> None:
    text = "".join(f"\n{letter}:{option}" for letter, option in zip("ABCDEFGH", options, strict=False))
    assert embedded(f"Which?\nChoices:{text}") == tuple(option.strip() for option in options)
    assert embedded(verdict) == embedded(verdict) and without_blanks(without_blanks(verdict)) is not None
    assert one_or_zero(verdict, CLOSED).answer in ("B", WRONG, None)


def judge(text: str, asked: int) -> str:
    """Takes the last word out; finds what begins alike consistent."""
    if "Extracted Answer: " in text[-30:]:
        return f"Extracted Answer: {text.rpartition(chr(39))[0].split()[-1]}"
    reference, answer = text.rpartition("[Standard Answer]: ")[2].split("\n")[:2]
    return "Judgement: " + str(int(answer.removeprefix("[Model_answer] : ")[:1] == reference[:1]))


def test_mathverse_by_its_judge_in_two_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "eval",
        "model=constant",
        "model.reply='It is B.'",
        "task=mathverse",
        "mini.n=24",
        f"paths.data={tmp_path}",
        "output=json",
    ]
    words.append(f"runs={tmp_path / 'runs'}")
    assert main(words) == 0
    (ruled,) = json.loads(capsys.readouterr().out)["results"]
    assert ruled["judge"] == "rule" and ruled["value"] == 0
    with ChatServer(judge) as server:
        at = ["judge=local", f"judge.base_url={server.url}", "judge.model=rules"]
        assert main([*words, *at]) == 0
        (judged,) = json.loads(capsys.readouterr().out)["results"]
        assert main([*words, *at, "convention=quick_match"]) == 0
        (quick,) = json.loads(capsys.readouterr().out)["results"]
    (folder,) = tmp_path.glob("mini*/mathverse")
    share = sum(one.references[0] == "B" for one in samples(folder.parent, "mathverse")) / 24
    assert judged["judge"] == "rules, prompt mathverse-1" and judged["value"] == share > 0 and judged["unparsed"] == 0
    assert quick["judge"] == "rules, prompt mathverse-extract-1" and quick["value"] == 0


@pytest.mark.slow
def test_the_suite_runs_from_its_files_to_its_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=nano", "suite=math_mini", "mini.n=2", *places, "output=json"]) == 0
    text = json.dumps(json.loads(capsys.readouterr().out))
    assert all(f"{name}@mini" in text for name in TASKS)
