"""RefCOCO: the same samples from every layout, and the authors' rules on cases worked out by hand."""

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

from harness.boxes import Box
from harness.catalog import find_task
from harness.data.media import digest, open_image
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.replies import score_replies
from harness.scoring import score_reply
from harness.types import Image, Sample

SPLITS = (
    "refcoco_val",
    "refcoco_testA",
    "refcoco_testB",
    "refcoco+_val",
    "refcoco+_testA",
    "refcoco+_testB",
    "refcocog_val",
    "refcocog_test",
)
PICTURES = {"COCO_train2014_000000000001": (640, 361), "COCO_train2014_000000000002": (333, 500)}
EXPRESSIONS: tuple[tuple[str, str, Box], ...] = (
    ("COCO_train2014_000000000001", "red kite", (230.2, 75.75, 575.53, 269.1)),
    ("COCO_train2014_000000000001", "kite", (230.2, 75.75, 575.53, 269.1)),
    ("COCO_train2014_000000000002", "left bus", (1.5, 2.25, 100.0, 300.75)),
    ("COCO_train2014_000000000001", "red kite", (230.2, 75.75, 575.53, 269.1)),
)


def jpeg(name: str) -> bytes:
    out = BytesIO()
    Pictures.new("RGB", PICTURES[name], (len(name), 50, int(name[-1]) * 40)).save(out, "JPEG")
    return out.getvalue()


def write_pictures(folder: Path) -> None:
    (folder / "data/coco/train2014").mkdir(parents=True)
    for name in PICTURES:
        (folder / f"data/coco/train2014/{name}.jpg").write_bytes(jpeg(name))


def official(folder: Path) -> None:
    write_pictures(folder)
    records = [
        {
            "image_path": f"data/coco/train2014/{name}.jpg",
            "question": text,
            "question_id": "height{1}_width{0}".format(*PICTURES[name]),
            "dataset_name": "refcoco_val",
            "gt_answers": list(box),
        }
        for name, text, box in EXPRESSIONS
    ]
    (folder / "refcoco_val.json").write_text(json.dumps(records))


def qwen(folder: Path) -> None:
    write_pictures(folder)
    lines = [
        {
            "image": f"data/coco/train2014/{name}.jpg",
            "sent": text,
            "bbox": box,
            "width": PICTURES[name][0],
            "height": PICTURES[name][1],
        }
        for name, text, box in EXPRESSIONS
    ]
    (folder / "refcoco_val.jsonl").write_text("\n".join(map(json.dumps, lines)))


