"""Video-Bench: multiple choice about clips; thirteen data sets on three levels: seeing, prior knowledge, decisions.

Paper: Ning et al., Video-Bench: A Comprehensive Benchmark and Toolkit for Video-LLMs, arXiv 2311.16103.
Data: PKU-YuanGroup/Video-Bench@8b2101d Eval_QA/*_QA_new.json, 17,036 questions; clips at Hugging Face LanguageBind/Video-Bench;
the letters in the leaderboard's ANSWER.json (ask the authors; MOT_QA.json holds MOT's own). Licence: Apache-2.0.
Official scorer: GPT-3.5 maps a reply to a letter, Step3_merge_into_one_json.py merges the letters, and the leaderboard (space
LanguageBind/Video-Bench, src/compute.py) divides by what was submitted, weighs MOT and Driving-exam half, and takes the mean of
the three levels. The plain mean of the thirteen is what papers print.
Differences: letters are read by rule unless the merged file gives them; all averages are given over submitted and all questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.sources import Row, layout, media_below, read_json, whole_json
from harness.errors import DatasetError
from harness.metrics.aggregate import Estimator, Metric, Rows, combine, mean
from harness.metrics.choice import correct
from harness.parsers.choice import letter_alone, letter_then_text
from harness.prompts import letters
from harness.task import Card, Convention, Task
from harness.types import FramePlan, Generation, Record, Sample, Video

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LEVELS = {
    "Video-Exclusive": {
        "ActivityNet": 1.0,
        "MSVD": 1.0,
        "MSRVTT": 1.0,
        "TGIF": 1.0,
        "Youcook2": 1.0,
        "Ucfcrime": 1.0,
        "MOT": 0.5,
    },
    "Prior-Knowledge QA": {"TVQA": 1.0, "MV": 1.0, "NBA": 1.0},
    "Decision-Making": {"Driving-exam": 0.5, "Driving-decision-making": 1.0, "SQA3D": 1.0},
}
"""The leaderboard's levels, their data sets and the weight of each within its level."""

LEVEL_OF = {name: level for level, weights in LEVELS.items() for name in weights}
FRAMES = FramePlan(count=8)
WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
ANSWERS = "ANSWER.json"
_SUFFIX = "_QA_new.json"


def prompt(sample: Sample) -> str:
    """The README's form: the six-option one has a word more, and one option is not offered at all."""
    if len(sample.options) not in WORDS:
        return sample.question
    own = letters(sample.options)
    listed = " ".join(f"{letter}.{text}" for letter, text in zip(own, sample.options, strict=True))
    opening = "Choices: " if len(own) == 6 else " "
    closing = f"Among the {WORDS[len(own)]} options {', '.join(own)} above, the one closest to the correct answer is:"
    return f"{sample.question}{opening}{listed} \n {closing}"


def read_set(path: Path) -> Iterator[Row]:
    """One set's questions with their answers; ``ANSWER.json`` lies beside them or a folder above."""
    name = path.name.removesuffix(".gz")
    if name == ANSWERS:
        return
    found = next((file for file in (path.parent / ANSWERS, path.parent.parent / ANSWERS) if file.exists()), None)
    dataset = name.removesuffix(_SUFFIX)
    answers = whole_json(found).get(dataset, {}) if found else {}
    for row in read_json(path):
        answer = answers.get(row["key"], row.get("answer"))
        if answer is None:
            raise DatasetError(
                f"{row.where}: no answer in {found or ANSWERS + ', which is not there'}; the letters are needed to score"
            )
        yield row.but(dataset=dataset, answer=answer["answer"] if isinstance(answer, dict) else answer)


def with_clip(row: Row, root: Path) -> Row:
    """Clips lie in ``Eval_video/`` below the data folder."""
    return row.but(clip=media_below(root.parent if root.name == "Eval_QA" else root, row["vid_path"], row.where))


def to_sample(record: Record) -> Sample:
    """Map a question with its answer."""
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


Where = Callable[[str], Callable[[Rows], "npt.NDArray[np.bool_]"]]


def submitted(dataset: str) -> Callable[[Rows], npt.NDArray[np.bool_]]:
    """The leaderboard counts what was submitted: neither missing from the replies nor failed."""
    return lambda rows: everything(dataset)(rows) & ~rows.flags["missing"] & ~rows.flags["failed"]


def everything(dataset: str) -> Callable[[Rows], npt.NDArray[np.bool_]]:
    """All questions of a set."""
    return lambda rows: rows.group("dataset") == dataset


def averages(where: Where, ending: str) -> Iterator[Metric]:
    """The leaderboard's four columns, the papers' plain mean, and the thirteen accuracies, over the rows that ``where`` keeps."""
    sets = {name: mean("correct", where(name)) for name in LEVEL_OF}
    levels: dict[str, Estimator] = {}
    for level, weights in LEVELS.items():
        levels[level] = combine([(weight / sum(weights.values()), sets[name]) for name, weight in weights.items()])
    yield Metric(name=f"avg_all{ending}", estimator=combine([(1 / 3, estimator) for estimator in levels.values()]))
    yield Metric(name=f"paper_avg{ending}", estimator=combine([(1 / 13, estimator) for estimator in sets.values()]))
    for level, estimator in levels.items():
        yield Metric(name=f"avg{ending}/{level}", estimator=estimator)
    for name, estimator in sets.items():
        yield Metric(name=f"accuracy{ending}/{name}", estimator=estimator)


TASKS = (
    Task(
        name="videobench",
        card=Card(
            title="Video-Bench",
            asks="A question about a clip, two to six options; the letter.",
            split="test, 13 data sets",
            n=17036,
            paper="arXiv 2311.16103",
            data="PKU-YuanGroup/Video-Bench@8b2101d Eval_QA; Hugging Face LanguageBind/Video-Bench; ANSWER.json",
            scorer="leaderboard space LanguageBind/Video-Bench src/compute.py, after Step3_merge_into_one_json.py",
            licence="Apache-2.0",
            differences="Letters are read by rule, not by GPT-3.5; averages over submitted and over all questions.",
        ),
        layouts=(layout("official", f"Eval_QA/*{_SUFFIX}", f"{ANSWERS}|Eval_QA/{ANSWERS}", reader=read_set, adapt=with_clip),),
        to_sample=to_sample,
        prompt=prompt,
        conventions={
            "official": Convention(
                parse=letter_then_text,
                score=correct,
                metrics=(*averages(submitted, ""), *averages(everything, "_over_all")),
                primary="avg_all",
                extracted=letter_alone,
                note="Averages over submitted questions, as the leaderboard; those ending in _over_all count missing ones wrong.",
            ),
        },
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: letters(sample.options),
        frames=FRAMES,
        generation=Generation(max_new_tokens=16),
        needs=frozenset({"video"}),
    ),
)
