"""TinyLVLM-eHub: 2,300 short questions on five abilities, from reasoning to hallucination; the score is the sum of the five.

Paper: Shao et al., Tiny LVLM-eHub: Early Multimodal Experiments with Bard, arXiv 2308.03729.
Data: OpenGVLab/Multi-Modality-Arena tiny_lvlm_evaluation: updated_datasets/ABILITY/dataset.json with the pictures beside it.
Licence: those of the 42 sources.
Official scorer: OpenGVLab/Multi-Modality-Arena tiny_lvlm_evaluation/utils/tools.py VQAEval.evaluate and utils/vqa.py: a right
answer stands in the reply between word boundaries, both normalised as the VQA challenge does. The sum of five percentages, 500
at most.
Differences: a missing answer is wrong. Negation is not seen, "not cat" is cat, and a right answer that is an article is in any
reply: strict asks for the whole reply. The variant in which ChatGPT votes five times is another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.data.sources import Row, images, layout
from harness.data.steps import media
from harness.metrics.aggregate import Metric, combine, mean, sum_over
from harness.metrics.held import word_in
from harness.metrics.text import text_score
from harness.metrics.vqa import PYTHON3, normalise_answer
from harness.parsers.text import as_given
from harness.prompts import SHORT_ANSWER, fill
from harness.task import Card, Convention, Task
from harness.types import Generation, Record, Sample

PERCENT = combine(((100, mean("correct")),))
METRICS = (
    Metric(name="total", estimator=sum_over("ability", PERCENT)),
    Metric(name="ability", estimator=mean("correct"), by="ability", unit="percent"),
    Metric(name="task", estimator=mean("correct"), by="task", unit="percent"),
)


def beside(row: Row, root: Path) -> Row:
    """The ability is the folder's name; its pictures lie there."""
    folder = row.file.parent
    return row.but(ability=folder.name, path=(folder / row["image_path"]).relative_to(root).as_posix())


def ability_of(record: Record) -> str:
    """Samples are numbered within their ability."""
    return str(record["ability"])


def to_sample(record: Record) -> Sample:
    """Map a question; those about a picture are its cluster. The right answers are a text or a list."""
    answers = record["gt_answers"]
    return Sample(
        id=f"{record['ability']}/{record['place']}",
        parts=images(record),
        question=record["question"],
        references=tuple(map(str, answers)) if isinstance(answers, list) else (str(answers),),
        cluster=f"{record['ability']}/{record['image_path']}",
        groups={"ability": record["ability"], "task": str(record.get("task_type") or "")},
        fields={"question_id": str(record.get("question_id", ""))},
    )


def whole(prediction: str, references: Sequence[str]) -> float:
    """The normalised reply is a normalised right answer."""
    return float(normalise_answer(prediction, PYTHON3) in {normalise_answer(one, PYTHON3) for one in references})


TASKS = (
    Task(
        name="tiny_lvlm_ehub",
        card=Card.of(__doc__, split="ability level", n=2300),
        layouts=(
            layout(
                "official",
                "updated_datasets/*/dataset.json|*/dataset.json",
                steps=(beside, media(path="path")),
                repeats={"place": ability_of},
            ),
        ),
        to_sample=to_sample,
        prompt=fill("{question}"),
        prompts={"short": fill("{question}\n" + SHORT_ANSWER)},
        conventions={
            "official": Convention(parse=as_given, score=text_score("correct", word_in), metrics=METRICS, primary="total"),
            "strict": Convention(
                parse=as_given,
                score=text_score("correct", whole),
                metrics=METRICS,
                primary="total",
                note="The reply as a whole is a right answer, both normalised.",
            ),
        },
        ideal=lambda sample: sample.references[0],
        generation=Generation(max_new_tokens=16),
        unit="points",
        aligned_by="ability",
    ),
)
