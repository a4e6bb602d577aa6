"""HallusionBench's verdict: a teacher says whether a reply is correct, incorrect or unclear, given an answer in words.

Wording: tianyi-lab/HallusionBench utils.py evaluate_by_chatgpt at 08e51de, judge gpt-4 at the server's own temperature,
asked once.
"""

from __future__ import annotations

from harness.judging import Judging, always
from harness.parsers.verdict import correct_or_incorrect, correctness_code
from harness.types import Generation, Query, Sample, Text

RULE = (
    "Imagine you are an intelligent teacher. Thoroughly read the question, reference answer and the prediction answer to ensure "
    "a clear understanding of the information provided. Assess the correctness of the predictions. If the prediction answer does "
    "not conflict with the reference answer, please generate \u201ccorrect\u201d. If the prediction answer conflict with the "
    "reference answer, please generate \u201cincorrect\u201d. If the prediction answer is unclear about the answer, please "
    'generate "unclear". \n\n Question:'
)


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The question, the answer in words (yes or no in layouts that lack them) and the reply."""
    details = sample.fields["details"] or sample.references[0].capitalize()
    text = Text(f"{RULE}{sample.question}\nReference answer: {details}\nPrediction answer:{reply}\nOutput:")
    return Query(parts=(text,), generation=Generation(max_new_tokens=256, temperature=1.0), tag="judge")


OFFICIAL = Judging(
    prompt="hallusionbench-1", ask=ask, read=correct_or_incorrect, attempts=1, rule=True, settles=always, stored=correctness_code
)
