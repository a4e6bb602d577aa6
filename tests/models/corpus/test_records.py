"""Conversations and the authors' annotation files: what is written is read back, and what does not fit is named."""

import json

import pytest

from harness.errors import DatasetError
from models.sphinx_x.corpus.records import Conversation, Mark, of_record, read_conversations, write_conversations

TALK = Conversation(
    id="7",
    source="coco",
    turns=(("What is it?", "A ring."), ("Where?", "[0.10,0.20,0.30,0.40]")),
    image="a/b.png",
    marks=(Mark("ring", (0.1, 0.2, 0.3, 0.4)), Mark("eye", (0.5, 0.5))),
)
TEXT = Conversation(id="8", source="math", turns=(("1 + 1 = é?", "2"),))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_what_is_written_is_read_back(tmp_path, name):
    assert write_conversations(tmp_path / "deep" / name, [TALK, TEXT]) == 2
    assert list(read_conversations(tmp_path / "deep" / name)) == [TALK, TEXT]


def test_the_file_is_in_the_authors_format(tmp_path):
    write_conversations(tmp_path / "a.json", [TALK, TEXT])
    first, second = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert first["image"] == "a/b.png" and "image" not in second
    assert [part["from"] for part in first["conversations"]] == ["human", "gpt", "human", "gpt"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_an_empty_file_of_conversations_is_valid(tmp_path, name):
    assert write_conversations(tmp_path / name, []) == 0
    if name == "a.json":
        assert list(read_conversations(tmp_path / name)) == []


def test_files_of_others_are_read():
    said = [
        {"from": "system", "value": "Be kind."},
        {"from": "human", "value": "<image>\nWhat?"},
        {"from": "assistant", "value": " That. "},
    ]
    read = of_record({"image": "x.jpg", "conversations": said}, "f.json record 0")
    assert read.turns == (("What?", "That."),) and read.id == "f.json record 0" and read.characters == 10


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"conversations": []},
        {"conversations": [{"from": "human", "value": "x"}]},
        {"conversations": [{"from": "gpt", "value": "x"}, {"from": "human", "value": "x"}]},
        {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": None}]},
        {"conversations": ["x"]},
        {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}], "image": 3},
        {
            "conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}],
            "boxes": [{"name": "n", "at": ["q"]}],
        },
    ],
)
def test_a_record_that_does_not_fit_is_named(record):
    with pytest.raises(DatasetError, match="f.json record 3"):
        of_record(record, "f.json record 3")


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="annotation file"):
        next(read_conversations(tmp_path / "a.csv"))
