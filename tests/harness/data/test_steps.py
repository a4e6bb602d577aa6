"""Steps bring foreign rows into the official field names; what cannot be had is named with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pictures

from harness.data.sources import Row, Step, images, layout
from harness.data.steps import (
    columns,
    explode,
    from_file_name,
    media,
    only,
    picture_facts,
    pixel_box,
    substitute,
    text_lists,
    whole_numbers,
)
from harness.errors import DatasetError
from harness.types import FileSource, Record


def taken(step: Step, root: Path = Path("data"), **values: Any) -> Record:
    made = step(Row(values, "file.json record 3"), root)
    assert isinstance(made, Row)
    return made


def test_columns_are_filled_from_the_first_source_that_is_there_and_not_empty() -> None:
    step = columns(text="question", number="id|row-{index}", size="{w}x{h}|")
    assert taken(step, question="a {b}", id="7", index=1, w=2, h=0) == {
        **{"question": "a {b}", "id": "7", "index": 1, "w": 2, "h": 0},
        **{"text": "a {b}", "number": "7", "size": "2x0"},
    }
    assert taken(step, question="q", id="", index=1, w=2)["number"] == "row-1"
    assert taken(step, question="q", id=None, index=1, w=None, h=3)["size"] == ""
    assert taken(columns(box="bbox|rect"), rect=[1, 2])["box"] == [1, 2]


def test_a_column_without_a_source_stays_and_is_named_where_it_is_needed() -> None:
    assert taken(columns(text="question"), text="old")["text"] == "old"
    with pytest.raises(DatasetError, match=r"file\.json record 3: field 'text' missing"):
        taken(columns(text="question"), other=1)["text"]


def test_a_template_puts_values_in_as_they_are() -> None:
    assert taken(columns(id="{a}-{b}"), a="{b}", b="{0}")["id"] == "{b}-{0}"


def test_media_lie_below_the_data_folder_and_may_have_a_folder_of_their_own(tmp_path: Path) -> None:
    assert taken(media(below="val"), tmp_path, image_path="a.jpg")["image"] == FileSource(tmp_path / "a.jpg")
    (tmp_path / "val").mkdir()
    assert taken(media(below="val"), tmp_path, image_path="a.jpg")["image"] == FileSource(tmp_path / "val" / "a.jpg")
    assert taken(media("clip", "path"), tmp_path, path="b.mp4")["clip"] == FileSource(tmp_path / "b.mp4")


@pytest.mark.parametrize("values", [{"image_path": None}, {"image_path": ""}, {}])
def test_a_row_without_a_file_is_an_error_unless_that_is_allowed(values: dict[str, Any]) -> None:
    assert images(taken(media(optional=True), **values)) == ()
    with pytest.raises(DatasetError, match=r"file\.json record 3"):
        taken(media(), **values)


def test_media_out_of_the_data_folder_are_refused() -> None:
    with pytest.raises(DatasetError, match="does not lie below"):
        taken(media(), image_path="../../secret.png")


def test_lists_and_texts_with_commas_become_records() -> None:
    each = explode("kind")
    assert [row["kind"] for row in each(Row({"kind": "a, b"}, "x"), Path())] == ["a", "b"]  # type: ignore[index]
    assert [row["kind"] for row in each(Row({"kind": [" a", "b"]}, "x"), Path())] == [" a", "b"]  # type: ignore[index]


def test_only_rows_of_a_value_are_kept() -> None:
    step = only("split", "RefCOCO+ test-A")
    found = {
        name: list(step(Row({"split": name}, "x"), Path())) for name in ("RefCOCO+ testA", "RefCOCO testA", "refcoco+ test-a")
    }
    assert [bool(rows) for rows in found.values()] == [True, False, True]


def test_lists_kept_as_text_are_read_and_floats_made_whole() -> None:
    assert taken(text_lists("answers"), answers="['a', 'b']")["answers"] == ["a", "b"]
    with pytest.raises(DatasetError, match=r"file\.json record 3: '\[a' begins like a list"):
        taken(text_lists("answers"), answers="[a")
    whole = [taken(whole_numbers("n"), n=value)["n"] for value in (2.0, 1, None, math.nan)]
    assert whole == [2, 1, None, None]
    assert [type(value) for value in whole[:2]] == [int, int]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("pixels", [10, 20, 30.004, 40]),
        ("unit", "[0.1, 0.4, 0.3, 0.8]"),
        ("corner_and_size", [10, 20, 20, 20]),
        ("corner_and_size", "10,20,20,20"),
    ],
)
def test_boxes_become_corners_in_pixels(form: Any, value: object) -> None:
    assert taken(pixel_box("box", "theirs", form), theirs=value, width=100, height=50)["box"] == [10, 20, 30, 40]


@pytest.mark.parametrize("value", ["[1, 2, 3]", "[a, b, c, d]", [1, 2, 3], ["x"] * 4, 7])
def test_what_is_no_box_is_named_with_its_place(value: object) -> None:
    with pytest.raises(DatasetError, match=r"file\.json record 3: theirs .* is no box"):
        taken(pixel_box("box", "theirs", "corner_and_size"), theirs=value)


def test_a_text_is_rewritten_where_it_matches() -> None:
    step = substitute("text", r"(?s).*<ref>\s*(.*?)\s*</ref>.*", r"\1")
    assert taken(step, text="Find\n<ref> a cat </ref>\nnow.")["text"] == "a cat"
    assert taken(step, text="a cat ")["text"] == "a cat "


def test_facts_of_a_picture_are_added_where_there_is_one(tmp_path: Path) -> None:
    Pictures.new("RGB", (30, 20)).save(tmp_path / "a.png")
    known = taken(picture_facts, image=FileSource(tmp_path / "a.png"))
    assert (known["width"], known["height"], len(known["image_key"])) == (30, 20, 32)
    assert taken(picture_facts, image=None) == {"image": None}


def test_a_layout_takes_rows_through_its_steps_in_order_and_knows_their_file(tmp_path: Path) -> None:
    def twice(row: Row, root: Path) -> Iterator[Record]:
        yield row
        yield {**row, "n": row["n"] + 10}

    steps = (from_file_name("kind", "_(.+)_"), explode("n"), twice, columns(id="{kind}-{n}"))
    (tmp_path / "set_a b_x.jsonl").write_text(json.dumps({"n": [1, 2]}))
    (tmp_path / "set_c_x.jsonl").write_text(json.dumps({"n": [3], "kind": "own"}))
    found = list(layout("l", "*.jsonl", steps=steps).read([tmp_path]))
    assert [record["id"] for record in found] == ["a b-1", "a b-11", "a b-2", "a b-12", "own-3", "own-13"]
    with pytest.raises(DatasetError, match=r"set_a b_x\.jsonl line 1: field 'x' missing"):
        found[1]["x"]


def test_a_name_that_says_nothing_gives_what_is_said_otherwise(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text("{}")
    (record,) = layout("l", "*.jsonl", steps=(from_file_name("kind", "random|popular", "all"),)).read([tmp_path])
    assert record["kind"] == "all"


def test_files_beside_the_records_must_be_there_and_are_not_read(tmp_path: Path) -> None:
    keyed = layout("l", "sets/*.json", beside=("key.json|sets/key.json",))
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "a.json").write_text('[{"n": 1}]')
    (tmp_path / "sets" / "key.json").write_text('"no records"')
    assert keyed.files == ("sets/*.json", "key.json|sets/key.json")
    assert [record["n"] for record in keyed.read([tmp_path])] == [1]


def test_a_named_file_in_the_folder_of_its_pattern_has_its_media_beside_that_folder(tmp_path: Path) -> None:
    below = layout("l", "a.json|sets/*.json", steps=(media(),))
    (tmp_path / "sets").mkdir()
    for folder in (tmp_path, tmp_path / "sets"):
        (folder / "a.json").write_text('[{"image_path": "p.png"}]')
        (record,) = below.read([folder / "a.json"])
        assert record["image"] == FileSource(tmp_path / "p.png")
