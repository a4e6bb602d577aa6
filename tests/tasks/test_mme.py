from __future__ import annotations

from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Image, Sample, Text

MME = find_task("mme")
QUESTIONS = ("Is it red? Please answer yes or no.", "Is it blue? Please answer yes or no.")
BESIDE, APART = ("count", "OCR", "code_reasoning"), ("artwork",)


def write_release(folder: Path) -> None:
    """The two forms that the release mixes, with a folder of results that is no data."""
    text = f"{QUESTIONS[0]}\tYes\n{QUESTIONS[1]}\tNo\n"
    for subtask in BESIDE:
        (folder / subtask).mkdir(parents=True)
        for stem in ("0001", "0002"):
            (folder / subtask / f"{stem}.txt").write_text(text, encoding="utf-8")
            (folder / subtask / f"{stem}.png").write_bytes(b"png")
    for subtask in APART:
        (folder / subtask / "images").mkdir(parents=True)
        (folder / subtask / "questions_answers_YN").mkdir()
        for stem in ("15810", "27372"):
            (folder / subtask / "questions_answers_YN" / f"{stem}.txt").write_text(text, encoding="utf-8")
            (folder / subtask / "images" / f"{stem}.jpg").write_bytes(b"jpg")
    (folder / "eval_tool" / "Your_Results").mkdir(parents=True)
    (folder / "eval_tool" / "Your_Results" / "count.txt").write_text("0001.png\tIs it?\tYes\tYes\n", encoding="utf-8")
    (folder / "eval_tool" / "readme.txt").write_text("run it\n", encoding="utf-8")


def read(*where: Path) -> tuple[str, list[Sample]]:
    layout, records = read_records(MME, where)
    return layout.name, list(MME.samples(records))


def values(samples: list[Sample], replies: list[str | None], convention: str = "official") -> dict[str, float]:
    used = MME.conventions[convention]
    rows = [score_reply(used, sample, reply) for sample, reply in zip(samples, replies, strict=True)]
    return {each.name: each.value for each in aggregate(Rows.of(rows), used.metrics)}


def test_both_forms_of_the_release_are_read_and_its_results_are_not(tmp_path: Path) -> None:
    write_release(tmp_path)
    layout, samples = read(tmp_path)
    assert layout == "official" and len(samples) == 16
    assert [sample.id for sample in samples[:3]] == ["count/0001#1", "count/0001#2", "count/0002#1"]
    labels = [part.source.label for sample in samples for part in sample.parts if isinstance(part, Image)]
    assert labels[0].endswith("count/0001.png")
    assert any(label.endswith("artwork/images/15810.jpg") for label in labels)


def test_a_picture_that_is_not_there_leaves_the_questions_scorable(tmp_path: Path) -> None:
    write_release(tmp_path)
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert len(read(tmp_path)[1]) == 16


def test_all_layouts_give_the_same_samples_in_the_same_order(tmp_path: Path) -> None:
    write_release(tmp_path / "release")
    _, official = read(tmp_path / "release")
    results, table = tmp_path / "results", tmp_path / "hf"
    results.mkdir()
    table.mkdir()
    for subtask in (*BESIDE, *APART):
        own = [sample for sample in official if sample.groups["subtask"] == subtask]
        own.sort(key=lambda sample: sample.cluster, reverse=True)  # another order of pictures
        lines = [f"{Path(e.cluster).name}.txt\t{e.question}\t{e.references[0].capitalize()}\tNo" for e in own]
        (results / f"{subtask}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = {
        "question_id": [f"{sample.cluster}.png" for sample in official],
        "question": [sample.question for sample in official],
        "answer": [sample.references[0].capitalize() for sample in official],
        "category": [sample.groups["subtask"] for sample in official],
        "image": [{"bytes": b"png", "path": None}] * len(official),
    }
    parquet.write_table(pyarrow.table(columns), table / "test-00000-of-00001.parquet")

    def seen(samples: list[Sample]) -> list[tuple[str, str, tuple[str, ...], str]]:
        return [(sample.id, sample.question, sample.references, sample.cluster) for sample in samples]

    assert read(results)[0] == "eval_tool" and read(table)[0] == "hf_parquet"
    assert seen(read(results)[1]) == seen(read(table)[1]) == seen(official)
    assert seen(read(*sorted(results.glob("*.txt")))[1]) == seen(official)


def test_vlmevalkits_table_names_the_picture_in_a_column(tmp_path: Path) -> None:
    rows = ["index\timage\tquestion\tanswer\tcategory\timage_path", f"0\t{'A' * 80}\tIs it?\tYes\tcount\tcount/0001.png"]
    (tmp_path / "MME.tsv").write_text("\n".join([*rows, "1\t0\tIs it not?\tNo\tcount\tcount/0001.png"]) + "\n", encoding="utf-8")
    layout, samples = read(tmp_path)
    assert layout == "vlmevalkit_tsv" and [sample.id for sample in samples] == ["count/0001#1", "count/0001#2"]


def test_a_line_without_an_answer_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    (tmp_path / "count" / "0001.txt").write_text("Is it red?\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"0001\.txt line 1: 1 fields separated by tabs, expected question, answer"):
        read(tmp_path)


def test_prompts(tmp_path: Path) -> None:
    write_release(tmp_path)
    sample = read(tmp_path)[1][0]
    asked = {name: MME.query(sample, name).parts[-1] for name in ("default", "llava", "sphinx")}
    short = "Answer the question using a single word or phrase."
    assert asked["default"] == Text("Is it red? Please answer yes or no.")
    assert asked["llava"] == Text(f"Is it red?\n{short}")
    assert asked["sphinx"] == Text(f"Is it red? Please answer yes or no.\n{short}")


@pytest.mark.parametrize("convention", MME.conventions)
def test_ideal_replies_get_200_points_a_sub_task(tmp_path: Path, convention: str) -> None:
    write_release(tmp_path)
    samples = read(tmp_path)[1]
    got = values(samples, [MME.ideal(sample) for sample in samples], convention)
    assert got["total"] == 800 and got["perception"] == 600 and got["score/OCR"] == 200
    assert got["reasoning" if convention == "vlmevalkit" else "cognition"] == 200


def test_a_picture_counts_in_acc_plus_only_with_both_answers(tmp_path: Path) -> None:
    write_release(tmp_path)
    samples = read(tmp_path)[1]
    replies: list[str | None] = [MME.ideal(sample) for sample in samples]
    replies[0], replies[2] = "No", None
    got = values(samples, replies)
    assert got["acc/count"] == 0.5 and got["acc_plus/count"] == 0 and got["score/count"] == 50
    assert values(samples, ["Yes"] * 16)["total"] == 4 * 50
