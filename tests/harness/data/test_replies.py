from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.replies import Reply, as_text, read_replies
from harness.errors import ReplyError


def read(path: Path, content: str | bytes) -> list[Reply]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_replies([path]).replies)


@pytest.mark.parametrize(
    ("record", "reply"),
    [
        ({"question_id": 1, "prompt": "Q?", "text": "Yes"}, "Yes"),
        ({"question": "Q?", "answer": "No"}, "No"),
        ({"question_id": 1, "image": "a.jpg", "text": "Q?", "answer": "No"}, "No"),
        ({"questionId": 7, "answer": "12"}, "12"),
        ({"index": 7, "prediction": "B", "answer": "A"}, "B"),
        ({"id": 7, "response": "B", "answer": "A", "prediction": "C"}, "B"),
        ({"ID": 7, "Model Output": "B"}, "B"),
        ({"question": "Q", "ground_truth": [1, 2, 3, 4], "model_output": "[1]"}, "[1]"),
        ({"question": "left", "gt_answers": [1, 2, 3, 4], "answer": "[1]"}, "[1]"),
        ({"doc_id": 0, "doc": {"question": "Q", "answer": "x"}, "resps": [["Yes"]], "filtered_resps": ["yes"]}, "Yes"),
        ({"doc_id": 0, "score": {"question_id": "a/1.png"}, "resps": [["Yes"]]}, "Yes"),
        ({"doc_id": 0, "target": "x", "filtered_resps": ["yes"]}, "yes"),
        ({"id": 1, "pred": 3}, "3"),
        ({"id": 1, "pred": [1, 2, 3, 4]}, "[1, 2, 3, 4]"),
        ({"id": 1, "pred": None}, None),
        ({"id": 1, "pred": float("nan")}, None),
        ({"id": 1, "pred": {"box": 1}}, '{"box": 1}'),
        ({"id": 1, "output": ""}, ""),
    ],
)
def test_the_reply_is_found_under_its_many_names(tmp_path: Path, record: dict[str, Any], reply: str | None) -> None:
    assert [one.text for one in read(tmp_path / "a.jsonl", json.dumps(record))] == [reply]


@pytest.mark.parametrize(
    "record",
    [
        {"question_id": 1, "image": "a.jpg", "text": "Q?", "label": "yes"},
        {"questionId": 1, "question": "Q", "answers": ["a"]},
        {"index": 1, "question": "Q", "A": "x", "B": "y", "answer": "A"},
        {"pid": "1", "question": "Q", "choices": None, "answer": "1.2"},
        {"id": 1},
        {},
    ],
)
def test_annotations_are_not_taken_for_replies(tmp_path: Path, record: dict[str, Any]) -> None:
    with pytest.raises(ReplyError, match="no field that holds a reply|holds no replies"):
        read(tmp_path / "a.json", json.dumps([record]))


def test_a_record_tells_all_that_may_name_its_sample(tmp_path: Path) -> None:
    record = {"question_id": 3.0, "image": "x/7.png", "question": "Q?", "category": "count", "target": [1, 2], "pred": "y"}
    (reply,) = read(tmp_path / "answers.json", json.dumps([record]))
    assert reply.ids == {"questionid": "3"}
    assert (reply.picture, reply.question, reply.reference) == ("x/7.png", "Q?", "[1, 2]")
    assert reply.categories == ("count", "answers")


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"1": "A", "2": "B"}, ["1", "2"]),
        ({"1": {"response": "A"}, "2": {"response": "B"}}, ["1", "2"]),
        ({"set": {"1": "A", "2": "B"}}, ["1", "2"]),
        ({"set": {"1": {"output_sequence": "A"}}, "other": {"2": {"output_sequence": "B"}}}, ["1", "2"]),
        ({"accuracy": 50.0, "results": [{"id": "1", "pred": "A"}, {"id": "2", "pred": "B"}]}, ["1", "2"]),
        ([{"id": "1", "pred": "A"}, {"id": "2", "pred": "B"}], ["1", "2"]),
    ],
)
def test_objects_and_lists_of_all_kinds_are_opened(tmp_path: Path, content: Any, keys: list[str]) -> None:
    replies = read(tmp_path / "a.json", json.dumps(content))
    assert [next(iter(reply.ids.values())) for reply in replies] == keys
    assert [reply.text for reply in replies] == ["A", "B"]


