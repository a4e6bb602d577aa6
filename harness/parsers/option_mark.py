"""Which option a reply marks by MVBench's rules, which compare marks such as ``(b)`` with the first word of a reply.

Not here: option letters elsewhere (`harness.parsers.choice`, `harness.parsers.letter`). An answer is all the letters that a rule
would count as right, since a lone bracket fits every option and the official rule then gives the point.
"""

from __future__ import annotations

import re

from harness.metrics.vqa import PYTHON3, without_punctuation
from harness.prompts import letters
from harness.types import Parsed, Sample

FAILED = "failed call"
"""The answer of a reply by which VLMEvalKit records that its API call failed."""

_API_FAILED = "Failed to obtain answer via API"
_LETTERED = re.compile(r"([A-E])\.\s*(.+)$", re.IGNORECASE)
_SINGLE = re.compile(r"\b([A-E])\b", re.IGNORECASE)


def mark_after_bracket(reply: str, sample: Sample) -> Parsed:
    """MVBench's own rule: the stripped reply's first line, behind the ``(`` with which the prompt ends; then `first_word`.

    So an empty reply fits every option, and counts as right.
    Source: OpenGVLab/Ask-Anything video_chat2/mvbench.ipynb infer_mvbench and check_ans at 4dd8210.
    """
    return first_word("(" + reply.strip().split("\n")[0], sample)


def mark_alone(reply: str, sample: Sample) -> Parsed:
    """VLMEvalKit's exact matching: `first_word` of the reply alone, so that ``)`` fits every option; a failed call is `FAILED`.

    Source: open-compass/VLMEvalKit vlmeval/dataset/utils/mvbench.py check_ans and vlmeval/dataset/mvbench.py at e8e78f0.
    """
    return (
        Parsed(FAILED, "a failed call, which VLMEvalKit counts as right") if _API_FAILED in reply else first_word(reply, sample)
    )


def first_word(reply: str, sample: Sample) -> Parsed:
    """The letters whose mark ``(b)`` holds the reply's first word without periods, or stands in it; letter case aside."""
    word = reply.strip().lower().split(" ")[0]
    bare = word.replace(".", "")
    fitting = [letter for letter in letters(sample.options) if bare in (mark := f"({letter.lower()})") or mark in word]
    if not fitting:
        return Parsed(None, "the first word fits no option")
    return Parsed("".join(fitting), None if len(fitting) == 1 else "fits several options, of which any counts as right")


def single_letter(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's rule: a letter A to E before a period at the start, else the first A to E that stands alone, an article too.

    An empty reply is the answer ``""``, for it is left out of the count.
    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mvbench/utils.py mcq_acc at 75571cf.
    """
    if not reply:
        return Parsed("", "an empty reply, which is not counted")
    found = _lmms_text(reply)
    own = next((letter for letter in letters(sample.options) if _lmms_text(letter) == found), None)
    return Parsed(own, None if own else "no letter of an option stands alone")


def _lmms_text(text: str) -> str:
    if lettered := _LETTERED.match(text.strip()):
        return lettered[1].upper()
    bare = without_punctuation(text.replace("\n", " ").replace("\t", " ").strip(), PYTHON3)
    bare = bare.strip("'").strip('"').strip(")").strip("(").strip().lower()
    single = _SINGLE.search(bare)
    return single[1].upper() if single else bare
