"""InfiMM-Eval's grading: from 0 to 1, high complexity counting twice. The wording is our own; the authors' is not public."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judging import Judging, always
from harness.metrics.aggregate import Metric, ratio
from harness.task import Convention
from harness.types import Generation, Parsed, Query, Sample, Text
from tasks.judges.mmvet import AGAIN, grade

RULE = (
    "Grade an answer to a question about pictures that you cannot see against the reference answer. 1.0 is an answer with "
    "the reference's conclusion; a wrong or missing conclusion gets part of the grade for each step of reasoning that is "
    "right; 0.0 is wrong altogether. Reply with the grade alone, a number from 0.0 to 1.0."
)


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The question, the reference and the answer, each under its name."""
    content = f"{RULE}\n\n[Question]\n{sample.question}\n\n[Reference]\n{sample.references[0]}\n\n[Answer]\n{reply}\n\n[Grade]\n"
    text = Text(content + (AGAIN if attempt else ""))
    return Query(parts=(text,), generation=Generation(max_new_tokens=8), tag="judge")


def graded(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The score ``grade``, with its ``weight`` (2 for high complexity, else 1) and their product; no readable grade is 0."""
    own, weight = parsed.answer if isinstance(parsed.answer, float) else 0.0, 1.0 + (sample.groups["complexity"] == "High")
    return {"grade": own, "weighted": own * weight, "weight": weight}


WEIGHTED = ratio("weighted", "weight")
"""(sum of moderate + 2 sum of high) / (n moderate + 2 n high), arXiv 2311.11567."""

GRADED = Convention(
    parse=always,
    score=graded,
    metrics=tuple(
        Metric(name=name, estimator=WEIGHTED, by=by)
        for name, by in (("overall", None), ("category", "category"), ("complexity", "complexity"))
    ),
    primary="overall",
    judging=Judging(prompt="infimm-riddle-1", ask=ask, read=grade),
    extracted=grade,
)
