"""Answers of a stated type (option, integer, decimal, list), in two steps: what the reply says, and how that is written.

The type is in the sample: ``groups["question_type"]`` (``multi_choice`` or not), ``groups["answer_type"]`` (``integer``,
``float``, ``list``, ``text``) and ``fields["precision"]`` (decimals, or None). The rules are MathVista's and those of two
toolkits for it.
Not here: who takes the answer out of a wordy reply; where the official scorer asks a judge, the reason says so.
"""

from __future__ import annotations

from harness.parsers.choice import NEEDS_JUDGE, letter_among, nearest_option
from harness.parsers.number import bare_number, rounded_float, truncated_integer, without_judge
from harness.prompts import letters
from harness.task import Parse
from harness.types import Parsed, Sample


def by_rule(normalise: Parse, quick: bool = True) -> Parse:
    """Read the reply as far as `without_judge` goes (``quick`` as there), then ``normalise`` that; what is left needs a judge."""

    def parse(reply: str, sample: Sample) -> Parsed:
        extraction = without_judge(reply, sample.groups["answer_type"], sample.options, quick)
        return Parsed(None, f"{NEEDS_JUDGE}: no bare answer") if extraction is None else normalise(extraction, sample)

    return parse


def as_written(extraction: str, sample: Sample) -> Parsed:
    """Bring an extracted answer into the form of the reference: an option's text, or a number as Python prints it.

    Source: lupantech/MathVista evaluation/calculate_score.py normalize_extracted_answer at 53d5258.
    """
    kind = sample.groups["answer_type"]
    if is_choice(sample):
        return nearest_option(extraction, sample.options)
    if kind == "integer":
        return truncated_integer(extraction)
    return rounded_float(extraction, sample.fields["precision"]) if kind == "float" else Parsed(extraction)


def without_decimals(extraction: str, sample: Sample) -> Parsed:
    """As `as_written`, but decimals are lost: lmms-eval reads the precision as a float, which Python's round() refuses.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mathvista/mathvista_evals.py at 75571cf.
    """
    if sample.groups["answer_type"] == "float" and not is_choice(sample) and sample.fields["precision"] is not None:
        return Parsed(None, "lmms-eval cannot round to a precision that is a float")
    return as_written(extraction.strip(), sample)


def option_or_bare_number(reply: str, sample: Sample) -> Parsed:
    """Read an option by letter or text (answered with its text), or a number that stands alone; a list never.

    Letters are compared there, so of two options with the same text only the first can be right.
    Source: post_check of open-compass/VLMEvalKit vlmeval/dataset/utils/mathvista.py at e8e78f0.
    """
    if is_choice(sample):
        found = letter_among(reply, sample.options)
        text = dict(zip(letters(sample.options), sample.options, strict=False)).get(found.answer)
        if text is not None and letters(sample.options)[sample.options.index(text)] != found.answer:
            return Parsed(None, f"option {found.answer} repeats another, {text[:60]!r}")
        return Parsed(text, found.reason)
    number = bare_number(reply, sample.groups["answer_type"])
    return Parsed(number, None if number else f"{NEEDS_JUDGE}: not just a number")


def is_choice(sample: Sample) -> bool:
    """Whether the question is to be answered with one of its options."""
    return sample.groups["question_type"] == "multi_choice"
