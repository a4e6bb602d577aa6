"""Short visual questions: the same samples from every layout, and errors that name the files that are not there."""

from __future__ import annotations

import base64
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
from tasks.mini import benchmark_of, write
from tests.tasks.reading import read

TASKS = ("okvqa", "vqav2", "vizwiz", "textvqa", "gqa", "scienceqa", "iconqa", "ocrvqa", "ai2d")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("official")
    write(root, TASKS, seed=2, n=13)
    return root


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def picture(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": path.name}


def table(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def tsv(path: Path, rows: Rows) -> None:
    coded = [{**row, "image": base64.b64encode(row["image"]["bytes"]).decode()} for row in rows]
    pandas.DataFrame(coded).to_csv(path, sep="\t", index=False)


def challenge(prefix: str, official: Path) -> Rows:
    questions = {
        one["question_id"]: one for one in load(official, f"{prefix}OpenEnded_mscoco_val2014_questions.json")["questions"]
    }
    annotations = load(official, f"{prefix}mscoco_val2014_annotations.json")["annotations"]
    at = official / "val2014"
    return [
        {**one, **questions[one["question_id"]], "image": picture(at / f"COCO_val2014_{one['image_id']:012d}.jpg")}
        for one in annotations
    ]


def okvqa_parquet(official: Path, folder: Path) -> None:
    rows = [
        {
            "question_id": str(one["question_id"]),
            "image": one["image"],
            "question": one["question"],
            "answers": [answer["answer"] for answer in one["answers"]],
        }
        for one in challenge("", official)
    ]
    table(folder / "data/val2014-00000-of-00002.parquet", rows)


def vqav2_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/validation-00000-of-00068.parquet", challenge("v2_", official))


def vizwiz_rows(official: Path) -> Rows:
    return [
        {**one, "image": picture(official / "val" / one["image"]), "name": one["image"].removesuffix(".jpg")}
        for one in load(official, "val.json")
    ]


def vizwiz_parquet(official: Path, folder: Path) -> None:
    rows = [
        {
            "question_id": one["name"],
            "image": one["image"],
            "question": one["question"],
            "answers": [answer["answer"] for answer in one["answers"]],
            "category": one["answer_type"],
        }
        for one in vizwiz_rows(official)
    ]
    table(folder / "data/val-00000-of-00005.parquet", rows)


def vizwiz_tsv(official: Path, folder: Path) -> None:
    rows = [
        {
            "index": number,
            "image": one["image"],
            "image_name": one["name"],
            "question": one["question"],
            "answers": str([answer["answer"] for answer in one["answers"]]),
        }
        for number, one in enumerate(vizwiz_rows(official))
    ]
    tsv(folder / "VizWiz.tsv", rows)


def textvqa_rows(official: Path) -> Rows:
    return [
        {**one, "image": picture(official / "train_images" / f"{one['image_id']}.jpg")}
        for one in load(official, "TextVQA_0.5.1_val.json")["data"]
    ]


def textvqa_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/validation-00000-of-00003.parquet", textvqa_rows(official))


def textvqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {"index": one["question_id"], "image": one["image"], "question": one["question"], "answer": str(one["answers"])}
        for one in textvqa_rows(official)
    ]
    tsv(folder / "TextVQA_VAL.tsv", rows)


def gqa_parquet(official: Path, folder: Path) -> None:
    questions = load(official, "testdev_balanced_questions.json")
    keep = ("imageId", "question", "answer", "isBalanced", "groups", "types", "semantic")
    rows = [{"id": key, **{name: one[name] for name in keep}} for key, one in questions.items()]
    table(folder / "testdev_balanced_instructions/testdev-00000-of-00001.parquet", rows)
    files = [{"id": path.stem, "image": picture(path)} for path in sorted((official / "images").iterdir(), reverse=True)]
    table(folder / "testdev_balanced_images/testdev-00000-of-00001.parquet", files)


def gqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {
            "index": key,
            "image": picture(official / "images" / f"{one['imageId']}.jpg"),
            "question": one["question"],
            "answer": one["answer"],
        }
        for key, one in load(official, "testdev_balanced_questions.json").items()
    ]
    tsv(folder / "GQA_TestDev_Balanced.tsv", rows)


def scienceqa_rows(official: Path) -> Rows:
    return [
        {**one, "pid": key, "image": picture(official / "images/test" / key / "image.png")}
        for key, one in load(official, "problems.json").items()
    ]


