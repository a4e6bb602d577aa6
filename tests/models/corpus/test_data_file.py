"""The authors' data files: their own form, ours, and what is neither."""

import random
from pathlib import Path

import pytest

from harness.errors import DatasetError
from models.sphinx_x.corpus.compose import compose
from models.sphinx_x.corpus.data_file import conversations_of, read_data_file
from models.sphinx_x.corpus.records import Conversation, write_conversations

GOLDEN = Path(__file__).parents[2] / "golden" / "sphinx_x" / "dialog" / "data_config.yaml"


def test_the_authors_own_file_is_read():
    entries = read_data_file(GOLDEN)
    assert [(entry.kind, entry.path.is_file(), entry.ratio) for entry in entries] == [("image_text", True, 1), ("text", True, 1)]
    pictured, plain = (list(conversations_of(entry)) for entry in entries)
    assert pictured and plain and any(talk.image for talk in pictured) and not any(talk.image for talk in plain)


def test_what_is_composed_is_read(drawn, paper, tmp_path):
    groups = {name: paper["groups"][name] for name in ("math", "pose")}
    rows = compose({**paper, "groups": groups}, root=drawn, out=tmp_path)
    entries = read_data_file(tmp_path / "data_config.yaml")
    assert [entry.kind for entry in entries] == ["text", "text", "image_text", "image_text"]
    assert [len(list(conversations_of(entry))) for entry in entries] == [row["taken"] for row in rows]


def test_a_ratio_samples_with_seed_0(tmp_path):
    talks = [Conversation(id=str(at), source="s", turns=((str(at), "a"),)) for at in range(9)]
    write_conversations(tmp_path / "a.jsonl", talks)
    (tmp_path / "d.yaml").write_text("META:\n- {path: a.jsonl, type: text, ratio: 0.5}\n")
    (entry,) = read_data_file(tmp_path / "d.yaml")
    assert list(conversations_of(entry)) == random.Random(0).sample(talks, 4)


@pytest.mark.parametrize(
    "text", ["", "- a", "META: 3", "META:\n- {path: a}", "META: [", "META: !!python/object/apply:os.getcwd []"]
)
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "d.yaml").write_text(text)
    with pytest.raises(DatasetError, match=r"d\.yaml"):
        read_data_file(tmp_path / "d.yaml")
