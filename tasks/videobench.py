"""Video-Bench: multiple choice about clips; thirteen data sets on three levels: seeing, prior knowledge, decisions.

Paper: Ning et al., Video-Bench: A Comprehensive Benchmark and Toolkit for Video-LLMs, arXiv 2311.16103.
Data: PKU-YuanGroup/Video-Bench@8b2101d Eval_QA/*_QA_new.json, 17,036 questions; clips at Hugging Face LanguageBind/Video-Bench;
the letters in the leaderboard's ANSWER.json (ask the authors; MOT_QA.json holds MOT's own).
Licence: Apache-2.0.
Official scorer: leaderboard space LanguageBind/Video-Bench src/compute.py, after GPT-3.5 has mapped replies to letters and
Step3_merge_into_one_json.py has merged them. It divides by what was submitted, weighs MOT and Driving-exam half, and takes the
mean of the three levels. The plain mean of the thirteen is what papers print.
Differences: letters are read by rule unless the merged file gives them; all averages are given over submitted and all questions.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.conventions import STRICT
from harness.data.sources import Row, layout, whole_json
from harness.data.steps import from_file_name, media
from harness.errors import DatasetError
from harness.fetch.sources import HubFiles, Offer, on_github
from harness.metrics.choice import correct
from harness.metrics.levels import level_metrics
from harness.parsers.choice import letter_alone, letter_then_text
from harness.parsers.letter import one_option
from harness.prompts import letters, option_lines
from harness.task import Card, Convention, Task
from harness.types import FramePlan, Generation, Record, Sample, Video

SEEING = ("ActivityNet", "MSVD", "MSRVTT", "TGIF", "Youcook2", "Ucfcrime")
LEVELS = {
    "Video-Exclusive": {**dict.fromkeys(SEEING, 1.0), "MOT": 0.5},
    "Prior-Knowledge QA": {"TVQA": 1.0, "MV": 1.0, "NBA": 1.0},
    "Decision-Making": {"Driving-exam": 0.5, "Driving-decision-making": 1.0, "SQA3D": 1.0},
}
"""The leaderboard's levels, their data sets and the weight of each within its level."""

LEVEL_OF = {name: level for level, weights in LEVELS.items() for name in weights}
SOURCE = Offer(
    layout="official",
    parts=(
        *on_github(
            "PKU-YuanGroup/Video-Bench",
            "8b2101d1f80370121c754caefa3f1cf8b6b979ca",
            *(f"Eval_QA/{name}_QA_new.json" for name in LEVEL_OF),
            below="Eval_QA",
        ),
        HubFiles(repo="LanguageBind/Video-Bench", files=("*.zip",), unpack="Eval_video"),
    ),
    note="without ANSWER.json, which is not public: scoring needs it (ask the authors); the clips are 56 GB, in archives "
    "whose layout was not seen",
)
FRAMES = FramePlan(count=8)
WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


def with_answer(row: Row, root: Path) -> Row:
    """The letter stands in ``ANSWER.json``, beside the questions or a folder above, or with the question."""
    key = next((file for file in (folder / "ANSWER.json" for folder in list(row.file.parents)[:2]) if file.exists()), None)
    known = whole_json(key).get(row["dataset"], {}) if key else {}
    answer = known.get(row["key"], row.get("answer"))
    if answer is None:
        raise DatasetError(f"{row.where}: no answer in {key or 'ANSWER.json, which is not there'}; scoring needs the letters")
    return row.but(answer=answer["answer"] if isinstance(answer, dict) else answer)


STEPS = (from_file_name("dataset", "(.+)_QA_new"), with_answer, media("clip", "vid_path"))


def to_sample(record: Record) -> Sample:
    """Map a question with its answer; questions about a clip are its cluster."""
    dataset = record["dataset"]
    return Sample(
        id=f"{dataset}/{record['key']}",
        parts=(Video(record["clip"], FRAMES),),
        question=record["question"],
        options=tuple(str(text) for text in record["choices"].values()),
        references=(record["answer"],),
        cluster=record["vid_path"],
        groups={"dataset": dataset, "level": LEVEL_OF.get(dataset, "")},
        fields={"question_id": record["key"], "video_id": str(record["video_id"])},
    )


def prompt(sample: Sample) -> str:
    """The README's form: the six-option one has a word more, and one option is not offered at all."""
    if len(sample.options) not in WORDS:
        return sample.question
    own, listed = letters(sample.options), option_lines(sample.options, "{letter}.{text}", between=" ")
    opening = "Choices: " if len(own) == 6 else " "
    closing = f"Among the {WORDS[len(own)]} options {', '.join(own)} above, the one closest to the correct answer is:"
    return f"{sample.question}{opening}{listed} \n {closing}"


OFFICIAL = Convention(
    parse=letter_then_text,
    score=correct,
    metrics=level_metrics("correct", by="dataset", levels=LEVELS),
    primary="avg_all",
    extracted=letter_alone,
    note="Averages over submitted questions, as the leaderboard; those ending in _over_all count missing ones wrong.",
)

TASKS = (
    Task(
        name="videobench",
        card=Card.of(__doc__, split="test, 13 data sets", n=17036),
        layouts=(layout("official", "Eval_QA/*_QA_new.json", beside=("ANSWER.json|Eval_QA/ANSWER.json",), steps=STEPS),),
        sources=(SOURCE,),
        to_sample=to_sample,
        prompt=prompt,
        conventions={
            "official": OFFICIAL,
            "paper": replace(OFFICIAL, primary="paper_avg", note="The plain mean of the thirteen sets, as papers print it."),
            "strict": replace(OFFICIAL, parse=one_option, note=STRICT),
        },
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        frames=FRAMES,
        generation=Generation(max_new_tokens=16),
        needs=frozenset({"video"}),
    ),
)
