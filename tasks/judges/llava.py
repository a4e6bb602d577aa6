"""LLaVA-Bench's review: two answers, the reference's and the model's, get a score from 1 to 10 each.

Wording: haotian-liu/LLaVA llava/eval/table/rule.json, ``llava_bench_*`` (the same for all three categories), put together as
llava/eval/eval_gpt_review_bench.py does at c121f04.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from harness.judging import Judging, always
from harness.metrics.aggregate import Estimator, Metric, Moment, Rows, mean, ratio
from harness.task import Convention
from harness.types import Generation, Parsed, Query, Sample, Text

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
RULE = (
    "We would like to request your feedback on the performance of two AI assistants in response to the user question "
    "displayed above. The user asks the question on observing an image. For your reference, the visual content in the "
    "image is represented with a few sentences describing the image. \n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an "
    "overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for Assistant 1 and 2, "
    "respectively. The two scores are separated by a space.\n"
    "In the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential bias "
    "and ensuring that the order in which the responses were presented does not affect your judgment."
)
GENERATION = Generation(max_new_tokens=1024, temperature=0.2)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The context, the question, both answers and the rule; the same words every time."""
    content = (
        f"[Context]\n{sample.fields['caption']}\n\n[Question]\n{sample.question}\n\n"
        f"[Assistant 1]\n{sample.references[0]}\n\n[End of Assistant 1]\n\n"
        f"[Assistant 2]\n{reply}\n\n[End of Assistant 2]\n\n[System]\n{RULE}\n\n"
    )
    return Query(parts=(Text(SYSTEM, "system"), Text(content)), generation=GENERATION, tag="judge")


def pair(review: str, sample: Sample) -> Parsed:
    """The first line's two numbers, which a single blank or comma parts (``parse_score``); reference first."""
    parts = review.split("\n")[0].replace(",", " ").split(" ")
    return _scores(parts) if len(parts) == 2 else Parsed(None, "the first line of the review is not two scores")


def first_two(review: str, sample: Sample) -> Parsed:
    """The first two numbers of the first line, whatever stands around them (lmms-eval): ``8/10 7/10`` is 8 and 10."""
    found = _NUMBER.findall(review.split("\n")[0])
    return _scores(found[:2]) if len(found) > 1 else Parsed(None, "the first line of the review holds no two numbers")


def _scores(texts: list[str]) -> Parsed:
    try:
        scores = [float(text) for text in texts]
    except ValueError:
        return Parsed(None, "the first line of the review is not two scores")
    finite = all(abs(score) < float("inf") for score in scores)
    return Parsed(scores) if finite else Parsed(None, "a score of the review is not finite")


def review_scores(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The scores ``model`` and ``reference`` (1 to 10); both are -1 where the review cannot be read, as officially."""
    reference, model = parsed.answer if isinstance(parsed.answer, list) else (-1.0, -1.0)
    return {"model": model, "reference": reference}


OFFICIAL = Judging(prompt="llava-bench-1", ask=ask, read=pair)
LMMS_EVAL = Judging(prompt="llava-bench-1", ask=ask, read=first_two)
RATIO = ratio("model", "reference", bounds=None)


def relative(rows: Rows) -> Moment:
    """The model's mean over the reference's, means to three decimals and the ratio to one of a percent, as officially."""
    moment, (model, reference) = RATIO(rows), (round(mean(name)(rows).value, 3) for name in ("model", "reference"))
    return replace(moment, value=round(model / reference * 100, 1) / 100) if reference else moment


def _metrics(compared: Estimator) -> tuple[Metric, ...]:
    parts = (("relative", compared, None), ("model", mean("model"), "points"), ("reference", mean("reference"), "points"))
    return tuple(
        Metric(name=name, estimator=estimator, unit=unit, by=by) for by in (None, "category") for name, estimator, unit in parts
    )


REVIEWED = Convention(
    parse=always,
    score=review_scores,
    metrics=_metrics(relative),
    primary="relative",
    judging=OFFICIAL,
    extracted=pair,
)

CONVENTIONS = {
    "official": REVIEWED,
    "vlmevalkit": replace(REVIEWED, metrics=_metrics(RATIO), note="Means are not rounded before their ratio."),
    "lmms_eval": replace(
        REVIEWED,
        judging=LMMS_EVAL,
        extracted=first_two,
        note="The first two numbers of the review's first line, whatever they are.",
    ),
}