def scienceqa_parquet(official: Path, folder: Path) -> None:
    rows = [{name: value for name, value in one.items() if name not in ("pid", "split")} for one in scienceqa_rows(official)]
    table(folder / "ScienceQA-IMG/test-00000-of-00001.parquet", rows)


def scienceqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {
            "index": number,
            "image": one["image"],
            "question": one["question"],
            "hint": one["hint"],
            **dict(zip("ABCDE", [*one["choices"], *[""] * (5 - len(one["choices"]))], strict=True)),
            "answer": "ABCDE"[one["answer"]],
            "split": "test",
        }
        for number, one in enumerate(scienceqa_rows(official))
    ]
    tsv(folder / "ScienceQA_TEST.tsv", rows)


def scienceqa_llava(official: Path, folder: Path) -> None:
    records: Rows = []
    for one in scienceqa_rows(official):
        lines = "\n".join(f"{letter}. {text}" for letter, text in zip("ABCDE", one["choices"], strict=False))
        context = f"Context: {one['hint']}\n" if one["hint"] else ""
        asked = {"from": "human", "value": f"<image>\n{context}{one['question']}\n{lines}"}
        said = {"from": "gpt", "value": "ABCDE"[one["answer"]]}
        records.append({"id": one["pid"], "image": f"{one['pid']}/image.png", "conversations": [asked, said]})
        place = folder / "images/test" / one["pid"]
        place.mkdir(parents=True)
        (place / "image.png").write_bytes(one["image"]["bytes"])
    (folder / "llava_test_CQM-A.json").write_text(json.dumps(records))


def iconqa_parquet(official: Path, folder: Path) -> None:
    skills, rows = load(official, "pid2skills.json"), []
    for key, one in load(official, "problems.json").items():
        at = official / "iconqa/test" / one["ques_type"] / key
        shown = one["choices"] if one["ques_type"] == "choose_img" else []
        own = {"query_image": picture(at / "image.png")}
        own |= {f"choice_image_{n}": picture(at / shown[n]) if n < len(shown) else None for n in (0, 1)}
        text = {"question": one["question"], "choices": ",".join(one["choices"]), "answer": str(one["answer"])}
        rows.append({"question_id": key, **text, **own, "ques_type": one["ques_type"], "skills": ",".join(skills[key])})
    table(folder / "data/test-00000-of-00001.parquet", rows)


def ocrvqa_parquet(official: Path, folder: Path) -> None:
    rows = [
        {
            "image": picture(official / "images" / f"{key}.jpg"),
            "image_id": key,
            "questions": one["questions"],
            "answers": one["answers"],
            "genre": one["genre"],
            "set_name": "test",
        }
        for key, one in load(official, "dataset.json").items()
    ]
    table(folder / "data/test-00000-of-00002.parquet", rows)


def ocrvqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {"image": picture(official / "images" / f"{key}.jpg"), "question": question, "answer": answer}
        for key, one in load(official, "dataset.json").items()
        for question, answer in zip(one["questions"], one["answers"], strict=True)
    ]
    tsv(folder / "OCRVQA_TEST.tsv", [{"index": number, **row} for number, row in enumerate(rows)])


def ai2d_rows(official: Path) -> Rows:
    wholes = [load(official / "questions", path.name) for path in sorted((official / "questions").iterdir())]
    return [
        {
            "question": question,
            "options": one["answerTexts"],
            "answer": str(one["correctAnswer"]),
            "image": picture(official / "images" / whole["imageName"]),
        }
        for whole in wholes
        for question, one in whole["questions"].items()
    ]


def ai2d_parquet(official: Path, folder: Path) -> None:
    table(folder / "data/test-00000-of-00002.parquet", ai2d_rows(official))


def ai2d_tsv(official: Path, folder: Path) -> None:
    rows = [
        {
            "index": number,
            "image": one["image"],
            "question": one["question"],
            **dict(zip("ABCD", one["options"], strict=True)),
            "answer": "ABCD"[int(one["answer"])],
        }
        for number, one in enumerate(ai2d_rows(official))
    ]
    tsv(folder / "AI2D_TEST.tsv", rows)


WRITERS: Mapping[str, tuple[Callable[[Path, Path], None], ...]] = {
    "okvqa": (okvqa_parquet,),
    "vqav2": (vqav2_parquet,),
    "vizwiz": (vizwiz_parquet, vizwiz_tsv),
    "textvqa": (textvqa_parquet, textvqa_tsv),
    "gqa": (gqa_parquet, gqa_tsv),
    "scienceqa": (scienceqa_parquet, scienceqa_tsv, scienceqa_llava),
    "iconqa": (iconqa_parquet,),
    "ocrvqa": (ocrvqa_parquet, ocrvqa_tsv),
    "ai2d": (ai2d_parquet, ai2d_tsv),
}


