"""Benchmarks of general abilities: the same samples from every layout, and errors that name the files that are not there."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.media import digest
from harness.errors import DatasetError
from harness.types import Image
from tasks.mini import write
from tests.tasks.reading import read
from tests.tasks.test_mini_mllm import TASKS

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("official")
    write(root, TASKS, seed=2, n=12)
    return root


def picture(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": path.name}


def table(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def coded(image: Any) -> str:
    if isinstance(image, list):
        return str([coded(one) for one in image])
    return base64.b64encode(image["bytes"]).decode()


def tsv(path: Path, rows: Rows) -> None:
    pandas.DataFrame([{**row, "image": coded(row["image"])} for row in rows]).to_csv(path, sep="\t", index=False)


def rotated(file: str) -> Callable[[Path], Rows]:
    """The rows of a table with pictures instead of pointers."""

    def rows(official: Path) -> Rows:
        csv.field_size_limit(10**9)
        with (official / file).open(newline="", encoding="utf-8") as opened:
            found = list(csv.DictReader(opened, delimiter="\t"))
        shown = {row["index"]: row["image"] for row in found}
        return [
            {**row, "image": {"bytes": base64.b64decode(shown.get(row["image"], row["image"])), "path": None}} for row in found
        ]

    return rows


CN, CC = rotated("mmbench_dev_cn_20231003.tsv"), rotated("CCBench.tsv")


def mmbench_cn_tsv(official: Path, folder: Path) -> None:
    tsv(folder / "MMBench_DEV_CN.tsv", CN(official))


def mmbench_cn_parquet(official: Path, folder: Path) -> None:
    rows = [{**row, "L2-category": row["l2-category"], "D": row["D"] or "nan", "hint": "nan"} for row in CN(official)]
    table(folder / "cn/dev-00000-of-00001.parquet", [{k: v for k, v in row.items() if k != "l2-category"} for row in rows])


def ccbench_parquet(official: Path, folder: Path) -> None:
    table(folder / "cc/test-00000-of-00001.parquet", [{**row, "index": int(row["index"])} for row in CC(official)])


def seed_rows(official: Path) -> Rows:
    questions = json.loads((official / "SEED-Bench.json").read_text())["questions"]
    return [
        {**one, "image": picture(official / "SEED-Bench-image" / one["data_id"])}
        for one in questions
        if one["data_type"] == "image"
    ]


def seedbench_tsv(official: Path, folder: Path) -> None:
    names = {5: "Instances Counting", 6: "Spatial Relation"}
    rows = [
        {
            "index": one["question_id"],
            "image": one["image"],
            "question": one["question"],
            **{letter: one[f"choice_{letter.lower()}"] for letter in "ABCD"},
            "answer": one["answer"],
            "category": names[one["question_type_id"]],
        }
        for one in seed_rows(official)
    ]
    tsv(folder / "SEEDBench_IMG.tsv", rows)


def seedbench_parquet(official: Path, folder: Path) -> None:
    rows = [{**one, "image": [one["image"]]} for one in seed_rows(official)]
    clip = {**rows[0], "question_id": "v0", "data_type": "video", "question_type_id": 10}
    table(folder / "data/test-00000-of-00002.parquet", [clip, *rows])


def qbench_rows(official: Path) -> Rows:
    records = json.loads((official / "llvisionqa_dev.json").read_text())
    return [{**one, "image": picture(official / "images" / one["img_path"])} for one in records]


def qbench_parquet(official: Path, folder: Path) -> None:
    types, concerns = ["yes-or-no", "how", "what"], ["global distortion", "global others", "local distortion", "local others"]
    rows = []
    for number, one in enumerate(qbench_rows(official)):
        offered = [*one["candidates"], *["N/A"] * 4][:4]
        row = {"id": number, "image": one["image"], "question": one["question"]}
        row |= {f"option{n}": text for n, text in enumerate(offered)}
        row |= {"question_type": types.index(one["type"]), "question_concern": concerns.index(one["concern"])}
        rows.append({**row, "correct_choice": "ABCD"[one["candidates"].index(one["correct_ans"])]})
    table(folder / "data/dev-00000-of-00001.parquet", rows)


def qbench_tsv(official: Path, folder: Path) -> None:
    rows = [
        {
            "index": number,
            "image": one["image"],
            "question": one["question"],
            **dict(zip("ABCD", [*one["candidates"], *[""] * 4][:4], strict=True)),
            "answer": "ABCD"[one["candidates"].index(one["correct_ans"])],
        }
        for number, one in enumerate(qbench_rows(official))
    ]
    tsv(folder / "Q-Bench1_VAL.tsv", rows)


def mmvp_rows(official: Path) -> Rows:
    with (official / "Questions.csv").open(newline="") as file:
        return [{**row, "image": picture(official / f"MMVP Images/{row['Index']}.jpg")} for row in csv.DictReader(file)]


def mmvp_tsv(official: Path, folder: Path) -> None:
    rows = []
    for number, one in enumerate(mmvp_rows(official)):
        first, second = one["Options"].removeprefix("(a) ").split(" (b) ")
        answer = one["Correct Answer"].strip("()").upper()
        rows.append(
            {"index": number, "image": one["image"], "question": one["Question"], "A": first, "B": second, "answer": answer}
        )
    tsv(folder / "MMVP.tsv", rows)


def mmvp_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/train-00000-of-00001.parquet", mmvp_rows(official))


def figure_rows(official: Path) -> Rows:
    records = json.loads((official / "HallusionBench.json").read_text())
    return [{**one, "image": picture(official / one["filename"])} for one in records if one["filename"]]


def hallusionbench_tsv(official: Path, folder: Path) -> None:
    keys = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")
    rows = [
        {
            "index": "_".join(one[key] for key in keys),
            "image": one["image"],
            "question": one["question"],
            "answer": "Yes" if one["gt_answer"] == "1" else "No",
            "category": one["category"],
            "l2-category": f"{one['category']}_{one['subcategory']}",
        }
        for one in figure_rows(official)
    ]
    tsv(folder / "HallusionBench.tsv", rows)


def hallusionbench_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/image-00000-of-00001.parquet", figure_rows(official))


def mmmu_tsv(official: Path, folder: Path) -> None:
    rows: Rows = []
    for file in sorted(official.glob("*/validation-*.parquet")):
        for one in parquet.read_table(file).to_pylist():
            choices = json.loads(one["options"].replace("'", '"'))
            columns = dict(zip("ABCD", [*choices, *[""] * 4], strict=False))
            own = {name: one[name] for name in ("id", "question", "answer")}
            rows.append({"index": len(rows), **own, **columns, "image": [one["image_1"]], "split": "validation"})
    tsv(folder / "MMMU_DEV_VAL.tsv", [*rows, {**rows[0], "id": "dev_Art_1", "split": "dev"}])


def cmmmu_rows(official: Path) -> Rows:
    lines = (official / "cmmmu-data-val-answer.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**one, "image_1": picture(official / "images" / one["image_1_filename"])} for one in map(json.loads, lines)]


def cmmmu_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/val-00000-of-00001.parquet", [{**one, "id": str(one["id"])} for one in cmmmu_rows(official)])


def cmmmu_tsv(official: Path, folder: Path) -> None:
    rows = [{**one, "image": [one["image_1"]], "index": one["id"]} for one in cmmmu_rows(official)]
    tsv(folder / "CMMMU_VAL.tsv", [{k: v for k, v in row.items() if k not in ("image_1", "id")} for row in rows])


WRITERS: Mapping[str, tuple[Callable[[Path, Path], None], ...]] = {
    "mmbench_cn": (mmbench_cn_tsv, mmbench_cn_parquet),
    "ccbench": (ccbench_parquet,),
    "seedbench": (seedbench_tsv, seedbench_parquet),
    "qbench_a1": (qbench_tsv, qbench_parquet),
    "mmvp": (mmvp_tsv, mmvp_parquet),
    "hallusionbench": (hallusionbench_tsv, hallusionbench_parquet),
    "mmmu_val": (mmmu_tsv,),
    "cmmmu": (cmmmu_tsv, cmmmu_parquet),
}


@pytest.mark.parametrize(("task", "other"), [(task, one) for task, others in WRITERS.items() for one in others])
def test_every_layout_gives_the_same_samples(mini: Path, tmp_path: Path, task: str, other: Callable[[Path, Path], None]) -> None:
    other(mini / task, tmp_path)
    (official, ours), (layout, theirs) = read(task, mini / task), read(task, tmp_path)
    assert official == "official" != layout
    if task == "hallusionbench":  # the others have the rows with a picture only
        ours = [one for one in ours if one.parts]
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine.id, mine.question, mine.options, mine.references) == (
            yours.id,
            yours.question,
            yours.options,
            yours.references,
        )
        shown = [[digest(part.source) for part in one.parts if isinstance(part, Image)] for one in (mine, yours)]
        assert shown[0] == shown[1] and shown[0]
        assert find_task(task).prompt(mine) == find_task(task).prompt(yours)
        if other is not qbench_tsv:  # which names no kinds
            assert {k: v for k, v in mine.groups.items() if v} == {k: v for k, v in yours.groups.items() if v}
    if other is not seedbench_tsv:  # which names no pictures
        mine, yours = ([one.cluster == two.cluster for one in some for two in some] for some in (ours, theirs))
        assert mine == yours


FILES = {
    "seedbench": ("SEED-Bench.json", "choice_b"),
    "qbench_a1": ("llvisionqa_dev.json", "candidates"),
    "hallusionbench": ("HallusionBench.json", "figure_id"),
    "aesbench": ("AesBench_evaluation.json", "AesE_data"),
    "cmmmu": ("cmmmu-data-val-answer.jsonl", "option3"),
}


@pytest.mark.parametrize("task", FILES)
def test_a_missing_field_is_an_error_that_names_file_and_field(tmp_path: Path, task: str) -> None:
    name, field = FILES[task]
    write(tmp_path, [task], n=6)
    file = tmp_path / task / name
    file.write_text(file.read_text(encoding="utf-8").replace(f'"{field}"', '"renamed"'), encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"{name}.*{field}"):
        read(task, tmp_path / task)


def test_an_answer_that_is_no_candidate_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, ["qbench_a1"], n=3)
    file = tmp_path / "qbench_a1/llvisionqa_dev.json"
    records = json.loads(file.read_text())
    file.write_text(json.dumps([{**records[0], "correct_ans": "neither"}, *records[1:]]))
    with pytest.raises(DatasetError, match="record 0"):
        read("qbench_a1", tmp_path / "qbench_a1")
