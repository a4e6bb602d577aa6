"""DocVQA: the same samples from every layout, prompt, and where the conventions part."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from PIL import Image as Pictures
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.media import digest
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Image, Sample

RECORDS: list[dict[str, Any]] = [
    {
        "questionId": 49153 + number,
        "question": f"What is line {number}?",
        "question_types": types,
        "image": f"documents/ffbf0227_{number // 2}.png",
        "docId": 14281,
        "ucsf_document_id": "ffbf0227",
        "ucsf_document_page_no": str(number // 2),
        "answers": answers,
        "data_split": "val",
    }
    for number, (types, answers) in enumerate(
        [(["layout"], ["0.28"]), (["form", "layout"], ["ITC Limited", "itc's"]), (["table/list"], ["['x']"])]
    )
]


def png(page: str) -> bytes:
    out = BytesIO()
    Pictures.new("L", (30, 40), 100 + int(page)).save(out, "PNG")
    return out.getvalue()


def official(folder: Path) -> None:
    (folder / "documents").mkdir()
    for record in RECORDS:
        (folder / record["image"]).write_bytes(png(record["ucsf_document_page_no"]))
    (folder / "val_v1.0_withQT.json").write_text(json.dumps({"dataset_name": "docvqa", "dataset_split": "val", "data": RECORDS}))


def vlmevalkit(folder: Path) -> None:
    rows = [
        {
            "index": record["questionId"],
            "image": base64.b64encode(png(record["ucsf_document_page_no"])).decode(),
            "question": record["question"],
            "answer": str(record["answers"]),
        }
        for record in RECORDS
    ]
    pandas.DataFrame(rows).to_csv(folder / "DocVQA_VAL.tsv", sep="\t", index=False)


def hugging_face(folder: Path) -> None:
    (folder / "DocVQA").mkdir()
    rows = [{**record, "image": {"bytes": png(record["ucsf_document_page_no"]), "path": None}} for record in RECORDS]
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "DocVQA/validation-00000-of-00006.parquet")


def samples(folder: Path) -> list[Sample]:
    task = find_task("docvqa")
    return list(task.samples(read_records(task, [folder])[1]))


@pytest.mark.parametrize("other", [vlmevalkit, hugging_face])
def test_every_layout_gives_the_same_samples(tmp_path: Path, other: Callable[[Path], None]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    official(tmp_path / "a")
    other(tmp_path / "b")
    for ours, theirs in zip(samples(tmp_path / "a"), samples(tmp_path / "b"), strict=True):
        assert (ours.id, ours.question, ours.references) == (theirs.id, theirs.question, theirs.references)
        mine, yours = ours.parts[0], theirs.parts[0]
        assert isinstance(mine, Image)
        assert isinstance(yours, Image)
        assert digest(mine.source) == digest(yours.source)
        if other is hugging_face:
            assert (ours.cluster, ours.groups) == (theirs.cluster, theirs.groups)


@pytest.mark.parametrize("write", [official, vlmevalkit, hugging_face])
def test_questions_on_a_page_are_one_cluster(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)
    first, second, third = (sample.cluster for sample in samples(tmp_path))
    assert first == second != third


def test_the_prompt_asks_for_a_word_or_phrase(tmp_path: Path) -> None:
    official(tmp_path)
    task = find_task("docvqa")
    assert task.prompt(samples(tmp_path)[0]) == "What is line 0?\nAnswer the question using a single word or phrase."
    assert task.prompts["plain"](samples(tmp_path)[0]) == "What is line 0?"
    assert task.generation.max_new_tokens == 32


def test_the_ideal_reply_scores_1_by_every_convention(tmp_path: Path) -> None:
    official(tmp_path)
    task = find_task("docvqa")
    for sample in samples(tmp_path):
        for convention in task.conventions.values():
            assert score_reply(convention, sample, task.query(sample).ideal).scores == {"anls": 1.0}


def test_conventions_part_on_padding_case_and_one_half() -> None:
    task, sample = find_task("docvqa"), Sample(id="1", references=("abcd",))

    def by(convention: str, reply: str) -> float:
        return score_reply(task.conventions[convention], sample, reply).scores["anls"]

    assert {name: by(name, "abxx") for name in task.conventions} == {
        "official": 0.5, "vlmevalkit": 0.5, "lmms_eval": 0.5, "due": 0.0, "pix2struct": 0.0,
    }  # fmt: skip
    assert by("official", "abcx    ") > by("lmms_eval", "abcx    ") == 0.75 > by("due", "abcx    ")


def test_a_missing_reply_scores_0_and_types_are_counted_apart(tmp_path: Path) -> None:
    official(tmp_path)
    convention = find_task("docvqa").conventions["official"]
    replies = ("0.28", "itc limited", None)
    rows = [
        score_reply(convention, sample, reply, missing=reply is None)
        for sample, reply in zip(samples(tmp_path), replies, strict=True)
    ]
    got = {estimate.name: (estimate.value, estimate.n) for estimate in aggregate(Rows.of(rows), convention.metrics)}
    assert got["anls"] == (pytest.approx(2 / 3), 3)
    assert {name: value for name, value in got.items() if name != "anls"} == {
        "anls/form": (1.0, 1), "anls/layout": (1.0, 2), "anls/table/list": (0.0, 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, "val_v1.0_withQT.json record 2: no right answer (fields that are empty: answers)"),
        ({}, "val_v1.0_withQT.json record 2: field 'answers' missing (found: "),
    ],
)
def test_a_record_without_answers_is_named_with_file_and_field(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    official(tmp_path)
    file = tmp_path / "val_v1.0_withQT.json"
    whole = json.loads(file.read_text())
    whole["data"][2] = {name: value for name, value in whole["data"][2].items() if name != "answers"} | change
    file.write_text(json.dumps(whole))
    with pytest.raises(DatasetError, match=message.replace("(", r"\(").replace(")", r"\)")):
        samples(tmp_path)
