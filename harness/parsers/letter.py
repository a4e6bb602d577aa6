"""A letter in the fixed forms that ScienceQA's and AI2D's scorers accept; everything else is unread.

Not here: letters anywhere in a reply and options by their text (`harness.parsers.choice`). Four rules, since "B. gold" is a
letter for all of them, but "B." only for three and "b" only for two.
"""

from __future__ import annotations

import re

from harness.prompts import letters
from harness.types import Parsed, Sample

_FIVE = "ABCDE"
_SENTENCE = re.compile(r"The answer is ([A-Z]).")
_BEFORE_PERIOD = re.compile(r"\s*([A-Z])\.")


def letter_or_sentence(reply: str, sample: Sample) -> Parsed:
    """LLaVA's rule for ScienceQA: a letter A to E alone, or before ``". "``, or in the only ``The answer is X.``.

    That last needs a character behind the letter, any but a line's end. Nothing is stripped, so ``"B "`` is unread, and so is the
    letter of an option that the question does not have.
    Source: haotian-liu/LLaVA llava/eval/eval_science_qa.py at c121f04.
    """
    if reply in tuple(_FIVE):
        found = reply
    elif len(reply) >= 3 and reply[0] in _FIVE and reply[1:3] == ". ":
        found = reply[0]
    else:
        said = _SENTENCE.findall(reply)
        found = said[0] if len(said) == 1 else ""
    return _of_an_option(found, sample)


def letter_or_lettered(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule for ScienceQA: the stripped reply is a letter in either case, or begins with a capital and a period.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/scienceqa/utils.py sqa_process_results at 75571cf.
    """
    text = reply.strip()
    capital = len(text) >= 2 and text[0].isupper() and text[1] == "."
    return _in_either_case(text[0] if capital else text, sample)


def letter_before_period(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule for AI2D: a capital with a period at the start, else the reply without ASCII punctuation, in either case.

    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/ai2d/utils.py MultiChoiceRegexFilter, then exact_match with ignore_case and
    ignore_punctuation, at 75571cf.
    """
    from string import punctuation

    begins = _BEFORE_PERIOD.match(reply)
    text = begins[1] if begins else reply.strip()
    return _in_either_case(text.translate(str.maketrans("", "", punctuation)), sample)


def letter_up_to_period(reply: str, sample: Sample) -> Parsed:
    """The SPHINX authors' rule: what stands before the first period is a letter A to E, to the character.

    They draw one of the five at random for any other reply, even where the question has fewer options; here it is unread.
    Source: Alpha-VLLM/LLaMA2-Accessory@3777c43 accessory/eval_mm/evaluate.py.
    """
    text = reply.partition(".")[0]
    return Parsed(text) if len(text) == 1 and text in _FIVE else Parsed(None, "no letter A to E before the first period")


def _of_an_option(letter: str, sample: Sample) -> Parsed:
    named = len(letter) == 1 and letter in letters(sample.options)
    return Parsed(letter) if named else Parsed(None, "no letter of an option in the forms that count")


def _in_either_case(text: str, sample: Sample) -> Parsed:
    lower = text.lower()
    return _of_an_option(lower.upper() if len(lower) == 1 and lower.isascii() else "", sample)
