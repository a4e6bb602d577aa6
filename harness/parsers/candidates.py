"""Multiple choice as MMMU's scorer reads it: candidates in brackets, then between blanks, then texts; the last one counts.

Where no candidate is found the scorers draw an option at random; here the reply is then unread, and the reason begins with
`DRAWN`, so that these can be counted. Not here: other letter rules (`harness.parsers.letter`), open answers
(`harness.parsers.tails`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from harness.prompts import letters
from harness.task import Parse
from harness.types import Parsed, Sample

DRAWN = "no candidate; the official scorer draws"
"""How the reason begins where the official scorer guesses at random."""

_ENDS = (",", ".", "!", "?", ";", ":", "'")
_WORDS = 5
"""Only replies of more words are searched for the options' texts."""


def bare(reply: str) -> str:
    """The reply without marks at its ends, each stripped once in a fixed order, and with a blank on both sides."""
    for mark in _ENDS:
        reply = reply.strip(mark)
    return f" {reply} "


def candidates_in(*forms: str, several: bool = True) -> Parse:
    """Make a reader of the option that is named in the first of ``forms`` in which any is named, else by its text.

    Of several letters the last one in the reply counts (a letter outside brackets has no place unless blanks stand on both sides
    of it, and the first such letter then counts); of several texts the last.
    Source: MMMU-Benchmark/MMMU mmmu/utils/eval_utils.py parse_multi_choice_response, of which lmms-eval has variants.

    Args:
        forms: formats of a letter, such as ``"({})"``.
        several: whether more than one candidate is allowed; else the reply is unread, as where the scorer stops with an error.
    """

    def parse(reply: str, sample: Sample) -> Parsed:
        text, offered = bare(reply), letters(sample.options)
        for form in forms:
            found = [letter for letter in offered if form.format(letter) in text]
            if found:
                return _last(found, partial(_place, text, form if form.startswith("(") else " {} "), several)
        lower, texts = text.lower(), dict(zip(offered, map(str.lower, sample.options), strict=True))
        found = [letter for letter in offered if texts[letter] in lower] if len(text.split()) > _WORDS else []
        return _last(found, lambda letter: lower.rfind(texts[letter]), several) if found else Parsed(None, DRAWN)

    return parse


def _place(text: str, form: str, letter: str) -> int:
    return text.rfind(form.format(letter))


def _last(found: Sequence[str], place: Callable[[str], int], several: bool) -> Parsed:
    if len(found) > 1 and not several:
        return Parsed(None, f"several candidates ({', '.join(found)}), at which the scorer stops")
    return Parsed(max(found, key=place))  # the first of equals


mmmu_choice = candidates_in("({})", " {} ")
"""MMMU's own rule."""

lmms_choice = candidates_in("({})", "{} ", "{}.")
"""lmms-eval's for MMMU (lmms_eval/tasks/mmmu/utils.py at 75571cf): no blank is asked for before a letter, so ``NASA`` is A."""

lmms_choice_once = candidates_in("({})", "{} ", "{}.", several=False)
"""lmms-eval's for Q-Bench (lmms_eval/tasks/qbench/utils.py at 75571cf), which raises NameError where two letters are named."""


def most_named(reply: str, sample: Sample) -> Parsed:
    """CMMMU's rule: all letters that are named most often, in the options' order, so that one question may have several.

    Counted are letters in brackets, else capitals anywhere, within words too, else the options' texts. An empty reply is wrong,
    not drawn. Source: CMMMU-Benchmark/CMMMU eval/utils/eval_utils.py get_multi_choice_prediction.
    """
    if not reply:
        return Parsed(None, "empty reply")
    text, offered = bare(reply), letters(sample.options)
    for names in ([f"({letter})" for letter in offered], offered, sample.options):
        named = [text.count(name) for name in names]
        if any(named):
            return Parsed("".join(letter for letter, times in zip(offered, named, strict=True) if times == max(named)))
    return Parsed(None, DRAWN)
