"""MVBench: multiple choice about what one frame does not tell; twenty aspects of 200 questions about short clips.

Paper: Li et al., MVBench: A Comprehensive Multi-modal Video Understanding Benchmark, CVPR 2024, arXiv 2311.17005.
Data: Hugging Face OpenGVLab/MVBench: json/*.json with video/ (parts of clips by start and end, one aspect's clips as folders of
frames), or branch video: test.json, or the same JSON files, with clips that are cut already. VLMEvalKit's MVBench.tsv and
MVBench_MP4.tsv. Repeated questions were replaced in June 2024, after the paper.
Licence: MIT; the clips have licences of their own. Those of NTU RGB+D (Fine-grained Pose) must be asked for.
Official scorer: OpenGVLab/Ask-Anything video_chat2/mvbench.ipynb at 4dd8210: the first word of the reply against ``(b)``. An
empty reply counts as right there (its issue 227); such replies are marked unread, and wrong by the convention strict.
Differences: a missing answer is wrong in every convention, where VLMEvalKit counts it as right and lmms-eval leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.conventions import option_marks
from harness.data.clips import find_clip
from harness.data.options import present
from harness.data.sources import Row, layout, whole_json
from harness.data.steps import text_lists
from harness.fetch.sources import HubFiles, Offer
from harness.prompts import OPTION_LETTER, fill, letters
from harness.task import Card, Task
from harness.types import FramePlan, Generation, Record, Sample, Video

CLEVRER, PERCEPTION = ("clevrer/video_validation",), ("perception/videos",)
STAR = ("star/Charades_v1_480", "star/Charades_segment")
ASPECTS = {
    "action_sequence": ("AS", *STAR),
    "action_prediction": ("AP", *STAR),
    "action_antonym": ("AA", "ssv2_video", "ssv2_video_mp4"),
    "fine_grained_action": ("FA", "Moments_in_Time_Raw/videos"),
    "unexpected_action": ("UA", "FunQA_test/test"),
    "object_existence": ("OE", *CLEVRER),
    "object_interaction": ("OI", *STAR),
    "object_shuffle": ("OS", *PERCEPTION),
    "moving_direction": ("MD", *CLEVRER),
    "action_localization": ("AL", "sta/sta_video", "sta/sta_video_segment"),
    "scene_transition": ("ST", "scene_qa/video"),
    "action_count": ("AC", *PERCEPTION),
    "moving_count": ("MC", *CLEVRER),
    "moving_attribute": ("MA", *CLEVRER),
    "state_change": ("SC", *PERCEPTION),
    "fine_grained_pose": ("FP", "nturgbd", "nturgbd_convert"),
    "character_order": ("CO", *PERCEPTION),
    "egocentric_navigation": ("EN", "vlnqa"),
    "episodic_reasoning": ("ER", "tvqa/frames_fps3_hq", "tvqa/video_fps3_hq_segment"),
    "counterfactual_inference": ("CI", *CLEVRER),
}
"""The aspects by the names of their files: their codes in papers, and where their clips lie on the branches main and video."""

FRAMES = FramePlan(count=16)
TVQA_RATE = 3.0
"""Frames per second of the folders of frames."""

SYSTEM = (
    "Carefully watch the video and pay attention to the cause and sequence of events, the detail and movement of objects, and "
    "the action and pose of persons. Based on your observations, select the best option that accurately addresses the question.\n"
)
PROMPT = SYSTEM + "Question: {question}\nOptions:\n{options}\nOnly give the best option.\nBest option:("
TERMS = "log in to the hub and accept the terms of OpenGVLab/MVBench"
SOURCE = Offer(
    layout="official",
    parts=(
        HubFiles(repo="OpenGVLab/MVBench", files=("json/*.json",)),
        HubFiles(repo="OpenGVLab/MVBench", files=("video/*.zip",), unpack="video"),
    ),
    terms=TERMS,
    note="without the clips of Fine-grained Pose (NTU RGB+D), which its authors give on request",
)
LMMS_PROMPT = "Question:{question}\nOption:\n{options}\n" + OPTION_LETTER


def aspect_of(row: Row, root: Path) -> Row | list[Row]:
    """The aspect is named by the row, the file or its folder; rows of no aspect are left out."""
    named = (row.get("task_type") or "", row.file.name.split(".")[0], *(one.name for one in row.file.parents))
    plain = (str(name).lower().replace(" ", "_").replace("-", "_") for name in named)
    aspect = next((name for name in plain if name in ASPECTS), None)
    return row.but(aspect=aspect) if aspect else []


def with_clip(row: Row, root: Path) -> Row:
    """Find the clip; what is cut already has no start and end any more."""
    main, *cut = ASPECTS[row["aspect"]][1:]
    given = [row["prefix"].strip("/")] if row.get("prefix") else []
    folders = [*given, *(f"{top}{own}" for own in (main, *cut) for top in ("video/", "", "video/data0613/", "data0613/"))]
    clip, at = find_clip(root, folders, row["video"], row.where, TVQA_RATE)
    whole = any(at.endswith(one) for one in cut) or not present(row.get("start"))
    part = (None, None) if whole else (float(row["start"]), float(row["end"]))
    return row.but(clip=clip, part=part)


def branch_video(path: Path) -> Iterator[Row]:
    """Read test.json of the branch video: the questions by aspect, and the folder of each."""
    whole = whole_json(path)
    for kind, items in whole["meta"].items():
        for number, item in enumerate(items):
            yield Row({**item, "task_type": kind, "prefix": whole["root"][kind]}, f"{path} {kind} {number}")


PLACE = {"place": lambda record: record["aspect"]}
LAYOUTS = (
    layout("official", "json/*.json|*_*.json", steps=(aspect_of, with_clip), repeats=PLACE),
    layout("official_video", "test.json", steps=(aspect_of, with_clip), repeats=PLACE, reader=branch_video),
    layout(
        "vlmevalkit_tsv", "MVBench.tsv|MVBench_MP4.tsv", steps=(aspect_of, text_lists("candidates"), with_clip), repeats=PLACE
    ),
    layout("hf_parquet", "**/*.parquet", steps=(aspect_of, with_clip), repeats=PLACE),
)


def to_sample(record: Record) -> Sample:
    """Map a question; the right letter is that of the last candidate with the answer's text, as in the authors' code."""
    options = tuple(map(str, record["candidates"]))
    right = len(options) - 1 - options[::-1].index(str(record["answer"]))
    start, end = record["part"]
    return Sample(
        id=f"{record['aspect']}/{record['place']}",
        parts=(Video(record["clip"], FramePlan(FRAMES.count, FRAMES.kind, start, end)),),
        question=record["question"],
        options=options,
        references=(letters(options)[right],),
        cluster=record["video"],
        groups={"aspect": ASPECTS[record["aspect"]][0], "task": record["aspect"]},
        fields={"index": str(record.get("index", ""))},
    )


TASKS = (
    Task(
        name="mvbench",
        card=Card.of(__doc__, split="test, 20 aspects", n=4000),
        layouts=LAYOUTS,
        sources=(SOURCE,),
        to_sample=to_sample,
        prompt=fill(PROMPT, option="({letter}) {text}"),
        prompts={
            "lmms_eval": fill(LMMS_PROMPT, option="({letter}) {text}"),
            "letter": fill("{question}\n{options}\n" + OPTION_LETTER),
        },
        conventions=option_marks("aspect"),
        ideal=lambda sample: f"{sample.references[0]})",
        choices=lambda sample: letters(sample.options),
        generation=Generation(max_new_tokens=32),
        frames=FRAMES,
        needs=frozenset({"video"}),
        aligned_by="task",
    ),
)
