"""ScreenSpot and detection: the same samples from every layout, mini data from files to scores, files of replies."""

from __future__ import annotations

import base64
import csv
import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from PIL import Image as Pictures
from pyarrow import parquet

from harness.catalog import find_task
from harness.cli import main
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.plan import Source
from harness.regions import loads
from harness.replies import score_replies
from harness.scoring import score_reply
from harness.types import Image, Sample
from harness.world import combinations
from tasks.mini import EVAL_TEMPLATES, benchmark_of, write

TASKS = ("screenspot", "detection", "pose", "text_spotting", "document_layout")
N = 24
SCREENS: tuple[tuple[str, tuple[int, int], str, list[int], str, str], ...] = (
    ("mobile_1.png", (60, 90), "go back", [5, 6, 7, 8], "icon", "ios"),
    ("mobile_1.png", (60, 90), "open mail", [1, 2, 30, 9], "text", "ios"),
    ("pc_1.png", (90, 60), "close", [50, 3, 9, 9], "icon", "windows"),
    ("web_1.png", (80, 80), "buy it", [0, 0, 9, 9], "text", "shop"),
    ("web_1.png", (80, 80), "buy it", [0, 0, 9, 9], "text", "shop"),
)
PLATFORMS = ("mobile", "mobile", "desktop", "web", "web")


def png(name: str) -> bytes:
    size = next(size for screen, size, *_ in SCREENS if screen == name)
    out = BytesIO()
    Pictures.new("RGB", size, (len(name), 50, 200)).save(out, "PNG")
    return out.getvalue()


def official(folder: Path) -> None:
    (folder / "screenspot_imgs").mkdir()
    for name, *_ in SCREENS:
        (folder / "screenspot_imgs" / name).write_bytes(png(name))
    for platform in dict.fromkeys(PLATFORMS):
        records = [
            {"img_filename": name, "bbox": box, "instruction": text, "data_type": kind, "data_source": source}
            for own, (name, _, text, box, kind, source) in zip(PLATFORMS, SCREENS, strict=True)
            if own == platform
        ]
        (folder / f"screenspot_{platform}.json").write_text(json.dumps(records))


def vlmevalkit(folder: Path) -> None:
    for platform in dict.fromkeys(PLATFORMS):
        rows = [
            {"index": number, "image": base64.b64encode(png(name)).decode(), "image_path": name, "bbox": str(box),
             "question": text, "data_type": kind, "data_source": source}
            for number, (own, (name, _, text, box, kind, source)) in enumerate(zip(PLATFORMS, SCREENS, strict=True))
            if own == platform
        ]  # fmt: skip
        pandas.DataFrame(rows).to_csv(folder / f"ScreenSpot_{platform.title()}.tsv", sep="\t", index=False)


def hugging_face(folder: Path) -> None:
    (folder / "data").mkdir()
    columns: dict[str, list[Any]] = {
        "file_name": [name for name, *_ in SCREENS],
        "image": [{"bytes": png(name), "path": None} for name, *_ in SCREENS],
        "bbox": [[x / w, y / h, (x + a) / w, (y + b) / h] for _, (w, h), _, (x, y, a, b), *_ in SCREENS],
        "instruction": [text for _, _, text, *_ in SCREENS],
        "data_type": [kind for *_, kind, _ in SCREENS],
        "data_source": [source for *_, source in SCREENS],
    }
    parquet.write_table(pyarrow.table(columns), folder / "data/test-00000-of-00001.parquet")


def by_id(folder: Path) -> dict[str, Sample]:
    task = find_task("screenspot")
    return {sample.id: sample for sample in task.samples(read_records(task, [folder])[1])}


@pytest.mark.parametrize("other", [vlmevalkit, hugging_face])
def test_every_layout_gives_the_same_screens(tmp_path: Path, other: Any) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    official(tmp_path / "a")
    other(tmp_path / "b")
    ours, theirs = by_id(tmp_path / "a"), by_id(tmp_path / "b")
    assert set(ours) == set(theirs) and len(ours) == len(SCREENS)
    for name, sample in ours.items():
        assert (sample.question, sample.references, sample.groups, sample.cluster) == (
            theirs[name].question, theirs[name].references, theirs[name].groups, theirs[name].cluster
        )  # fmt: skip
        assert [sample.fields[side] for side in ("width", "height")] == [
            theirs[name].fields[side] for side in ("width", "height")
        ]
    assert [sample.groups["cell"] for sample in ours.values()].count("mobile/icon") == 1
    assert sum(name.endswith("#2") for name in ours) == 1


def test_annotations_without_pictures_can_be_scored_in_pixels_only(tmp_path: Path) -> None:
    official(tmp_path)
    for path in (tmp_path / "screenspot_imgs").iterdir():
        path.unlink()
    sample, conventions = next(iter(by_id(tmp_path).values())), find_task("screenspot").conventions
    assert sample.references == ("50,3,59,12",) or sample.groups["data_type"]
    x, y, *_ = map(float, sample.references[0].split(","))
    assert score_reply(conventions["pixels"], sample, f"({x}, {y})").scores["hit"] == 1.0
    with pytest.raises(DatasetError, match="put the picture where the annotation names it, or use convention=pixels"):
        score_reply(conventions["official"], sample, "(0.5, 0.5)")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini_grounding")
    write(folder, TASKS, seed=3, n=N)
    return folder