def test_form_does_not_matter_marks_line_ends_and_compression(tmp_path: Path) -> None:
    table = '\ufeffid,response\r\n1,"two\nlines"\r\n2,\r\n'
    assert [reply.text for reply in read(tmp_path / "a.csv", table)] == ["two\nlines", ""]
    lines = '{"id": 1, "pred": "A"}\r\n\r\n{"id": 2, "pred": "B"}\r\n'
    for name, content in (
        ("a.jsonl", lines.encode()),
        ("b.json", lines.encode("utf-8-sig")),
        ("c.jsonl.gz", gzip.compress(lines.encode())),
    ):
        assert [reply.text for reply in read(tmp_path / name, content)] == ["A", "B"]


@pytest.mark.parametrize("content", ["id;response\n1;A, b\n", "id\tresponse\n1\tA, b\n", 'id,response\n1,"A, b"\n'])
def test_the_header_shows_what_parts_the_columns(tmp_path: Path, content: str) -> None:
    assert [reply.text for reply in read(tmp_path / "a.csv", content)] == ["A, b"]


def test_tabbed_lines_keep_an_empty_reply_and_refuse_another_width(tmp_path: Path) -> None:
    (reply,) = read(tmp_path / "color.txt", "a.png\tIs it red?\tYes\t\n")
    assert (reply.text, reply.picture, reply.question, reply.categories) == ("", "a.png", "Is it red?", ("color",))
    with pytest.raises(ReplyError, match="line 2: 5 fields"):
        read(tmp_path / "count.txt", "a.png\tQ\tYes\tNo\nb.png\tQ\tYes\tNo\tor yes\n")
    with pytest.raises(ReplyError, match="3 fields"):
        read(tmp_path / "scene.txt", "a.png\tQ\tYes\n")


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    for name in ("color", "count"):
        (tmp_path / f"{name}.txt").write_text("a.png\tQ\tYes\tNo\n")
    (tmp_path / "eval.py").write_text("ignored")
    assert [reply.categories for reply in read_replies([tmp_path]).replies] == [("color",), ("count",)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", '[{"id": 1, "pred": "A"}, {"id"', "cut short"),
        ("a.jsonl", '{"id": 1, "pred": "A"}\n{"id": 2, "pr', "line 2"),
        ("a.jsonl", "", "Known layouts"),
        ("a.json", "[]", "holds no replies"),
        ("a.json", '"Yes"', "not JSON|Known layouts"),
        ("a.json", "[[1, 2]]", "no field that holds a reply"),
        ("a.csv", "id,response\n1\n", "1 fields, the header has 2"),
        ("a.csv", "id,answerkey\n1,2\n", "no field that holds a reply"),
        ("a.xlsx", "not a workbook", "not a readable xlsx"),
        ("a.jsonl.gz", "not gzip", "cannot be read"),
        ("a.pkl", "x", "suffix '.pkl' is unknown"),
        ("a.jsonl", b"\xff\xfe\xff", "not UTF-8"),
        ("a.json", "[" * 100_000, "not JSON|nested too deeply"),
        ("a.jsonl", '{"id": 1, "pred": "A"}\n{"question_id": 1, "prompt": "Q", "text": "A"}\n', "different layouts"),
    ],
)
def test_what_is_broken_is_refused_with_its_place(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    with pytest.raises(ReplyError, match=told) as error:
        read(tmp_path / name, content)
    assert "a." in str(error.value)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ReplyError, match="nowhere"):
        read_replies([tmp_path / "nowhere.json"])


