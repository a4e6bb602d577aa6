"""MMVP's verdict: whether a reply answers the question correctly, in only yes or no.

Wording: tsb0601/MMVP scripts/gpt_grader.py at 05081e9, judge gpt-4-0314, asked once.
"""

from __future__ import annotations

from harness.judging import Judging, always
from harness.parsers.verdict import yes_or_no
from harness.types import Generation, Query, Sample, Text

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer. Please answer in only yes or no."


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    """The question with its options and the right one's letter as the authors' file writes them, and the reply."""
    question, answer = f"{sample.question} {sample.fields['listed']}", f"({sample.references[0].lower()})"
    text = (
        f"Given the following question {question}, the correct answer is {answer}. Does the following answer correctly answers "
        f"the question, answer:{reply}?"
    )
    generation = Generation(max_new_tokens=16, temperature=0.2)
    return Query(parts=(Text(SYSTEM, "system"), Text(text)), generation=generation, tag="judge")


OFFICIAL = Judging(prompt="mmvp-1", ask=ask, read=yes_or_no, attempts=1, rule=True, settles=always)
