from __future__ import annotations

import base64
import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.metrics.aggregate import Rows, aggregate
from harness.scoring import score_reply
from harness.types import Image, Sample, Text

POPE = find_task("pope")
CATEGORIES = ("random", "popular", "adversarial")
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")


def picture(number: int) -> str:
    return f"COCO_val2014_{number:012}.jpg"


def write_official(folder: Path) -> None:
    for category in CATEGORIES:
        lines = [
            {"question_id": i, "image": picture(i // 3), "text": f"Is there a {category} {i}?", "label": "yes" if i % 2 else "no"}
            for i in range(1, 7)
        ]
        path = folder / f"coco_pope_{category}.json"
        path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


def read(where: Path) -> tuple[str, list[Sample]]:
    layout, records = read_records(POPE, [where])
    return layout.name, list(POPE.samples(records))


def test_official_files_are_json_lines_with_the_category_in_their_name(tmp_path: Path) -> None:
    write_official(tmp_path)
    (tmp_path / "val2014").mkdir()
    layout, samples = read(tmp_path)
    assert layout == "official"
    assert [sample.id for sample in samples][:7] == [*(f"random/{i}" for i in range(1, 7)), "popular/1"]
    assert samples[0].references == ("yes",) and samples[1].references == ("no",)
    (part,) = samples[0].parts
    assert isinstance(part, Image) and part.source.label.endswith(f"val2014/{picture(0)}")


def test_one_file_alone_is_read_too_and_needs_no_pictures(tmp_path: Path) -> None:
    write_official(tmp_path)
    _, samples = read(tmp_path / "coco_pope_popular.json")
    assert {sample.groups["category"] for sample in samples} == {"popular"}


def test_samples_of_a_picture_share_a_cluster_over_all_categories(tmp_path: Path) -> None:
    write_official(tmp_path)
    _, samples = read(tmp_path)
    assert len({sample.cluster for sample in samples}) == 3
    assert all(sample.cluster.startswith("COCO_val2014_") for sample in samples)


def test_parquet_has_the_ids_and_clusters_of_the_official_files(tmp_path: Path) -> None:
    write_official(tmp_path)
    _, official = read(tmp_path)
    table = {
        "question_id": [sample.fields["question_id"] for sample in official],
        "question": [sample.question for sample in official],
        "answer": list(sample.references[0] for sample in official),
        "image_source": [sample.cluster for sample in official],
        "image": [{"bytes": PIXEL, "path": None}] * len(official),
        "category": [sample.groups["category"] for sample in official],
    }
    folder = tmp_path / "hf" / "data"
    folder.mkdir(parents=True)
    parquet.write_table(pyarrow.table(table), folder / "test-00000-of-00001.parquet")
    layout, samples = read(tmp_path / "hf")
    assert layout == "hf_parquet"
    assert [(each.id, each.cluster, each.references) for each in samples] == [(e.id, e.cluster, e.references) for e in official]


def test_a_row_of_vlmevalkit_stands_for_each_of_its_categories(tmp_path: Path) -> None:
    image = base64.b64encode(PIXEL * 2).decode()
    path = tmp_path / "POPE.tsv"
    path.write_text(
        f"index\timage\tquestion\tanswer\tcategory\n0\t{image}\tIs there a cat?\tYes\trandom,popular\n1\t0\tA dog?\tNo\trandom\n",
        encoding="utf-8",
    )
    layout, samples = read(tmp_path)
    assert layout == "vlmevalkit_tsv"
    assert [sample.id for sample in samples] == ["random/row-0", "popular/row-0", "random/row-1"]
    assert len({sample.cluster for sample in samples}) == 1  # the second row points to the picture of the first


def test_prompt_is_the_question_with_the_short_answer_instruction(tmp_path: Path) -> None:
    write_official(tmp_path)
    sample = read(tmp_path)[1][0]
    query = POPE.query(sample)
    assert query.parts[-1] == Text("Is there a random 1?\nAnswer the question using a single word or phrase.")
    assert POPE.query(sample, "plain").parts[-1] == Text("Is there a random 1?")
    assert query.choices == ("Yes", "No")


@pytest.mark.parametrize("convention", POPE.conventions)
def test_ideal_replies_get_full_marks(tmp_path: Path, convention: str) -> None:
    write_official(tmp_path)
    used = POPE.conventions[convention]
    rows = [score_reply(used, sample, POPE.ideal(sample)) for sample in read(tmp_path)[1]]
    got = {each.name: each for each in aggregate(Rows.of(rows), used.metrics)}
    assert got[used.primary].value == 1 and got[used.primary].low < 1
    assert not any(row.parsed.unparsed for row in rows)


def test_a_missing_reply_is_wrong_in_accuracy_and_in_f1(tmp_path: Path) -> None:
    write_official(tmp_path)
    official = POPE.conventions["official"]
    samples = read(tmp_path)[1]
    replies = [None if sample.id in ("random/1", "random/2") else POPE.ideal(sample) for sample in samples]
    rows = [score_reply(official, sample, reply, missing=reply is None) for sample, reply in zip(samples, replies, strict=True)]
    got = {each.name: each.value for each in aggregate(Rows.of(rows), official.metrics)}
    assert got["accuracy/random"] == pytest.approx(4 / 6)
    assert got["f1/random"] == pytest.approx(4 / (4 + 1 + 1))
    assert got["mean_f1"] == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_a_model_that_never_says_yes_has_no_precision_in_place_of_zero(tmp_path: Path) -> None:
    write_official(tmp_path)
    official = POPE.conventions["official"]
    rows = [score_reply(official, sample, "no") for sample in read(tmp_path)[1]]
    got = {each.name: each for each in aggregate(Rows.of(rows), official.metrics)}
    assert got["precision"].method.startswith("undefined") and got["f1"].value == 0
