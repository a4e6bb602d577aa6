from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Sample, Text

MMBENCH = find_task("mmbench_en")
COLUMNS = (
    "index",
    "question",
    "hint",
    "A",
    "B",
    "C",
    "D",
    "answer",
    "category",
    "image",
    "source",
    "l2-category",
    "comment",
    "split",
)
PICTURE = "iVBORw0KGgo" * 8


def rotations(question: int, options: list[str], answer: str, hint: str = "", category: str = "ocr") -> list[dict[str, str]]:
    rows = []
    for turn in range(len(options)):
        turned = options[turn:] + options[:turn]
        row = dict.fromkeys(COLUMNS, "") | dict(zip("ABCD", turned, strict=False))
        row |= {
            "index": str(question + turn * 1_000_000),
            "question": f"Question {question}?",
            "hint": hint,
            "category": category,
        }
        row |= {"answer": "ABCD"[turned.index(answer)], "l2-category": "coarse_perception", "split": "dev"}
        rows.append(row | {"image": PICTURE if turn == 0 else str(question)})
    return rows


ROWS = rotations(241, ["cat", "dog", "bird", "fish"], "bird", "Look.") + rotations(252, ["red", "blue"], "blue", category="color")


def write_tsv(path: Path, columns: tuple[str, ...] = COLUMNS, empty: str = "") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(columns)
        writer.writerows([[row[column] or empty for column in columns] for row in ROWS])
    return path


def read(where: Path) -> tuple[str, list[Sample]]:
    layout, records = read_records(MMBENCH, [where])
    return layout.name, list(MMBENCH.samples(records))


def values(samples: list[Sample], replies: dict[str, str | None], convention: str = "official") -> dict[str, Any]:
    used = MMBENCH.conventions[convention]
    rows = [score_reply(used, sample, replies[sample.id], missing=replies[sample.id] is None) for sample in samples]
    return {each.name: each for each in aggregate(Rows.of(rows), used.metrics)}


def test_tables_of_the_authors_and_of_vlmevalkit_are_the_same(tmp_path: Path) -> None:
    for name, layout in (("mmbench_dev_20230712.tsv", "official"), ("MMBench_DEV_EN.tsv", "vlmevalkit_tsv")):
        folder = tmp_path / layout
        folder.mkdir()
        write_tsv(folder / name)
        found, samples = read(folder)
        assert found == layout
        assert [sample.id for sample in samples] == [row["index"] for row in ROWS]
        assert samples[0].options == ("cat", "dog", "bird", "fish") and samples[-1].options == ("blue", "red")
        assert samples[0].parts == samples[1].parts  # the rotations point to the picture of the first row


@pytest.mark.parametrize("empty", ["", "nan"])
def test_empty_cells_are_no_options_and_no_hints(tmp_path: Path, empty: str) -> None:
    _, samples = read(write_tsv(tmp_path / "any.tsv", empty=empty))
    assert samples[-1].options == ("blue", "red") and samples[-1].fields["hint"] == ""


def test_an_option_that_reads_nan_keeps_its_letter() -> None:
    row = {"index": 7, "question": "?", "A": "300", "B": "nan", "C": "cat", "D": None, "answer": "C"}
    sample = MMBENCH.to_sample(row)
    assert sample.options == ("300", "nan", "cat")
    assert score_reply(MMBENCH.conventions["official"], sample, "(C)").scores["correct"] == 1


def test_a_submission_table_without_pictures_and_categories_suffices_for_scoring(tmp_path: Path) -> None:
    _, samples = read(write_tsv(tmp_path / "upload.tsv", ("index", "question", "A", "B", "C", "D", "answer")))
    got = values(samples, {sample.id: MMBENCH.ideal(sample) for sample in samples})
    assert got["circular"].value == 1 and "category/ocr" not in got


def test_parquet_gives_the_same_samples(tmp_path: Path) -> None:
    _, official = read(write_tsv(tmp_path / "mmbench_dev_20230712.tsv"))
    table: dict[str, list[Any]] = {
        name: [row[name] or "nan" for row in ROWS] for name in COLUMNS if name not in ("image", "l2-category")
    }
    table["index"] = [int(row["index"]) for row in ROWS]
    table["L2-category"] = [row["l2-category"] for row in ROWS]
    table["image"] = [{"bytes": b"png", "path": None} for _ in ROWS]
    (tmp_path / "en").mkdir()
    parquet.write_table(pyarrow.table(table), tmp_path / "en" / "dev-00000-of-00001.parquet")
    layout, samples = read(tmp_path / "en")
    assert layout == "hf_parquet"
    for ours, theirs in zip(official, samples, strict=True):
        assert (ours.id, ours.options, ours.references, ours.groups) == (
            theirs.id,
            theirs.options,
            theirs.references,
            theirs.groups,
        )


def test_prompts(tmp_path: Path) -> None:
    _, samples = read(write_tsv(tmp_path / "mmbench_dev_20230712.tsv"))
    assert MMBENCH.query(samples[0]).parts[-1] == Text(
        "Hint: Look.\nQuestion: Question 241?\nOptions:\nA. cat\nB. dog\nC. bird\nD. fish\n"
        "Please select the correct answer from the options above."
    )
    assert MMBENCH.query(samples[-1], "llava").parts[-1] == Text(
        "Question 252?\nA. blue\nB. red\nAnswer with the option's letter from the given choices directly."
    )
    assert MMBENCH.query(samples[-1]).choices == ("A", "B")


@pytest.mark.parametrize("convention", MMBENCH.conventions)
def test_a_question_counts_only_with_all_its_rotations(tmp_path: Path, convention: str) -> None:
    _, samples = read(write_tsv(tmp_path / "mmbench_dev_20230712.tsv"))
    replies: dict[str, str | None] = {sample.id: MMBENCH.ideal(sample) for sample in samples}
    assert values(samples, replies, convention)["circular"].value == 1
    replies["1000241"] = "D" if replies["1000241"] != "D" else "A"
    got = values(samples, replies, convention)
    assert got["circular"].value == 0.5 and got["circular"].n == 2
    assert got["vanilla"].value == 1 and got["all_rows"].value == pytest.approx(5 / 6)
    assert got["category/ocr"].value == 0 and got["l2/coarse_perception"].value == 0.5


def test_a_missing_rotation_makes_its_question_wrong(tmp_path: Path) -> None:
    _, samples = read(write_tsv(tmp_path / "mmbench_dev_20230712.tsv"))
    replies: dict[str, str | None] = {sample.id: MMBENCH.ideal(sample) for sample in samples} | {"1000252": None}
    assert values(samples, replies)["circular"].value == 0.5