def vlmevalkit(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for number, (name, text, box) in enumerate(EXPRESSIONS):
        width, height = PICTURES[name]
        fractions = [box[0] / width, box[1] / height, box[2] / width, box[3] / height]
        rows.append(
            {
                "index": number,
                "image": base64.b64encode(jpeg(name)).decode(),
                "question": f"Locate <ref> {text} </ref> as [x1, y1, x2, y2].",
                "answer": f"[{', '.join(f'{edge:.6f}' for edge in fractions)}]",
                "category": "RefCOCO val",
            }
        )
    other = {**rows[0], "index": 99, "category": "RefCOCO+ test-A"}
    pandas.DataFrame([*rows, other]).to_csv(folder / "RefCOCO.tsv", sep="\t", index=False)


def hugging_face(folder: Path) -> None:
    (folder / "RefCOCO/data").mkdir(parents=True)
    objects = {
        "question_id": ["1", "2", "3"],
        "image": [{"bytes": jpeg(EXPRESSIONS[i][0]), "path": None} for i in (0, 2, 3)],
        "file_name": [f"{EXPRESSIONS[i][0]}_{i}.jpg" for i in (0, 2, 3)],
        "answer": [["red kite", "kite"], ["left bus"], ["red kite"]],
        "bbox": [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in (EXPRESSIONS[i][2] for i in (0, 2, 3))],
    }
    parquet.write_table(pyarrow.table(objects), folder / "RefCOCO/data/val-00000-of-00001.parquet")


def samples(folder: Path, name: str = "refcoco_val") -> list[Sample]:
    task = find_task(name)
    return list(task.samples(read_records(task, [folder])[1]))


@pytest.mark.parametrize("other", [qwen, vlmevalkit, hugging_face])
def test_every_layout_gives_the_same_samples(tmp_path: Path, other: Callable[[Path], None]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    official(tmp_path / "a")
    other(tmp_path / "b")
    for ours, theirs in zip(samples(tmp_path / "a"), samples(tmp_path / "b"), strict=True):
        assert (ours.id, ours.question, ours.references, ours.groups) == (
            theirs.id,
            theirs.question,
            theirs.references,
            theirs.groups,
        )
        assert (ours.fields["width"], ours.fields["height"]) == (theirs.fields["width"], theirs.fields["height"])
        mine, yours = ours.parts[0], theirs.parts[0]
        assert isinstance(mine, Image)
        assert isinstance(yours, Image)
        assert digest(mine.source) == digest(yours.source)
        assert open_image(yours.source).size == (theirs.fields["width"], theirs.fields["height"])


def test_ids_are_unique_and_repeats_are_marked(tmp_path: Path) -> None:
    official(tmp_path)
    found = samples(tmp_path)
    assert len({sample.id for sample in found}) == len(found)
    assert [sample.groups["copy"] for sample in found] == ["first", "first", "first", "repeat"]
    assert found[3].id == f"{found[0].id}#2"
    assert {sample.cluster for sample in found} == set(PICTURES)


def test_annotations_alone_suffice_and_a_size_may_be_absent(tmp_path: Path) -> None:
    line = {"row": 0, "question": "left bus", "bbox_xyxy": [1, 2, 101, 202], "image_path": None, "size": None}
    (tmp_path / "annotations.jsonl").write_text(json.dumps(line))
    task = find_task("refcoco_val")
    (sample,) = task.samples(read_records(task, [tmp_path / "annotations.jsonl"])[1])
    assert sample.parts == ()
    assert score_reply(task.conventions["pixels"], sample, "[1, 2, 101, 202]").scores == {"hit": 1.0, "iou": 1.0}
    with pytest.raises(DatasetError, match="convention=pixels"):
        score_reply(task.conventions["official"], sample, "[0, 0, 1, 1]")


@pytest.mark.parametrize("split", SPLITS)
def test_the_ideal_reply_hits(tmp_path: Path, split: str) -> None:
    official(tmp_path)
    (tmp_path / "refcoco_val.json").rename(tmp_path / f"{split}.json")
    task = find_task(split)
    for sample in samples(tmp_path, split):
        scored = score_reply(task.conventions["official"], sample, task.query(sample).ideal)
        assert scored.scores["hit"] == 1.0
        assert scored.scores["iou"] > 0.99


def test_the_prompt_is_the_authors() -> None:
    task = find_task("refcoco_val")
    sample = Sample(id="s", question="red kite", references=("0,0,1,1",), fields={"width": 4, "height": 4})
    assert task.prompt(sample) == "Please provide the bounding box coordinate of the region this sentence describes: red kite."
    assert task.prompts["lmms_eval"](sample).endswith(
        "bounded between 0 and 1. Please provide the bounding box coordinate of the region this sentence describes: red kite"
    )
    assert task.generation.max_new_tokens == 30


@pytest.mark.parametrize(
    ("convention", "reply"),
    [
        ("pixels", '<think>[9,9,9,9]</think>{"bbox_2d": [1, 2, 100, 301]}'),
        ("unit", "[0.005, 0.005, 0.3, 0.6]"),
        ("thousandths", "<box>(5,5),(300,601)</box>"),
        ("qwen_vl", "(5,5),(300,600)"),
        ("vlmevalkit", "5 5 300 601"),
        ("lmms_eval", "It is [0.005, 0.005, 0.3, 0.6]."),
        ("lmms_eval_grounding", '[{"bbox": [1,2,3,4]}, {"bbox": [1, 2, 100, 301]}, {"bbox": [0, 0, 1000, 1000]}]'),
    ],
)
def test_each_convention_hits_with_its_own_form_and_the_official_one_does_not(
    tmp_path: Path, convention: str, reply: str
) -> None:
    official(tmp_path)
    task, sample = find_task("refcoco_val"), samples(tmp_path)[2]
    chosen = task.conventions[convention]
    (primary,) = (
        estimate
        for estimate in aggregate(Rows.of([score_reply(chosen, sample, reply)]), chosen.metrics)
        if estimate.name == chosen.primary
    )
    assert primary.value == 1.0
    assert score_reply(task.conventions["official"], sample, reply).scores["hit"] == 0.0


def test_the_distinct_accuracy_leaves_repeats_out(tmp_path: Path) -> None:
    official(tmp_path)
    task = find_task("refcoco_val")
    rows = [
        score_reply(task.conventions["official"], sample, task.ideal(sample) if i < 3 else "")
        for i, sample in enumerate(samples(tmp_path))
    ]
    got = {estimate.name: estimate for estimate in aggregate(Rows.of(rows), task.conventions["official"].metrics)}
    assert (got["accuracy"].value, got["accuracy"].n) == (0.75, 4)
    assert (got["accuracy_distinct"].value, got["accuracy_distinct"].n) == (1.0, 3)
    assert rows[3].parsed.unparsed


def test_vlmevalkits_results_join_its_own_table_of_all_splits(tmp_path: Path) -> None:
    vlmevalkit(tmp_path)
    rows = [{"index": f"RefCOCO_val_{n}", "prediction": str(n)} for n in range(len(EXPRESSIONS))]
    rows += [{"index": "RefCOCO+_testA_0", "prediction": "of another split"}]
    pandas.DataFrame(rows[::-1]).to_csv(tmp_path / "results.csv", index=False)
    result = score_replies(find_task("refcoco_val"), tmp_path, tmp_path / "results.csv", runs=tmp_path / "runs")
    assert parquet.read_table(result.scores_path).column("reply").to_pylist() == [str(n) for n in range(len(EXPRESSIONS))]
    assert result.run["replies"]["extra"]["n"] == 1