def test_a_huge_reply_is_read_whole_and_cut_in_errors(tmp_path: Path) -> None:
    (reply,) = read(tmp_path / "a.jsonl", json.dumps({"id": 1, "pred": "x" * 2_000_000}))
    assert reply.text is not None and len(reply.text) == 2_000_000
    with pytest.raises(ReplyError) as error:
        read(tmp_path / "a.json", json.dumps([{"id": "y" * 2_000_000}]))
    assert len(str(error.value)) < 3_000


def test_a_sheet_without_replies_is_passed_over(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    assert book.active is not None
    book.active.append(["note"])
    sheet = book.create_sheet("data")
    for row in (["index", "prediction"], [7, "B"], [None, None], [8, None], [9, 4]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    file = read_replies([tmp_path / "a.xlsx"])
    assert [(reply.ids["index"], reply.text) for reply in file.replies] == [("7", "B"), ("8", ""), ("9", "4")]
    assert file.layout == "VLMEvalKit table"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_any_value_of_a_reply_becomes_text_or_nothing(value: Any) -> None:
    assert isinstance(as_text(value), str | None)


@given(
    content=st.text(max_size=200) | VALUES.map(lambda value: json.dumps(value)),
    suffix=st.sampled_from([".json", ".jsonl", ".csv", ".tsv", ".txt"]),
)
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str, suffix: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_text(content, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        read_replies([path])
    except ReplyError as error:
        assert "any" in str(error)


def test_the_extraction_of_a_judge_stands_among_the_metrics_of_lmms_eval(tmp_path: Path) -> None:
    score = {"question_id": "4", "extraction": "B"}
    record = {"doc_id": 3, "doc": {"pid": "4"}, "resps": [["It is B."]], "gpt_eval_score": score}
    (tmp_path / "samples.jsonl").write_text(json.dumps(record))
    (reply,) = read_replies([tmp_path / "samples.jsonl"]).replies
    assert (reply.text, reply.extraction, reply.ids["pid"]) == ("It is B.", "B", "4")


def test_the_result_of_vlmevalkits_judge_stands_beside_its_log(tmp_path: Path) -> None:
    rows = "index,prediction,res,log\n4,It is B.,B,Succeed\n"
    (tmp_path / "judged.csv").write_text(rows)
    (tmp_path / "raw.csv").write_text(rows.replace("log", "note"))
    found = [read_replies([tmp_path / f"{name}.csv"]).replies[0].extraction for name in ("judged", "raw")]
    assert found == ["B", None]


def test_what_tells_grounding_prompts_apart_is_the_question(tmp_path: Path) -> None:
    tagged = {"index": 1, "question": "Locate <ref> left bus </ref> as [x1, y1].", "prediction": "[0, 0, 1, 1]"}
    general = {"doc_id": 1, "doc": {"question": "Describe it."}, "input": "Where is: left bus", "resps": [["[0, 0, 1, 1]"]]}
    for number, record in enumerate((tagged, general)):
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(record))
    found = [read_replies([tmp_path / f"{number}.jsonl"]).replies[0].question for number in (0, 1)]
    assert found == ["left bus", "Where is: left bus"]


def test_a_folder_within_the_given_one_names_the_sub_task(tmp_path: Path) -> None:
    (tmp_path / "MSVD_chatgpt_eval").mkdir()
    path = tmp_path / "MSVD_chatgpt_eval" / "3.json"
    path.write_text(json.dumps({"3": {"output_sequence": "the cat", "output_chatgpt_choice": "B"}}))
    (reply,) = read_replies([tmp_path]).replies
    assert (reply.ids, reply.categories, reply.extraction) == ({"key": "3"}, ("MSVD_chatgpt_eval", "3"), "B")
    assert read_replies([path]).replies[0].categories == ("3",)
