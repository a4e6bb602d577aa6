"""Readers of layouts: what they yield, that they stream, and how they name what is wrong."""

from __future__ import annotations

import base64
import gzip
import json
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from harness.catalog import find_task
from harness.data import json_stream
from harness.data.media import ParquetCell, TsvCell
from harness.data.sources import (
    Row,
    image_handles,
    layout,
    listed,
    media_below,
    read_csv,
    read_json,
    read_records,
    read_table,
    whole_json,
)
from harness.errors import DatasetError

RECORDS = [{"id": n, "text": f"ü {n}\n"} for n in range(20)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def put(path: Path, text: str | bytes) -> Path:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def table(records: Sequence[dict[str, Any]], separator: str) -> str:
    import pandas

    text: str = pandas.DataFrame(records).to_csv(sep=separator, index=False)
    return text


FORMS = {
    "a.json": lambda: json.dumps(RECORDS),
    "b.json.gz": lambda: json.dumps(RECORDS, indent=2),
    "c.jsonl": lambda: "\ufeff" + "\n\n".join(json.dumps(record) for record in RECORDS) + "\n",
    "d.jsonl.gz": lambda: "\r\n".join(json.dumps(record) for record in RECORDS),
}


@pytest.mark.parametrize("name", FORMS)
def test_all_forms_of_json_give_the_same_records(tmp_path: Path, name: str) -> None:
    assert [dict(row) for row in read_table(put(tmp_path / name, FORMS[name]()))] == RECORDS


@pytest.mark.parametrize("name", ["a.csv", "b.tsv", "c.csv.gz", "d.tsv.gz"])
def test_tables_give_strings(tmp_path: Path, name: str) -> None:
    rows = list(read_table(put(tmp_path / name, table(RECORDS, "\t" if "tsv" in name else ","))))
    assert [dict(row) for row in rows] == [{"id": str(record["id"]), "text": record["text"]} for record in RECORDS]


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=3), max_size=4), st.integers(1, 7))
def test_a_list_is_streamed_as_json_reads_it(tmp_path_factory: pytest.TempPathFactory, records: list[Any], block: int) -> None:
    path = put(tmp_path_factory.getbasetemp() / "stream.json", json.dumps({"n": 12, "data": records, "more": [1]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", block)
        assert [dict(row) for row in read_json(path, key="data")] == records


@given(st.dictionaries(st.text(), st.dictionaries(st.sampled_from("ab"), JSON), max_size=4), st.integers(1, 7))
def test_an_object_is_streamed_with_its_keys(
    tmp_path_factory: pytest.TempPathFactory, records: dict[str, Any], block: int
) -> None:
    path = put(tmp_path_factory.getbasetemp() / "stream.json", json.dumps(records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "CHUNK", block)
        assert [dict(row) for row in read_json(path)] == [{**record, "key": key} for key, record in records.items()]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '[{"a": 1}, {"a"', "cut short"),
        ("a.json", "", "empty file"),
        ("a.json", " ", "'{' expected, found 'the end of the file'"),
        ("a.json", "[" * 100_000, "not JSON that can be read"),
        ("a.json", '[{"a": ' + "9" * 5000 + "}]", "not JSON that can be read"),
        ("a.json", '[{"a": 1} {"a": 2}]', "']' expected, found '{'"),
        ("a.json", "[1]", "record 0: an object was expected, found int '1'"),
        ("a.jsonl", "", "empty file"),
        ("a.jsonl", '{"a": 1}\n{"a"', "line 2: not JSON"),
        ("a.jsonl", "[" * 100_000, "line 1: not JSON"),
        ("a.txt", "", "empty file"),
        ("a.csv", "a,b\n1,2\n3\n", "line 3: 1 fields, the header has 2"),
        ("a.csv", "", "empty file"),
        ("a.tsv", b"a\n\xff\n", "not UTF-8"),
        ("a.parquet", "nonsense", "not a readable parquet file"),
        ("a.xml", "<a/>", "suffix '.xml' is unknown (known: .json, .jsonl"),
        ("a.tsv", "index\timage\n1\t7\n", "line 2: image '7' points to no row"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, name: str, text: str | bytes, message: str) -> None:
    path = put(tmp_path / name, text)
    with pytest.raises(DatasetError) as caught:
        list(read_table(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_damaged_archive_and_an_absent_file_are_named(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl.gz", "\n".join(FORMS["a.json"]() for _ in range(500)))
    path.write_bytes(path.read_bytes()[:80])
    for bad in (path, tmp_path / "absent.json"):
        with pytest.raises(DatasetError, match=f"{bad.name}.*cannot be read"):
            list(read_table(bad))


def test_an_absent_member_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no member 'data' \(found: a, b\)"):
        list(read_json(put(tmp_path / "a.json", '{"a": 1, "b": [2]}'), key="data"))


def test_an_absent_field_is_named_with_its_place() -> None:
    row = Row({"a": 1}, "file.json record 3")
    with pytest.raises(DatasetError, match=r"file\.json record 3: field 'b' missing \(found: a\)"):
        row["b"]
    assert row.get("b") is None
    assert row.but(b=2)["b"] == 2
    assert row.but(b=2).where == row.where


def base64_of(data: bytes) -> str:
    return base64.b64encode(data * 30).decode()


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.csv"])
def test_pictures_in_a_table_become_handles_and_pointers_are_followed(tmp_path: Path, name: str) -> None:
    records = [
        {"index": 1, "image": "3", "question": 'quoted "x"\n and broken'},
        {"index": 2, "image": f"['{base64_of(b'one')}', '{base64_of(b'two')}']", "question": "ü"},
        {"index": 3, "image": base64_of(b"three"), "question": "a\tb"},
        {"index": 4, "image": "3.0", "question": "c"},
        {"index": 5, "image": "", "question": "d"},
    ]
    first, several, third, fourth, none = read_csv(put(tmp_path / name, table(records, "," if name.endswith("csv") else "\t")))
    assert third["image"].read() == b"three" * 30
    assert first["image"] == fourth["image"] == third["image"]
    assert isinstance(first["image"], TsvCell)
    assert [cell.read() for cell in several["image"]] == [b"one" * 30, b"two" * 30]
    assert none["image"] is None
    assert first["question"] == 'quoted "x"\n and broken'
    assert [len(image_handles(row["image"])) for row in (first, several, none)] == [1, 2, 0]


def test_pictures_in_parquet_become_handles(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "image": [{"bytes": b"x", "path": "x.png"}, None],
        "images": [[{"bytes": b"a", "path": None}, {"bytes": b"b", "path": None}], []],
        "raw": [b"r", b"s"],
        "box": [[1.0, 2.0], [3.0]],
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet")
    first, second = read_table(tmp_path / "p.parquet")
    assert first["image"] == ParquetCell(tmp_path / "p.parquet", 0, "image.bytes")
    assert first["image_path"] == "x.png"
    assert second["image"] is None
    assert [cell.read() for cell in first["images"]] == [b"a", b"b"]
    assert (second["images"], second["raw"].read(), first["box"]) == ([], b"s", [1.0, 2.0])


def test_reading_100_000_records_holds_few_of_them(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps({"id": n, "text": "x" * 100}) + "\n" for n in range(100_000))
    whole = tmp_path / "a.json"
    whole.write_text("[" + ",".join(path.read_text().splitlines()) + "]")
    for name in (path, whole):
        tracemalloc.start()
        assert sum(1 for _ in read_table(name)) == 100_000
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000_000


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "", "..", "C:\\x", "a\0b", "\\\\host\\x", "x/../.."])
def test_a_media_path_out_of_the_data_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match="does not lie below"):
        media_below(tmp_path, name, "file line 1")


@pytest.mark.parametrize(
    ("name", "expected"), [("a/b.png", "a/b.png"), ("./a/../b.png", "b.png"), ("a\\b.png", "a/b.png"), ("..a", "..a")]
)
def test_a_media_path_below_the_data_folder_is_taken(tmp_path: Path, name: str, expected: str) -> None:
    assert media_below(tmp_path, name).path == tmp_path / expected
    assert media_below(tmp_path, str(tmp_path / expected)).path == tmp_path / expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("['a', \"b'c\"]", ["a", "b'c"]),
        ('["a"]', ["a"]),
        ("a", ["a"]),
        (["a", 1], ["a", "1"]),
        (5, ["5"]),
        ("[1, 2]", ["1", "2"]),
    ],
)
def test_lists_kept_as_text_are_read(value: object, expected: list[str]) -> None:
    assert listed(value) == expected


@pytest.mark.parametrize("value", ["[a", "[" * 10_000, "[__import__('os')]"])
def test_text_that_only_begins_like_a_list_is_an_error(value: str) -> None:
    with pytest.raises(DatasetError, match="begins like a list"):
        listed(value, "line 1")


def test_a_small_file_is_read_again_only_when_it_changes(tmp_path: Path) -> None:
    path = put(tmp_path / "key.json", '{"a": 1}')
    assert whole_json(path) is whole_json(path)
    path.write_text('{"a": 2}')
    os.utime(path, ns=(1, 1))
    assert whole_json(path) == {"a": 2}
    with pytest.raises(DatasetError, match="cut short"):
        whole_json(put(tmp_path / "bad.json", "{"))


def test_a_layout_is_recognised_by_its_files_and_the_official_one_wins(tmp_path: Path) -> None:
    task = find_task("docvqa")
    put(tmp_path / "DocVQA_VAL.tsv", "index\timage\tquestion\tanswer\n7\t\tWhat?\t['a', 'b']\n")
    found, records = read_records(task, [tmp_path])
    assert found.name == "vlmevalkit_tsv"
    assert [sample.references for sample in task.samples(records)] == [("a", "b")]
    official = {"data": [{"questionId": 7, "question": "What?", "image": "documents/p_1.png", "answers": ["a"]}]}
    put(tmp_path / "val_v1.0.json.gz", json.dumps(official))
    found, records = read_records(task, [tmp_path])
    assert found.name == "official"
    assert [sample.references for sample in task.samples(records)] == [("a",)]


def test_named_files_are_recognised_by_name_then_by_suffix(tmp_path: Path) -> None:
    task = find_task("docvqa")
    path = put(tmp_path / "mine.json", json.dumps({"data": []}))
    assert read_records(task, [path])[0].name == "official"
    assert read_records(task, [put(tmp_path / "DocVQA_VAL.tsv", "index\n")])[0].name == "vlmevalkit_tsv"


@pytest.mark.parametrize("where", [["empty"], ["absent"], []])
def test_data_that_fit_no_layout_are_answered_with_the_expected_files(tmp_path: Path, where: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError) as caught:
        read_records(find_task("docvqa"), [tmp_path / name for name in where])
    assert "official: val_v1.0.json or val_v1.0_withQT.json" in str(caught.value)
    assert "hf_parquet" in str(caught.value)
    with pytest.raises(DatasetError, match="no data of docvqa here"):
        read_records(find_task("docvqa"), [put(tmp_path / "x.xml", "")])


@pytest.mark.parametrize("value", [None, 5, ["x"], {"path": "x"}])
def test_a_step_that_meets_another_kind_of_value_names_the_place(tmp_path: Path, value: object) -> None:
    put(tmp_path / "a.jsonl", json.dumps({"photo": "1.png"}) + "\n" + json.dumps({"photo": value}) + "\n")

    def at_once(row: Row, root: Path) -> Row:
        return row.but(photo=media_below(root, "pictures/" + row["photo"]))

    def one_by_one(row: Row, root: Path) -> Iterator[Row]:
        yield row.but(photo=row["photo"].upper())
        raise IndexError("the second")

    for step, places in ((at_once, "line 2: .*TypeError"), (one_by_one, "line 1: .*IndexError: the second")):
        with pytest.raises(DatasetError, match=places):
            list(layout("mine", "a.jsonl", steps=(step,)).read([tmp_path]))


def test_hidden_files_are_no_part_of_a_layout(tmp_path: Path) -> None:
    for name in ("b/1.jsonl", "b/._1.jsonl", ".cache/1.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        put(tmp_path / name, '{"a": 1}\n')
    assert len(list(layout("mine", "*/*.jsonl").read([tmp_path]))) == 1


def test_repeats_are_counted_while_reading(tmp_path: Path) -> None:
    def twice(row: Row, root: Path) -> Iterator[dict[str, Any]]:
        yield row
        yield {"a": row["a"].upper()}

    counting = layout("l", "*.jsonl", steps=(twice,), repeats={"same": lambda record: record["a"].lower()})
    put(tmp_path / "1.jsonl", '{"a": "x"}\n{"a": "y"}')
    put(tmp_path / "2.jsonl", '{"a": "x"}')
    assert [record["same"] for record in counting.read([tmp_path])] == [0, 1, 0, 1, 2, 3]
    assert [record["same"] for record in counting.read([tmp_path / "2.jsonl"])] == [0, 1]


def test_the_first_of_alternative_files_is_read(tmp_path: Path) -> None:
    either = layout("l", "a.jsonl|b/a.jsonl")
    (tmp_path / "b").mkdir()
    put(tmp_path / "b" / "a.jsonl", '{"n": 2}')
    assert [record["n"] for record in either.read([tmp_path])] == [2]
    put(tmp_path / "a.jsonl", '{"n": 1}')
    assert [record["n"] for record in either.read([tmp_path])] == [1]
