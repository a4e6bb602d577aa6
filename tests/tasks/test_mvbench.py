"""MVBench: clips and their parts from every layout, the rules on odd replies, files of replies, and the mini version."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog import find_task
from harness.cli import main
from harness.data.frame_folder import FrameFolder
from harness.data.sources import read_records
from harness.data.video import read_frames
from harness.errors import ConfigError, DatasetError
from harness.metrics.aggregate import Rows, aggregate
from harness.plan import Settings, Source, plan
from harness.replies import score_replies
from harness.run import run_folder
from harness.scoring import score_reply
from harness.types import FileSource, FramePlan, Sample, Video
from models.constant import Constant
from tasks.mini import write
from tasks.mini.mvbench import ASPECTS as MINI
from tasks.mvbench import ASPECTS

TASK = find_task("mvbench")
ITEM: dict[str, Any] = {"video": "a.mp4", "question": "What?", "candidates": ["on", "off", "on"], "answer": "off"}


def put(root: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            (root / name).mkdir()
        else:
            (root / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def samples(root: Path) -> list[Sample]:
    return list(TASK.samples(read_records(TASK, [root])[1]))


def clip(sample: Sample) -> Video:
    (part,) = sample.parts
    assert isinstance(part, Video)
    return part


def test_parts_of_clips_become_plans_and_folders_of_frames_clips(tmp_path: Path) -> None:
    part = {"start": 1.5, "end": 4}
    files = {
        "json/action_sequence.json": [ITEM | part, ITEM | part],
        "json/action_antonym.json": [ITEM | {"video": "1.webm"}],
        "json/episodic_reasoning.json": [ITEM | part | {"video": "castle_00"}],
        "json/upload_leaderboard.json": [{"AS": 40}],
        "video/tvqa/frames_fps3_hq/castle_00": None,
        "video/data0613/star/Charades_v1_480/a.mp4": "clip",
    }
    first, second, antonym, framed = sorted(
        samples(put(tmp_path, files)), key=lambda one: list(ASPECTS).index(one.groups["task"])
    )
    assert clip(first).frames == FramePlan(count=16, start_s=1.5, end_s=4.0) and clip(antonym).frames == FramePlan(count=16)
    assert clip(first).source == FileSource(tmp_path / "video/data0613/star/Charades_v1_480/a.mp4")
    assert clip(antonym).source == FileSource(tmp_path / "video/ssv2_video/1.webm"), "scored without clips"
    assert clip(framed).source == FrameFolder(tmp_path / "video/tvqa/frames_fps3_hq/castle_00", 3.0)
    assert (first.id, second.id, first.references, first.groups["aspect"]) == (
        "action_sequence/0",
        "action_sequence/1",
        ("B",),
        "AS",
    )
    assert first.cluster == second.cluster


CUT = "star/Charades_segment/a.mp4"
AS_TABLE = (
    "index\ttask_type\tprefix\tdata_type\tbound\tstart\tend\tvideo\tquestion\tanswer\tcandidates\n"
    "7\tAction Sequence\tvideo/star/Charades_v1_480/\tvideo\tTrue\t1.5\t4\ta.mp4\tWhat?\toff\t['on', 'off', 'on']\n"
)


@pytest.mark.parametrize(
    ("files", "source", "frames"),
    [
        ({"json/action_sequence.json": [ITEM | {"start": 1, "end": 2}], CUT: ""}, CUT, FramePlan(count=16)),
        ({"test.json": {"root": {"Action Sequence": "video/star/Charades_segment/"}, "meta": {"Action Sequence": [ITEM]}}},
         f"video/{CUT}", FramePlan(count=16)),
        ({"MVBench.tsv": AS_TABLE}, "video/star/Charades_v1_480/a.mp4", FramePlan(count=16, start_s=1.5, end_s=4.0)),
        ({"MVBench_MP4.tsv": "index\ttask_type\tprefix\tvideo\tquestion\tanswer\tcandidates\n"
          "7\tAction Sequence\tstar/Charades_segment\ta.mp4\tWhat?\toff\t['on', 'off', 'on']\n"}, CUT, FramePlan(count=16)),
    ],
)  # fmt: skip
def test_every_layout_gives_the_same_question(tmp_path: Path, files: dict[str, Any], source: str, frames: FramePlan) -> None:
    (sample,) = samples(put(tmp_path, files))
    assert (sample.id, sample.question, sample.options, sample.references) == (
        "action_sequence/0", "What?", ("on", "off", "on"), ("B",),
    )  # fmt: skip
    assert clip(sample) == Video(FileSource(tmp_path / source), frames)


def test_parquet_names_the_aspect_by_its_folder(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "action_sequence").mkdir()
    parquet.write_table(pa.Table.from_pylist([ITEM | {"start": 1.5, "end": 4.0}]), tmp_path / "action_sequence/train-0.parquet")
    (sample,) = samples(tmp_path)
    assert sample.id == "action_sequence/0" and clip(sample).frames == FramePlan(count=16, start_s=1.5, end_s=4.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video": "../../../../secret.mp4"}, "does not lie below"),
        ({"answer": "neither"}, "does not fit the benchmark"),
        ({"start": "soon", "end": 2}, "could not convert"),
        ({"candidates": []}, "does not fit the benchmark"),
    ],
)
def test_a_record_that_does_not_fit_is_an_error_that_names_it(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError, match=f"action_sequence.json record 0.*{message}"):
        samples(put(tmp_path, {"json/action_sequence.json": [ITEM | change]}))


OPTIONS = Sample(id="s", options=("on", "off", "neither", "both"), references=("B",))


@pytest.mark.parametrize(
    ("reply", "official", "strict", "vlmevalkit", "lmms_eval"),
    [
        ("B", 1, 1, 1, 1), ("(B) off", 1, 1, 1, 1), ("b.", 1, 1, 1, 1), ("", 1, 0, 1, 0), ("(", 0, 0, 1, 0), (")", 0, 0, 1, 0),
        ("off", 0, 1, 0, 0), ("The answer is B.", 0, 1, 0, 1), ("**B**", 0, 1, 0, 1), ("A thing: B", 0, 0, 0, 0),
        ("Failed to obtain answer via API.", 0, 0, 1, 0),
    ],
)  # fmt: skip
def test_conventions_differ_as_they_are_known_to(reply: str, official: int, strict: int, vlmevalkit: int, lmms_eval: int) -> None:
    got = {}
    for name, convention in TASK.conventions.items():
        row = score_reply(convention, OPTIONS, reply)
        (value, *_) = aggregate(Rows.of([row]), convention.metrics[:1])
        got[name] = 0.0 if np.isnan(value.value) else value.value
    assert got == {"official": official, "strict": strict, "vlmevalkit": vlmevalkit, "lmms_eval": lmms_eval}


@given(st.text(max_size=30) | st.sampled_from("ABCD()., ").map(str) | st.text("ABCDabcd().: \n", max_size=12))
def test_any_reply_is_scored_and_the_official_rule_is_the_notebooks(reply: str) -> None:
    word = ("(" + reply.strip().split("\n")[0]).lower().split(" ")[0]
    for convention in TASK.conventions.values():
        row = score_reply(convention, OPTIONS, reply)
        assert row.failed is None and set(row.scores.values()) <= {0.0, 1.0}
    right = word.replace(".", "") in "(b)" or "(b)" in word
    assert score_reply(TASK.conventions["official"], OPTIONS, reply).scores["correct"] == right


def test_no_reply_earns_nothing_in_any_convention() -> None:
    for convention in TASK.conventions.values():
        (value, *_) = aggregate(Rows.of([score_reply(convention, OPTIONS, None, missing=True)]), convention.metrics[:1])
        assert value.value == 0.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av")
    folder = tmp_path_factory.mktemp("mini_mvbench")
    write(folder, ["mvbench"], seed=3, n=60)
    return folder / "mvbench"


def test_prompts_have_the_authors_and_lmms_evals_form() -> None:
    assert TASK.prompt(OPTIONS).endswith(
        "Question: \nOptions:\n(A) on\n(B) off\n(C) neither\n(D) both\nOnly give the best option.\nBest option:("
    )
    assert TASK.prompts["lmms_eval"](OPTIONS).startswith("Question:\nOption:\n(A) on\n")


def test_mini_has_every_aspect_and_container_and_fair_letters(root: Path, tmp_path: Path) -> None:
    found = samples(root)
    assert set(MINI) == set(ASPECTS) and all(ASPECTS[name][1] == place for name, (_, place, _) in MINI.items())
    assert Counter(one.groups["task"] for one in found) == dict.fromkeys(ASPECTS, 3)
    assert {Path(clip(one).source.label).suffix for one in found} == {".mp4", ".webm", ".avi", ""}
    assert {one.groups["aspect"] for one in found if clip(one).frames.start_s is not None} == {"AS", "AP", "OI", "AL", "ER"}
    write(tmp_path, ["mvbench"], seed=3, n=60)

    def digest(folder: Path) -> str:
        return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())).hexdigest()

    assert digest(tmp_path / "mvbench") == digest(root)
    write(tmp_path / "few", ["mvbench"], n=1)
    assert len(samples(tmp_path / "few" / "mvbench")) == 20


def test_the_part_of_a_mini_clip_shows_the_movement_that_is_asked(root: Path) -> None:
    asked = [
        one
        for one in samples(root)
        if one.groups["aspect"] in ("AS", "AL", "ER", "AA", "FA", "MD") and "go during" in one.question
    ]
    assert len(asked) >= 12
    for sample in asked:
        frames = [np.asarray(picture).astype(int) for picture in read_frames(clip(sample).source, clip(sample).frames)]
        changed = [np.abs(one - frames[0]).sum(axis=2) > 120 for one in (frames[len(frames) // 2], frames[-1])]
        (first_y, first_x), (last_y, last_x) = (np.argwhere(one & ~other).mean(axis=0) for one, other in (changed, changed[::-1]))
        moved = {"left": first_x - last_x, "right": last_x - first_x, "up": first_y - last_y, "down": last_y - first_y}
        assert sample.options["ABCD".index(sample.references[0])] == max(moved, key=lambda name: moved[name]), sample.id


def test_a_run_may_choose_other_frames_of_the_same_part(root: Path) -> None:
    source, middle = Source.find(TASK, [root]), Settings(frames={"count": 1, "kind": "middle"})
    usual, chosen = (
        next(one for one in plan(source, settings, "m") if one.sample.id == "action_sequence/0")
        for settings in (Settings(), middle)
    )
    assert usual.request.key != chosen.request.key
    frames = {one.parts[0]["frames"]["count"]: one.parts[0]["frames"] for one in (usual, chosen)}
    assert frames[1] == {**frames[16], "count": 1, "kind": "middle"} and frames[1]["start_s"] is not None
    folders = {run_folder(TASK, Constant(), "data", settings) for settings in (Settings(), Settings(frames={}), middle)}
    assert len(folders) == 2
    with pytest.raises(ConfigError, match=r"frames\.start_s \(known: count, kind, per_second\); frames\.count=0"):
        Settings(frames={"start_s": 1, "count": 0})


def vlmevalkit(found: Iterable[Sample], folder: Path) -> Path:
    rows = ["index\ttask_type\tvideo\tquestion\tcandidates\tanswer\tprediction"]
    for number, one in enumerate(found):
        task = one.groups["task"].replace("_", " ").title()
        right = one.options["ABCDE".index(one.references[0])]
        rows.append(f"{number}\t{task}\t{one.cluster}\t{one.question}\t{list(one.options)}\t{right}\t({one.references[0]}) x")
    (folder / "model_MVBench.tsv").write_text("\n".join(rows))
    return folder / "model_MVBench.tsv"


def lmms_eval(found: Iterable[Sample], folder: Path) -> Path:
    counts: Counter[str] = Counter()
    for one in found:
        name = one.groups["task"]
        doc = {"video": one.cluster, "question": one.question, "candidates": list(one.options)}
        row = {"doc_id": counts[name], "doc": doc, "resps": [[f"{one.references[0]}."]]}
        with (folder / f"samples_mvbench_{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        counts[name] += 1
    return folder


def in_order(found: Iterable[Sample], folder: Path) -> Path:
    replies: dict[str, list[str]] = {}
    for one in found:
        replies.setdefault(one.groups["task"], []).append(f"({one.references[0]})")
    for name, own in replies.items():
        (folder / f"{name}.json").write_text(json.dumps(own))
    return folder


def by_id(found: Iterable[Sample], folder: Path) -> Path:
    (folder / "replies.json").write_text(json.dumps({one.id: one.references[0] for one in found}))
    return folder / "replies.json"


@pytest.mark.parametrize("writer", [vlmevalkit, lmms_eval, in_order, by_id])
def test_files_of_replies_find_their_questions(root: Path, tmp_path: Path, writer: Any) -> None:
    (tmp_path / "replies").mkdir()
    predictions = writer(samples(root), tmp_path / "replies")
    result = score_replies(TASK, [root], [predictions], runs=tmp_path / "runs")
    assert (result.n, result.missing, result.metric().value) == (60, 0, 1.0)


@pytest.mark.slow
def test_both_run_from_files_to_scores_and_clips_are_decoded_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data import video

    threads = set()
    plain = video.read_frames

    def noted(*arguments: Any) -> Any:
        threads.add(threading.current_thread().name)
        return plain(*arguments)

    monkeypatch.setattr(video, "read_frames", noted)
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=nano", "suite=video_mini", "mini.n=20", *places]) == 0
    assert threads and all(name.startswith("ahead") for name in threads)


def no_pictures(path: Path) -> None:
    """Put a clip of sound alone in the place of a clip."""
    import av

    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


DAMAGE: dict[str, tuple[Any, str]] = {
    "action_sequence_0000.mp4": (lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]), "cut short"),
    "action_antonym_0000.webm": (lambda path: path.write_bytes(b""), "not a readable clip"),
    "action_count_0000.mp4": (no_pictures, "no video in it"),
    "unexpected_action_0000.mp4": (lambda path: path.unlink(), "No such file"),
    "episodic_reasoning_0000": (lambda path: (path / "00012.jpg").unlink(), "1 frames are missing, first number 12"),
}


@pytest.mark.slow
def test_a_broken_clip_fails_its_sample_alone_and_says_why(tmp_path: Path) -> None:
    pytest.importorskip("av")
    write(tmp_path, ["mvbench"], n=20)
    for name, (damage, _) in DAMAGE.items():
        damage(next((tmp_path / "mvbench" / "video").rglob(name)))
    questions = json.loads((tmp_path / "mvbench/json/action_localization.json").read_text())
    (tmp_path / "mvbench/json/action_localization.json").write_text(json.dumps([questions[0] | {"start": 50, "end": 60}]))
    assert (
        main(
            ["eval", "model=nano", "task=mvbench", f"data={tmp_path / 'mvbench'}", f"runs={tmp_path / 'runs'}", "max_failures=1"]
        )
        == 0
    )
    (scores,) = (tmp_path / "runs").rglob("scores.parquet")
    from pyarrow import parquet

    failed = {row["sample_id"].split("/")[0]: row["failed"] for row in parquet.read_table(scores).to_pylist() if row["failed"]}
    expected = {name.rsplit("_", 1)[0]: reason for name, (_, reason) in DAMAGE.items()} | {
        "action_localization": "lies beyond the clip"
    }
    assert set(failed) == set(expected)
    assert {
        name for name, reason in expected.items() if reason not in failed[name] or not failed[name].startswith("media")
    } == set()