@pytest.mark.parametrize(("task", "other"), [(task, one) for task, others in WRITERS.items() for one in others])
def test_every_layout_gives_the_same_samples(mini: Path, tmp_path: Path, task: str, other: Callable[[Path, Path], None]) -> None:
    other(mini / task, tmp_path)
    (official, ours), (layout, theirs) = read(task, mini / task), read(task, tmp_path)
    assert official == "official" != layout
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine.references, mine.options) == (yours.references, yours.options)
        if other is not ocrvqa_tsv:  # which names no book
            assert mine.id == yours.id
        if other is not scienceqa_llava or not mine.fields["hint"]:  # there a hint is part of the question
            assert mine.question == yours.question
        shown = [[digest(part.source) for part in one.parts if isinstance(part, Image)] for one in (mine, yours)]
        assert shown[1] == shown[0][: len(shown[1])] and shown[1], "Hugging Face's IconQA has two pictures to choose from"
        assert len(shown[0]) == len(shown[1]) or other is iconqa_parquet
        assert find_task(task).prompt(mine) == find_task(task).prompt(yours)
    mine, yours = ([one.cluster == two.cluster for one in some for two in some] for some in (ours, theirs))
    assert mine == yours


BESIDE = {
    "okvqa": ("OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json"),
    "vqav2": ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json"),
    "iconqa": ("pid2skills.json", "problems.json"),
    "ai2d": ("ai2d_test_ids.csv", "questions/0.png.json"),
}


@pytest.mark.parametrize("task", BESIDE)
def test_what_must_stand_beside_the_named_file_is_named_where_it_does_not(tmp_path: Path, task: str) -> None:
    write(tmp_path, [task], n=3)
    missing, named = BESIDE[task]
    (tmp_path / benchmark_of(task) / missing).unlink()
    with pytest.raises(DatasetError, match=missing):
        read(task, tmp_path / task)
    with pytest.raises(DatasetError, match=missing):
        read(task, tmp_path / task / named)


def test_a_question_that_its_other_file_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path, ["okvqa"], n=3)
    file = tmp_path / "okvqa/OpenEnded_mscoco_val2014_questions.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, "questions": whole["questions"][1:]}))
    with pytest.raises(DatasetError, match=r"record 0.*question_id 1000 is not in"):
        read("okvqa", tmp_path / "okvqa")


def test_only_balanced_questions_and_the_test_parts_count(tmp_path: Path) -> None:
    write(tmp_path, ["gqa", "ocrvqa", "scienceqa", "ai2d"], n=6)
    for task, name, change in (
        ("gqa", "testdev_balanced_questions.json", {"isBalanced": False}),
        ("ocrvqa", "dataset.json", {"split": 1}),
        ("scienceqa", "problems.json", {"split": "val"}),
    ):
        file = tmp_path / task / name
        whole = json.loads(file.read_text())
        first = next(iter(whole))
        file.write_text(json.dumps({**whole, first: {**whole[first], **change}}))
        assert len(read(task, tmp_path / task)[1]) == (4 if task == "ocrvqa" else 5)
    (tmp_path / "ai2d/ai2d_test_ids.csv").write_text("1\n3\n")
    assert [sample.fields["question_id"] for sample in read("ai2d", tmp_path / "ai2d")[1]] == ["1.png-0", "3.png-0"]


def test_problems_without_a_picture_belong_to_the_whole_of_scienceqa_only(tmp_path: Path) -> None:
    write(tmp_path, ["scienceqa"], n=4)
    file = tmp_path / "scienceqa/problems.json"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, "1": {**whole["1"], "image": None}}))
    assert len(read("scienceqa", tmp_path / "scienceqa")[1]) == 3
    first = read("scienceqa_all", tmp_path / "scienceqa")[1][0]
    assert first.parts == () and first.groups["context"] == "NO"


def test_equal_questions_of_scienceqa_have_ids_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, ["scienceqa"], n=2)
    file = tmp_path / "scienceqa/problems.json"
    one = json.loads(file.read_text())["1"]
    file.write_text(json.dumps({"1": one, "2": one}))
    first, second = read("scienceqa", tmp_path / "scienceqa")[1]
    assert second.id == f"{first.id}#2" and (first.fields["question_id"], second.fields["question_id"]) == ("1", "2")
