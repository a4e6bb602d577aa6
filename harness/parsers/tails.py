"""Open answers as MMMU and CMMMU read them: what stands behind words such as "is" or "answer", and the numbers in it.

A reply is cut into pieces; of each the shortest part behind one of the words counts, of a reply without any the whole. Answers
are tuples of texts and of numbers (rounded to two decimals). Not here: whether one of them is right (`harness.metrics.held`), and
multiple choice (`harness.parsers.candidates`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from harness.parsers.candidates import DRAWN
from harness.types import Parsed, Sample

Value = str | float

_TRIVIAL = frozenset(":,.!?;'")
_EXPONENT = re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+")
_WORDS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    _EXPONENT,
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),
)
_WORDS_CN = ("是", "为", "所以", "等于", "方案", "选择", "正确答案", "因此", "最后", "答案", "结果")
_NUMBERS_CN = (
    re.compile(r"-?\d{1,3}(?:，\d{3})+"),
    _EXPONENT,
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+)(?![eE][+-]?\d+)(?!，\d)"),
)
_CUT_CN = re.compile(r"。|\n")
_MORE_TEXT, _MORE_LETTERS = 20, 2
"""By so much a candidate for a Chinese blank may be longer than the answer, in characters and in Latin letters."""


def tails(pieces: Sequence[str], words: Sequence[str], last: Sequence[str] = ()) -> list[str]:
    """The shortest part of each piece behind the last place of any of ``words`` (in the last piece also of ``last``).

    Parts that are empty or a single mark are none. As in the sources an empty part gives way to whatever the next word leaves.
    """
    found = []
    for number, piece in enumerate(pieces):
        shortest = ""
        for word in (*words, *(last if number == len(pieces) - 1 else ())):
            if word in piece:
                part = piece.rpartition(word)[2].strip()
                if not shortest or len(part) < len(shortest):
                    shortest = part
        if shortest and shortest not in _TRIVIAL:
            found.append(shortest)
    return found


def number_of(text: str) -> float | None:
    """The number a text is, commas aside, rounded to two decimals; None if it is none."""
    try:
        return round(float(text.replace(",", "")), 2)
    except ValueError:
        return None


def normalised(text: str) -> list[Value]:
    """MMMU's form of an answer: a number, else lower-case text; one letter is padded on either side, against chance matches."""
    text = text.strip()
    number = number_of(text)
    if number is not None:
        return [number]
    lower = text.lower()
    return [f" {lower}", f"{lower} "] if len(lower) == 1 else [lower]


def normalised_near(text: str, answer: str) -> list[Value]:
    """CMMMU's form: a number, else the text, unless it is much longer than the answer."""
    text = text.strip()
    number = number_of(text)
    if number is not None:
        return [number]
    long = len(text) > len(answer) + _MORE_TEXT or _latin(text) > _latin(answer) + _MORE_LETTERS
    return [] if long else [text]


def open_answer(reply: str, sample: Sample) -> Parsed:
    """MMMU's candidates for an open question; a reply that is empty counts as unparsed.

    Source: MMMU-Benchmark/MMMU mmmu/utils/eval_utils.py parse_open_response. It lower-cases before it looks for capitals behind a
    period, so that only line breaks part the pieces.
    """
    text = reply.strip().strip(".").lower()
    return _candidates(tails(text.split("\n"), _WORDS, ("=",)) or [text], _NUMBERS, normalised)


def blank_filled(reply: str, sample: Sample) -> Parsed:
    """CMMMU's candidates for a blank. Source: CMMMU-Benchmark/CMMMU eval/utils/eval_utils.py get_fill_blank_prediction."""
    text = reply.strip("。").strip()
    near = partial(normalised_near, answer=sample.references[0])
    return _candidates(tails(_CUT_CN.split(text), _WORDS_CN, ("=",)) or [text], _NUMBERS_CN, near)


def _candidates(found: Sequence[str], numbers: Sequence[re.Pattern[str]], form: Callable[[str], Iterable[Value]]) -> Parsed:
    texts = [*found, *(number for one in found for pattern in numbers for number in pattern.findall(one))]
    values = tuple(dict.fromkeys(value for text in texts for value in form(text)))
    return Parsed(values, None if any(text.strip() for text in found) else "empty reply")


_WORDS_JUDGED = ("是", "为", "所以", "判断", "陈述", "说法", "表达", "答案", "结果")
_POSITIVE = ("正确", "对", "准确", "肯定", "对的")
_NEGATIVE = ("不对", "错误", "不正确", "不准确", "不合适", "否定", "错的", "错")
_AMBIGUOUS = ("对错", "是否正确", "否正确", "或者", "是否", "正确性", "对不")
TRUE_CN, FALSE_CN = "对", "错"


def judged_tails(reply: str) -> list[str]:
    """The parts of a reply in which CMMMU looks for a judgement."""
    text = reply.strip("。").strip()
    return list(dict.fromkeys(tails(_CUT_CN.split(text), _WORDS_JUDGED) or [text]))


def true_or_false_cn(reply: str, sample: Sample) -> Parsed:
    """CMMMU's judgement: whether more parts have a positive word than a negative one alone; "不对" (not right) has both.

    Source: CMMMU-Benchmark/CMMMU eval/utils/eval_utils.py. Where it draws at random the reply is unread.
    """
    votes = 0
    for part in judged_tails(reply):
        if not any(word in part for word in _AMBIGUOUS):
            positive = any(word in part for word in _POSITIVE)
            votes += 1 if positive else -1 if any(word in part for word in _NEGATIVE) else 0
    return Parsed(TRUE_CN if votes > 0 else FALSE_CN) if votes else Parsed(None, DRAWN)


def _latin(text: str) -> int:
    return sum(char.isascii() and char.isalpha() for char in text)