def samples(root: Path, name: str) -> list[Sample]:
    return list(Source.find(find_task(name), [root / benchmark_of(name)]).samples())


@pytest.mark.parametrize("name", TASKS)
def test_the_task_reads_its_mini_benchmark_and_gives_its_ideal_replies_full_marks(root: Path, name: str, tmp_path: Path) -> None:
    task, found = find_task(name), samples(root, name)
    assert len(found) == (N if name == "screenspot" else N // 4) and len({sample.id for sample in found}) == len(found)
    official = task.conventions["official"]
    rows = [score_reply(official, sample, task.ideal(sample)) for sample in found]
    got = {one.name: one.value for one in aggregate(Rows.of(rows), official.metrics)}
    assert not any(row.parsed.unparsed for row in rows)
    got.pop("wrong_format", None)
    assert list(got.values()) == pytest.approx([1.0] * len(got))
    for sample in found:
        for part in sample.parts:
            assert isinstance(part, Image)
            with Pictures.open(BytesIO(part.source.read())) as picture:
                assert picture.size == (sample.fields["width"], sample.fields["height"])
    write(tmp_path, [name], seed=3, n=N)
    assert [one.references for one in samples(tmp_path, name)] == [one.references for one in found]
    write(tmp_path / "few", [name], n=1)
    assert samples(tmp_path / "few", name)


def test_a_model_that_declares_another_frame_is_read_in_it(root: Path) -> None:
    for name in TASKS:
        task, sample = find_task(name), next(one for one in samples(root, name) if one.fields["width"] != one.fields["height"]
                                             or name in ("text_spotting", "document_layout"))  # fmt: skip
        official = task.conventions["official"]
        assert official.in_frame is not None
        ideal = task.ideal(sample)
        if name == "screenspot":
            reply = re.sub(r"\d\.\d+", lambda found: f"{1000 * float(found[0]):.2f}", ideal)
            assert score_reply(official.in_frame("thousandths"), sample, reply).scores["hit"] == 1.0
            assert score_reply(official, sample, reply).scores["hit"] == 0.0
        else:
            own = official.in_frame("square")
            assert score_reply(own, sample, ideal).scores["f1"] == 1.0
            if sample.fields["width"] != sample.fields["height"]:
                assert score_reply(official.in_frame("unit"), sample, ideal).scores["f1"] < 1.0


def test_instructions_follow_a_listed_template_and_name_no_pair_of_training(root: Path) -> None:
    templates = [text for kind, texts in EVAL_TEMPLATES.items() if kind.startswith("screenspot/") for text in texts]
    patterns = [re.compile(re.sub(r"\\\{\w*\\\}", "(.+)", re.escape(template))) for template in templates]
    trained = {f"{colour} {shape}" for shape, colour in combinations("train")}
    for sample in samples(root, "screenspot"):
        assert any(pattern.fullmatch(sample.question) for pattern in patterns)
        assert not any(pair in sample.question for pair in trained)


def test_replies_reach_their_samples_from_lines_tables_and_official_results(root: Path, tmp_path: Path) -> None:
    screens, spots = find_task("screenspot"), samples(root, "screenspot")
    lines = [
        {"img_filename": f"{one.cluster}.png", "instruction": one.question, "response": screens.ideal(one)} for one in spots[::-1]
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (tmp_path / "b.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("id", "prediction"), *((one.id, screens.ideal(one)) for one in spots)])
    for name in ("a.jsonl", "b.csv"):
        result = score_replies(screens, root / "screenspot", tmp_path / name, runs=tmp_path / "runs")
        assert (result.metric("accuracy").value, result.missing) == (1.0, 0)
    task, found = find_task("detection"), samples(root, "detection")
    results = [
        {"image_id": int(one.id), "category_id": 1 + one.options.index(region["label"]), "score": 0.5,
         "bbox": [region["box"][0], region["box"][1], region["box"][2] - region["box"][0], region["box"][3] - region["box"][1]]}
        for one in found for region in map(loads, one.references)
    ]  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"image_id": one.id, "reply": task.ideal(one)}) + "\n" for one in found))
    for name in ("results.json", "c.jsonl"):
        result = score_replies(task, root / "detection", tmp_path / name, runs=tmp_path / "runs")
        assert {one.value for one in result.metrics} == {1.0}


def test_every_task_runs_from_its_files_to_its_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=oracle", "suite=grounding_mini", "mini.n=8", *places, "output=json"]) == 0
    text = json.dumps(json.loads(capsys.readouterr().out))
    assert all(f"{name}@mini" in text for name in TASKS)
