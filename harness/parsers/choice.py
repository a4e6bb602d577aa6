"""The option a reply chooses: by letter, by text, or by the nearest text.

Answers of the letter rules are letters; `nearest_option` answers with the option's text, as MathVista compares texts. Where a
scorer would go on to ask a judge, there is no answer and the reason begins with ``needs judge``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_uppercase

from harness.judging import NEEDS_JUDGE as NEEDS_JUDGE
from harness.types import Parsed, Sample

REFUSED = "Z"
"""VLMEvalKit's letter for "none of these"."""

_API_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_MARKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_ANSWER_IS = re.compile(r"answer\s+is\s+\**([ABCD])", re.IGNORECASE)
_BRACKETED = re.compile(r"\(([a-zA-Z])\)")
_LMMS_FORMS = (
    "{}.", "{},", "{}:", "{})", "{}).", "({})", "({}).", ":{}", ":{},", ":{}.", ":{})", ":{}).",
)  # fmt: skip
_LIKELY_FORMS = ((6, "({})"), (5, "{}."), (4, "{}:"), (3, "{})"), (2, "{} "))
_ANSWER_PHRASES = (
    "the answer is", "answer is", "the correct answer is", "correct answer is", "the best answer is", "best answer is",
    "the correct option is", "correct option is", "the best option is", "best option is", "the choice is", "choice is",
    "the correct choice is", "correct choice is", "i choose", "i select", "i pick", "my answer is", "my choice is",
    "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip


def letter_then_text(reply: str, sample: Sample) -> Parsed:
    """VLMEvalKit's matching without a judge (``can_infer``), the scorer of MMBench; the answer is a letter.

    In this order: one option letter as a token among the last four; the token Z or a known refusal (answer ``Z``); "answer is
    A" with no word boundary behind the letter, so that "answer is dog" is D; the only option whose text the reply contains,
    unless the reply is longer than twice all options. VERBOSE, which changes the result there, is taken as unset.
    Source: open-compass/VLMEvalKit vlmeval/utils/matching_util.py at e8e78f0.
    """
    return letter_among(reply, sample.options)


def letter_among(reply: str, options: Sequence[str]) -> Parsed:
    """`letter_then_text` with the options given."""
    found = None if _API_FAILED in reply else _by_letter(reply, ascii_uppercase[: len(options)])
    if found is None and len(reply.lower()) <= 2 * sum(map(len, options)):
        found = _by_text(reply, options)
    if found == REFUSED:
        return Parsed(REFUSED, "refused, or none of the options")
    return Parsed(found) if found else Parsed(None, f"{NEEDS_JUDGE}: no single option by letter or text")


def letter_alone(reply: str, sample: Sample) -> Parsed:
    """The reply is one of the options' letters and nothing else, as where a judge has chosen and letters are compared."""
    named = len(reply) == 1 and reply in ascii_uppercase[: len(sample.options)]
    return Parsed(reply) if named else Parsed(None, f"not the letter of an option: {reply[:60]!r}")


def _by_letter(reply: str, letters: str) -> str | None:
    if any(phrase in reply for phrase in _REFUSALS):
        return REFUSED
    tokens = reply.translate(_MARKS).split()
    words = set(tokens)
    present = [letter for letter in letters if letter in words]
    if len(present) == 1 and tokens.index(present[0]) > len(tokens) - 5:
        return present[0]
    if not present and REFUSED in words:
        return REFUSED
    match = _ANSWER_IS.search(reply)
    return match[1].upper() if match and match[1].upper() in letters else None


def _by_text(reply: str, options: Sequence[str]) -> str | None:
    text = reply.lower()
    present = [letter for letter, option in zip(ascii_uppercase, options, strict=False) if option and option.lower() in text]
    return present[0] if len(present) == 1 else None


def letter_forms_then_text(reply: str, sample: Sample) -> Parsed:
    """lmms-eval's static matching for MMBench: a bare letter A-E, then letters in fixed forms, then the option's text.

    A letter is skipped where ``A`` stands among four or more words ("The answer is A"); E counts as a letter always. What is
    left over is read by `likeliest_letter`: an assumption, so the reply counts as unparsed.
    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmbench/mmbench_evals.py at 75571cf, eval_method=static.
    """
    words = set(tokens := reply.split())
    if _API_FAILED not in reply:
        for form in ("{}", *_LMMS_FORMS):
            present = [letter for letter in "ABCDE" if form.format(letter) in words]
            if len(present) == 1 and not (form == "{}" and "A" in words and len(tokens) > 3):
                return Parsed(present[0])
    found = _by_text(reply, sample.options)
    if found:
        return Parsed(found)
    assumed = likeliest_letter(reply, ascii_uppercase[: len(sample.options)])
    return Parsed(assumed, "no single option by letter or text; the likeliest letter is taken" if assumed else "no letter")


def likeliest_letter(reply: str, letters: str) -> str | None:
    """The letter in the surest surroundings, the last of equals; in the end any letter anywhere, even within a word.

    From the surest: at the start, at the end, behind a phrase such as "the answer is" (however far), then ``(A)``, ``A.``,
    ``A:``, ``A)``, and ``A`` before a blank. "The answer is **B**. Because" is read as B, "ANSWER" as A.
    Source: EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/_task_utils/mcq_extract.py extract_mcq_answer at 75571cf.
    """
    bare = reply.strip()
    for mark in ",.!?;:'\"":
        bare = bare.strip(mark)
    text, bare = f" {bare} ", bare.strip()
    found: list[tuple[int, int, str]] = []
    for letter in letters if bare else "":
        if bare.startswith(letter) and not bare[1:2].isalpha():
            found.append((10, 0, letter))
        if bare.endswith(letter) and not bare[-2:-1].isalpha():
            found.append((9, 0, letter))
        found += ((7, place, letter) for place in _behind_phrases(text, letter))
        found += ((rank, text.rfind(form.format(letter)), letter) for rank, form in _LIKELY_FORMS if form.format(letter) in text)
    found = found or [(0, text.rfind(letter), letter) for letter in letters if letter in text]
    return max(found, key=lambda one: one[:2])[2] if found else None


def _behind_phrases(text: str, letter: str) -> Iterator[int]:
    """Where the letter stands next behind the first of each phrase."""
    lower = text.lower()
    for phrase in _ANSWER_PHRASES:
        start = lower.find(phrase)
        place = text.find(letter, start + len(phrase)) if start >= 0 else -1
        if place >= 0:
            yield place


def nearest_option(text: str, options: Sequence[str]) -> Parsed:
    """MathVista's reading of an extracted answer; the answer is the text of an option.

    The first single letter in round brackets wins, in upper case; a bare option letter stands for its text; anything else,
    even nothing, is read as the option at the least edit distance (the first of equals). That last is an assumption: the
    reply then counts as unparsed, unless the distance is 0.
    Source: lupantech/MathVista evaluation/calculate_score.py normalize_extracted_answer at 53d5258.
    """
    from rapidfuzz.distance import Levenshtein

    if not options:
        return Parsed(None, "the question has no options")
    text = text.strip()
    bracketed = _BRACKETED.search(text)
    if bracketed:
        text = bracketed[1].upper()
    place = ascii_uppercase[: len(options)].find(text) if len(text) == 1 else -1
    if place >= 0:
        return Parsed(options[place])
    distances = [Levenshtein.distance(text, option) for option in options]
    nearest = distances.index(min(distances))
    return Parsed(options[nearest], "no option named; the nearest by edit distance is taken" if distances[nearest] else None)
