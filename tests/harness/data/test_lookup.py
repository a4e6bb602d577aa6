"""Steps that look into a second file, options as columns, and names made of what a question says."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

from harness.data import options
from harness.data.lookup import listed_in, looked_up
from harness.data.options import content_key, lettered, offered
from harness.data.tables import Row
from harness.errors import DatasetError

FILL = looked_up("texts.json", on={"question_id": "id"}, take={"question": "text"}, key="texts")
ROW = Row({"question_id": 7}, "record 0")


def test_a_field_is_filled_from_the_record_of_the_same_id_whatever_its_type(tmp_path: Path) -> None:
    (tmp_path / "texts.json").write_text(json.dumps({"info": {}, "texts": [{"id": "7", "text": "Which?"}]}))
    assert FILL(ROW, tmp_path) == {"question_id": 7, "question": "Which?"}


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    import os

    file = tmp_path / "texts.json"
    for text, time in (("one", 1), ("two", 2)):
        file.write_text(json.dumps({"texts": [{"id": 7, "text": text}]}))
        os.utime(file, (time, time))
        assert FILL(ROW, tmp_path)["question"] == text  # type: ignore[index,call-overload]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"record 0: texts.json is not in .*it holds text"):
        FILL(ROW, tmp_path)
    (tmp_path / "texts.json").write_text(json.dumps({"texts": [{"id": 8, "text": "Which?"}]}))
    with pytest.raises(DatasetError, match=r"record 0: question_id 7 is not in .*texts.json"):
        FILL(ROW, tmp_path)
    with pytest.raises(DatasetError, match="record 0: ids.csv is not in"):
        listed_in("ids.csv", "question_id")(ROW, tmp_path)


def test_only_listed_rows_are_kept(tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text('7\n"9",\n')
    keep = listed_in("ids.csv", "question_id")
    assert [list(keep(Row({"question_id": one}, ""), tmp_path)) != [] for one in (7, "9", 8)] == [True, True, False]


def test_letters_become_places_and_gaps_keep_theirs() -> None:
    row = Row({"A": "x", "B": "nan", "C": "z", "D": "", "E": None, "answer": "C"}, "")
    assert offered(row) == ("x", "nan", "z")
    made = lettered(row, Path())
    assert (made["choices"], made["answer"]) == (("x", "nan", "z"), 2)


def test_a_name_is_made_of_letters_and_digits_of_any_script() -> None:
    assert doctest.testmod(options).failed == 0
    assert content_key("是") != content_key("否") and content_key("A b?") == content_key("ab")
