"""A judge's verdict on a reply, as files of replies hold it: right, wrong or neither.

The answer is the sample's reference where the judge says right, `WRONG` where it says wrong, `UNCLEAR` where it says neither and
the scorer tells that from wrong. Not here: asking a judge.
"""

from __future__ import annotations

from harness.types import Parsed, Sample

WRONG = "wrong"
UNCLEAR = "unclear"


def yes_or_no(verdict: str, sample: Sample) -> Parsed:
    """MMVP's: the whole verdict is yes or no, in any case; ``yes.`` and a line's end are neither, and wrong.

    Source: tsb0601/MMVP scripts/gpt_grader.py.
    """
    if verdict.lower() in ("yes", "no"):
        return _found(verdict.lower() == "yes", sample)
    return Parsed(None, "the judge says neither yes nor no")


def correct_or_incorrect(verdict: str, sample: Sample) -> Parsed:
    """HallusionBench's: the word incorrect, else correct, anywhere in the verdict; ``not correct`` is correct.

    Source: tianyi-lab/HallusionBench utils.py evaluate_by_chatgpt.
    """
    lower = verdict.lower()
    if "correct" in lower:
        return _found("incorrect" not in lower, sample)
    return Parsed(UNCLEAR, "the judge finds the reply unclear")


def correctness_code(verdict: str, sample: Sample) -> Parsed:
    """HallusionBench's as its files store it: 0 wrong, 1 right, 2 unclear; else the words of `correct_or_incorrect`."""
    code = verdict.strip()
    if code in ("0", "1"):
        return _found(code == "1", sample)
    return correct_or_incorrect(verdict, sample)


def one_or_zero(verdict: str, sample: Sample) -> Parsed:
    """MathVerse's: 1 or 0, perhaps behind the label that the judge was to complete; all else is none.

    Source: ZrrSkywalker/MathVerse evaluation/score_answer_s2.py at 937b090.
    """
    word = verdict.replace("Judgement:", "").strip()
    return _found(word == "1", sample) if word in ("0", "1") else Parsed(None, "the judge says neither 1 nor 0")


def one_or_zero_in_words(verdict: str, sample: Sample) -> Parsed:
    """As `one_or_zero`; files of toolkits have it as True, False or a decimal number, too."""
    said = {"true": "1", "1.0": "1", "false": "0", "0.0": "0"}.get(verdict.strip().lower(), verdict)
    return one_or_zero(said, sample)


def _found(right: bool, sample: Sample) -> Parsed:
    return Parsed(sample.references[0] if right else WRONG)
