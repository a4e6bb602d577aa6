"""The mini benchmarks: official layouts, whole files, fair questions, nothing that training shows or says."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import json
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pyarrow import parquet

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.errors import ConfigError, DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.types import Image as ImagePart
from harness.types import Scored, Video
from harness.world import COLOURS, SHAPES, Box, Dice, combinations, split_of
from tasks.mini import EVAL_TEMPLATES, benchmark_of, write
from tasks.mini.draws import groups, options, relation, word_distance
from tasks.mini.mme import SUB_TASKS
from tasks.mini.refcoco import SPLITS
from tasks.mini.sizes import Size, shares
from tasks.mini.videobench import SETS

N = 110
FIRST = ("mme", "mmbench_en", "mathvista", "refcoco", "docvqa", "videobench", "pope")
"""The mini benchmarks tested here; those of short visual questions are in ``test_mini_vqa``."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mini")
    write(folder, FIRST, seed=3, n=N)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def opens(data: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image.size


def mme(root: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Sub-task to (picture, question, answer)."""
    return {
        name: [
            (path.stem, *line.split("\t"))  # type: ignore[misc]
            for path in sorted((root / "mme" / name).glob("*.txt"))
            for line in path.read_text().splitlines()
        ]
        for name in SUB_TASKS
    }


def pope(root: Path, sampling: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / "pope" / f"coco_pope_{sampling}.json").read_text().splitlines()]


def mmbench(root: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 30)
    with (root / "mmbench_en" / "mmbench_dev_20230712.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def mathvista(root: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(root / "mathvista" / "data" / "testmini-00000-of-00001.parquet").to_pylist()
    return rows


def refcoco(root: Path, split: str) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads((root / "refcoco" / f"{split}.json").read_text())
    return records


def docvqa(root: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((root / "docvqa" / "val_v1.0.json").read_text())
    return whole


def videobench(root: Path) -> dict[str, dict[str, Any]]:
    folder = root / "videobench" / "Eval_QA"
    return {one.name: json.loads((folder / f"{one.name}_QA_new.json").read_text()) for one in SETS}


def questions(root: Path) -> set[str]:
    """Every sentence that is asked, in any benchmark."""
    asked = {question for rows in mme(root).values() for _, question, _ in rows}
    asked |= {row["text"] for sampling in ("random", "popular", "adversarial") for row in pope(root, sampling)}
    asked |= {row["question"] for row in (*mmbench(root), *mathvista(root), *docvqa(root)["data"])}
    asked |= {row["question"] for rows in videobench(root).values() for row in rows.values()}
    return asked | {row["question"] for split in SPLITS for row in refcoco(root, split)}


# --- writing -------------------------------------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(root: Path, tmp_path: Path) -> None:
    write(tmp_path, ["mme", "pope", "docvqa", "videobench"], seed=3, n=N)
    for name in ("mme", "pope", "docvqa", "videobench"):
        assert digests(tmp_path / name) == digests(root / name)
    write(tmp_path, ["pope"], seed=4, n=N)
    assert digests(tmp_path / "pope") != digests(root / "pope")


DRAWN = {"mme": "ba465563e23c30ec", "mmbench_en": "5cc3306f7c4c1a52", "mathvista": "caa41ae387b2cde7", "pope": "69c757bbfef49dbd"}
"""What questions and answers (without pictures) of seed 0 and n 30 have been since version 2 (3 changed DocVQA only)."""


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_asked_stays_as_it_was(tmp_path: Path, name: str) -> None:
    """Whoever changes it raises the version of the mini benchmarks, because scores before and after do not compare."""
    write(tmp_path, [name], seed=0, n=30)
    asked = {
        "mme": lambda: sorted((kind, *row) for kind, rows in mme(tmp_path).items() for row in rows),
        "mmbench_en": lambda: [[value for key, value in row.items() if key != "image"] for row in mmbench(tmp_path)],
        "mathvista": lambda: [[row["query"], row["answer"]] for row in mathvista(tmp_path)],
        "pope": lambda: [pope(tmp_path, sampling) for sampling in ("random", "popular", "adversarial")],
    }[name]()
    assert hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16] == DRAWN[name]


def test_the_marker_says_how_it_was_made(root: Path) -> None:
    for name in FIRST:
        marker = json.loads((root / name / "mini.json").read_text())
        assert marker["benchmark"] == name and (marker["seed"], marker["n"]) == (3, N)


def test_a_mini_benchmark_made_alike_is_kept_and_another_one_replaced(tmp_path: Path) -> None:
    (folder,) = write(tmp_path, ["pope"], n=18)
    before = folder.stat().st_ino
    write(tmp_path, ["pope"], n=18)
    assert folder.stat().st_ino == before
    write(tmp_path, ["pope"], n=36)
    assert folder.stat().st_ino != before and len(list((folder / "val2014").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["pope"]


def test_a_folder_that_is_no_mini_benchmark_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mme").mkdir()
    (tmp_path / "mme" / "mine.txt").write_text("precious")
    with pytest.raises(DatasetError, match=r"mme: exists but is no mini benchmark"):
        write(tmp_path, ["mme"], n=12)
    assert (tmp_path / "mme" / "mine.txt").read_text() == "precious"


def test_nothing_appears_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tasks.mini.docvqa.encoded", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, ["docvqa"], n=4)
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_wrote_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.mini import pope as module

    original = module.write

    def slow(folder: Path, seed: int, size: Size) -> None:
        monkeypatch.setattr(module, "write", original)
        write(tmp_path, ["pope"], seed=seed, n=size.n)
        original(folder, seed, size)

    monkeypatch.setattr(module, "write", slow)
    (folder,) = write(tmp_path, ["pope"], n=18)
    assert [path.name for path in tmp_path.iterdir()] == ["pope"] and len(pope(tmp_path, "random")) == 6
    assert folder == tmp_path / "pope"


KILLED = """
import os, signal, sys
from pathlib import Path
from tasks.mini import pope, write
pope.write = lambda folder, seed, size: ((folder / "half.txt").write_text("half"), os.kill(os.getpid(), signal.SIGKILL))
write(Path(sys.argv[1]), ["pope"], n=18)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[2], check=False)
    (wreck,) = tmp_path.iterdir()
    assert ended.returncode == -signal.SIGKILL and wreck.name.startswith(".pope-") and (wreck / "new" / "half.txt").is_file()
    write(tmp_path, ["pope"], n=18)
    assert [path.name for path in tmp_path.iterdir()] == ["pope"]


def test_what_another_process_is_writing_is_spared(tmp_path: Path) -> None:
    import fcntl

    at_work, just_begun, old = tmp_path / ".pope-1", tmp_path / ".pope-2", tmp_path / ".pope-3"
    for folder in (at_work, just_begun, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    with (at_work / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(tmp_path, ["pope"], n=18)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".pope-1", ".pope-2", "pope"]


def test_tasks_of_one_file_lie_in_one_mini_benchmark(tmp_path: Path) -> None:
    assert {benchmark_of(split) for split in SPLITS} == {"refcoco"}
    assert [path.name for path in write(tmp_path, ["refcoco_val", "refcoco+_testA"], n=8)] == ["refcoco"]
    with pytest.raises(ConfigError, match=r"no mini version of 'nothing'"):
        write(tmp_path, ["nothing"])
    with pytest.raises(ConfigError, match="n=0"):
        write(tmp_path, ["mme"], n=0)


@pytest.mark.parametrize("n", [1, 7])
def test_few_questions_still_make_whole_benchmarks(tmp_path: Path, n: int) -> None:
    write(tmp_path, FIRST, n=n)
    assert all(rows for rows in mme(tmp_path).values()) and all(videobench(tmp_path).values())
    assert all(refcoco(tmp_path, split) for split in SPLITS) and len(mathvista(tmp_path)) == n


@pytest.mark.parametrize("each", [4, 5])
def test_each_gives_every_part_so_many_questions(tmp_path: Path, each: int) -> None:
    write(tmp_path, FIRST, each=each)
    parts = {
        "mme": Counter({name: len(rows) for name, rows in mme(tmp_path).items()}),
        "pope": Counter({sampling: len(pope(tmp_path, sampling)) for sampling in ("random", "popular", "adversarial")}),
        "mmbench_en": Counter(row["category"] for row in mmbench(tmp_path) if int(row["index"]) < 1_000_000),
        "mathvista": Counter(_kind(row["question"]) for row in mathvista(tmp_path)),
        "refcoco": Counter({split: len(refcoco(tmp_path, split)) for split in SPLITS}),
        "docvqa": Counter(row["question_types"][0] for row in docvqa(tmp_path)["data"]),
        "videobench": Counter({name: len(rows) for name, rows in videobench(tmp_path).items()}),
    }
    assert {name: len(counted) for name, counted in parts.items()} == {
        **{"mme": 6, "pope": 3, "mmbench_en": 6, "mathvista": 4, "refcoco": 8, "docvqa": 2, "videobench": 13}
    }
    for name, counted in parts.items():
        assert min(counted.values()) >= each, (name, counted)
        assert max(counted.values()) <= 2 * each + 2, (name, counted)


def _kind(question: str) -> str:
    return next(word for word in ("number is", "sum", "of the bars", "value of") if word in question)


def test_each_is_its_own_world_with_its_own_marker(tmp_path: Path) -> None:
    (folder,) = write(tmp_path, ["pope"], each=6)
    marker = json.loads((folder / "mini.json").read_text())
    assert marker["each"] == 6 and "n" not in marker
    first = folder.stat().st_ino
    write(tmp_path, ["pope"], each=6)
    assert folder.stat().st_ino == first
    write(tmp_path, ["pope"], n=18)
    assert folder.stat().st_ino != first
    with pytest.raises(ConfigError, match="each=0"):
        write(tmp_path, ["pope"], each=0)


# --- official layouts ----------------------------------------------------------------------------------------------------


def test_mme_has_a_picture_with_two_lines_in_every_sub_task_folder(root: Path) -> None:
    for name, rows in mme(root).items():
        pictures = {path.stem for path in (root / "mme" / name).glob("*.png")}
        assert pictures == {picture for picture, _, _ in rows}
        assert Counter(picture for picture, _, _ in rows) == dict.fromkeys(pictures, 2)
        assert all(question.endswith(" Please answer yes or no.") for _, question, _ in rows)
        assert all(opens((root / "mme" / name / f"{picture}.png").read_bytes()) for picture in pictures)


def test_mmbench_rotates_options_and_points_to_pictures(root: Path) -> None:
    rows = {int(row["index"]): row for row in mmbench(root)}
    first = {index: row for index, row in rows.items() if index < 1_000_000}
    assert len(first) == N
    assert tuple(rows[0]) == (
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
    for index, row in first.items():
        assert opens(base64.b64decode(row["image"], validate=True))
        texts = [row[letter] for letter in "ABCD" if row[letter]]
        right = row[row["answer"]]
        for k in range(1, len(texts)):
            rotated = rows[index + k * 1_000_000]
            assert [rotated[letter] for letter in "ABCD" if rotated[letter]] == texts[k:] + texts[:k]
            assert rotated[rotated["answer"]] == right and rotated["image"] == str(index)
        assert index + len(texts) * 1_000_000 not in rows
    assert {row["split"] for row in rows.values()} == {"dev"}
    assert len({row["D"] == "" for row in first.values()}) == 2


def test_mathvista_has_the_columns_and_queries_of_the_hugging_face_data_set(root: Path) -> None:
    rows = mathvista(root)
    assert [row["pid"] for row in rows] == [str(i) for i in range(1, N + 1)]
    for row in rows:
        assert opens(row["decoded_image"]["bytes"]) == (row["metadata"]["img_width"], row["metadata"]["img_height"])
        assert row["query"].startswith("Hint: Please answer the question ") and f"\nQuestion: {row['question']}" in row["query"]
        if row["question_type"] == "multi_choice":
            assert row["answer"] in row["choices"] and f"\nChoices:\n(A) {row['choices'][0]}\n(B) " in row["query"]
        else:
            assert row["choices"] is None and row["answer_type"] == "integer" and str(int(row["answer"])) == row["answer"]
    kinds = Counter(re.sub(r"the \w+ bar", "the bar", re.sub(r"labeled \w", "labeled", row["question"])) for row in rows)
    assert len(kinds) == 6 and min(kinds.values()) >= N / 11


def test_refcoco_has_eight_files_and_boxes_inside_their_pictures(root: Path) -> None:
    for split in SPLITS:
        for record in refcoco(root, split):
            width, height = opens((root / "refcoco" / record["image_path"]).read_bytes())
            assert record["question_id"] == f"height{height}_width{width}" and record["dataset_name"] == split
            x0, y0, x1, y1 = record["gt_answers"]
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert max(Counter(record["image_path"] for record in refcoco(root, "refcoco_val")).values()) > 1


def test_refcoco_splits_share_no_picture(root: Path) -> None:
    names = [{record["image_path"] for record in refcoco(root, split)} for split in SPLITS]
    assert sum(map(len, names)) == len(set().union(*names)) == len(list((root / "refcoco/data/coco/train2014").iterdir()))


def test_an_expression_is_asked_once_a_picture_and_refcoco_plus_names_no_place(root: Path) -> None:
    for split in SPLITS:
        asked = [(record["image_path"], record["question"]) for record in refcoco(root, split)]
        assert len(set(asked)) == len(asked)
        if split.startswith("refcoco+"):
            assert not any(re.search("left|right|top|bottom|above|below", question) for _, question in asked)


def test_docvqa_has_the_fields_of_val(root: Path) -> None:
    whole = docvqa(root)
    assert (whole["dataset_name"], whole["dataset_version"], whole["dataset_split"]) == ("docvqa", "1.0", "val")
    assert len(whole["data"]) == len({record["questionId"] for record in whole["data"]}) == N
    for record in whole["data"]:
        assert opens((root / "docvqa" / record["image"]).read_bytes()) == (96, 96)
        assert len(record["answers"]) == 1 and record["data_split"] == "val" and isinstance(record["docId"], int)
    assert {kind for record in whole["data"] for kind in record["question_types"]} == {"form", "table/list"}


def test_videobench_has_thirteen_sets_with_clips_of_eight_frames(root: Path) -> None:
    av = pytest.importorskip("av")
    answers = json.loads((root / "videobench" / "ANSWER.json").read_text())
    for one in SETS:
        records = videobench(root)[one.name]
        assert set(records) == set(answers[one.name])
        for key, record in records.items():
            assert answers[one.name][key]["answer"] in record["choices"] and len(record["choices"]) == one.options
            assert len(set(record["choices"].values())) == one.options
            path = root / "videobench" / record["vid_path"]
            assert path.is_relative_to(root / "videobench" / "Eval_video" / one.name) and path.suffix == f".{one.suffix}"
            assert isinstance(record["video_id"], int) == (one.name == "MSRVTT")
        with av.open(str(path)) as clip:
            frames = [frame.to_image() for frame in clip.decode(video=0)]
        assert len(frames) == 8 and {frame.size for frame in frames} == {(96, 96)}


def test_pope_asks_six_questions_in_turn_about_the_same_pictures_in_all_files(root: Path) -> None:
    files = [pope(root, sampling) for sampling in ("random", "popular", "adversarial")]
    for records in files:
        assert [record["question_id"] for record in records] == list(range(1, len(records) + 1))
        assert [record["label"] for record in records] == ["yes", "no"] * (len(records) // 2)
        assert set(Counter(record["image"] for record in records).values()) == {6}
        assert all(opens((root / "pope" / "val2014" / record["image"]).read_bytes()) for record in records)
    there = [[(r["image"], r["text"]) for r in records if r["label"] == "yes"] for records in files]
    assert there[0] == there[1] == there[2]
    absent = [[(r["image"], r["text"]) for r in records if r["label"] == "no"] for records in files]
    assert absent[0] != absent[1] != absent[2] and not set(there[0]) & set(absent[2])


def test_popes_adversarial_lures_resemble_what_is_there(root: Path) -> None:
    def likeness(sampling: str) -> int:
        there: dict[str, set[str]] = {}
        for record in pope(root, sampling):
            if record["label"] == "yes":
                there.setdefault(record["image"], set()).update(record["text"].split()[3:5])
        return sum(
            bool(there[record["image"]] & set(record["text"].split()[3:5]))
            for record in pope(root, sampling)
            if record["label"] == "no"
        )

    assert likeness("adversarial") > likeness("random")


# --- through the real benchmarks' own code ---------------------------------------------------------------------------------

TASKS = ("mme", "mmbench_en", "mathvista", *SPLITS, "docvqa", "videobench", "pope")


@pytest.mark.parametrize("name", TASKS)
def test_a_task_reads_its_mini_benchmark_with_media_and_gives_its_ideal_replies_full_marks(root: Path, name: str) -> None:
    task = find_task(name)
    layout, records = read_records(task, [root / benchmark_of(name)])
    samples = list(task.samples(records))
    assert layout == task.layouts[0] or name == "mathvista"
    assert samples and len({sample.id for sample in samples}) == len(samples)
    rows = []
    for sample in samples:
        media = [part.source.read() for part in sample.parts if isinstance(part, ImagePart | Video)]
        assert len(media) == 1 and sample.references, sample.id
        reply = task.ideal(sample)
        parsed = task.conventions["official"].parse(reply, sample)
        scores = task.conventions["official"].score(parsed, sample)
        assert not parsed.unparsed and next(iter(scores.values())) == 1.0, (sample.id, reply, scores)
        rows.append(
            Scored(sample_id=sample.id, cluster=sample.cluster, groups=sample.groups, reply=reply, parsed=parsed, scores=scores)
        )
    official = task.conventions["official"]
    values = {one.name: one.value for one in aggregate(Rows.of(rows), official.metrics)}
    assert values[official.primary] == (1200.0 if name == "mme" else 1.0)  # six sub-tasks, at most 200 each


# --- fair questions ------------------------------------------------------------------------------------------------------


def test_every_mme_question_is_as_often_true_as_false(root: Path, tmp_path: Path) -> None:
    write(tmp_path, ["mme"], seed=5, n=480)
    for name, rows in mme(tmp_path).items():
        balance: Counter[str] = Counter()
        for _, question, answer in rows:
            balance[question] += 1 if answer == "Yes" else -1
        if name != "position":  # there, a question and its opposite are asked of the same picture
            assert not any(balance.values())
        assert Counter(answer for _, _, answer in rows) == {"Yes": len(rows) // 2, "No": len(rows) // 2}


def test_popes_things_are_nearly_as_often_there_as_not(tmp_path: Path) -> None:
    write(tmp_path, ["pope"], seed=6, n=1800)
    for sampling in ("popular", "adversarial"):
        balance = Counter()
        for record in pope(tmp_path, sampling):
            balance[record["text"]] += 1 if record["label"] == "yes" else -1
        assert sum(map(abs, balance.values())) < 0.15 * 600


def test_letters_are_dealt_out_evenly(root: Path) -> None:
    letters = Counter(row["answer"] for row in mmbench(root) if int(row["index"]) < 1_000_000 and row["D"])
    assert max(letters.values()) - min(letters.values()) <= 1
    answers = json.loads((root / "videobench" / "ANSWER.json").read_text())
    for one in SETS:
        counted = Counter(answer["answer"] for answer in answers[one.name].values())
        assert max(counted.values()) - min(counted["ABCDEF"[i]] for i in range(one.options)) <= 1


def test_options_of_an_attribute_are_all_held_out(root: Path) -> None:
    """A colour that a shape has only in training would never be right, and so give the answer away."""
    for row in mmbench(root):
        if row["category"] == "attribute_recognition":
            named = next((shape for shape in SHAPES if f"the {shape} in" in row["question"]), None)
            colour = next((colour for colour in COLOURS if row["question"].endswith(f"is {colour}?")), None)
            texts = {row[letter] for letter in "ABCD" if row[letter]}
            assert texts == {c if named else s for s, c in combinations("eval") if named == s or colour == c}


def test_questions_name_only_held_out_pairs(root: Path) -> None:
    pairs = {f"{colour} {shape}" for shape, colour in combinations("train")}
    assert not [question for question in questions(root) for pair in pairs if pair in question]


def test_answers_of_pages_and_signs_are_eval_strings(root: Path) -> None:
    assert all(split_of(r["answers"][0]) == "eval" for r in docvqa(root)["data"] if r["question_types"] == ["form"])
    assert all(split_of(row[letter]) == "eval" for row in mmbench(root) if row["category"] == "ocr" for letter in "ABCD")


# --- wordings ------------------------------------------------------------------------------------------------------------


def pattern_of(template: str) -> str:
    return re.sub(r"\\\{\w*\\\}", "(.+)", re.escape(template))


def test_every_question_follows_a_listed_template(root: Path) -> None:
    patterns = [re.compile(pattern_of(template)) for templates in EVAL_TEMPLATES.values() for template in templates]
    assert [question for question in questions(root) if not any(pattern.fullmatch(question) for pattern in patterns)] == []


def bare(template: str) -> str:
    """A template without names of fields, instruction, case and end mark, so that near copies are found too."""
    text = re.sub(r"\{\w*\}", "{}", template).removesuffix(" Please answer yes or no.")
    return text.strip(" ?.").lower().replace("colour", "color")


needs_corpus = pytest.mark.skipif(
    importlib.util.find_spec("models.sphinx_x.corpus") is None or importlib.util.find_spec("models.sphinx_x.corpus.mini") is None,
    reason="the training corpus is not here",
)


@needs_corpus
def test_training_uses_none_of_the_templates() -> None:
    from models.sphinx_x.corpus.templates import TRAIN_TEMPLATES

    mine = {bare(t): kind for kind, templates in EVAL_TEMPLATES.items() if "refcoco" not in kind for t in templates}
    theirs = {bare(template): family for family, templates in TRAIN_TEMPLATES.items() for template in templates}
    assert {text: (kind, theirs[text]) for text, kind in mine.items() if text in theirs} == {}


@needs_corpus
def test_training_says_no_sentence_that_is_asked(root: Path) -> None:
    """Instructions apart, which say in which form to answer and are the benchmarks' own."""
    from models.sphinx_x.corpus.mini import LATE, converse, draw_training_world

    held_out = [f"{colour} {shape}" for shape, colour in combinations("eval")]
    region = "Please provide the bounding box coordinate of the region this sentence describes: "
    asked = {question.removesuffix(" Please answer yes or no.") for question in questions(root)}
    rng, said = random.Random(0), set()
    for number in range(120):
        for kind in ("scene", "page", "chart", "digits", "sign", "table", "clip"):
            for turn in converse(draw_training_world(kind, number, 0), rng, LATE, 12):
                assert not any(pair in f"{turn.question} {turn.answer}" for pair in held_out), turn
                said |= {
                    line.removesuffix(" Please answer yes or no.")
                    for line in turn.question.replace("Question: ", "").splitlines()
                }
                said |= {turn.question.removeprefix(region).removesuffix(".")} if turn.question.startswith(region) else set()
    assert asked & said == set()


# --- pieces --------------------------------------------------------------------------------------------------------------


def test_options_put_the_answer_in_its_turn_and_keep_all() -> None:
    for turn in range(8):
        mixed = options(Dice("test", turn, "eval"), "right", ["a", "b", "c"], turn)
        assert (
            mixed.texts[turn % 4] == "right" and mixed.letter == "ABCD"[turn % 4] and set(mixed.texts) == {"right", "a", "b", "c"}
        )


def test_groups_hold_no_two_equal_answers_and_prefer_near_ones() -> None:
    words = iter(f"{a}{b}" for _ in range(50) for a in "ABCD" for b in "XYZ")
    for group in groups(words, 3, 4, word_distance):
        assert len(set(group)) == 3 and len({word[0] for word in group} | {word[1] for word in group}) <= 4


@pytest.mark.parametrize(
    ("other", "side"),
    [(Box(40, 0, 50, 10), "left"), (Box(0, 40, 10, 50), "above"), (Box(12, 0, 22, 10), None), (Box(40, 40, 50, 50), None)],
)
def test_a_relation_is_named_only_where_it_is_plain(other: Box, side: str | None) -> None:
    assert relation(Box(0, 0, 10, 10), other) == side


def test_shares_are_exact() -> None:
    assert shares(200, (1,) * 13).count(16) == 5 and sum(shares(200, (1,) * 13)) == 200
    assert shares(3, (3, 2, 3, 2)) == [1, 1, 1, 0]
