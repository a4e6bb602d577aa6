"""The pieces every corpus writes: a turn, and the forms in which benchmarks ask for short answers, letters and boxes.

The instruction sentences are the benchmarks' own, shared with evaluation on purpose: they say in which form to answer, and
carry nothing about the picture. What is asked in front of them is worded apart from any evaluation (``templates``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.world import ALPHABET

SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."
SELECT = "\nPlease select the correct answer from the options above."
YES_NO = " Please answer yes or no."
BOX = "Please provide the bounding box coordinate of the region this sentence describes: {}."
HINT_INTEGER = (
    "Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.\n"
    "Question: "
)
HINT_LETTER = "Hint: Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end.\nQuestion: "
CLOSEST = " \n Among the {} options {} above, the one closest to the correct answer is:"
PHRASES: tuple[str, ...] = (
    SHORT,
    LETTER,
    SELECT,
    YES_NO,
    BOX.split("{}")[0].rstrip(),
    HINT_INTEGER.rstrip(),
    HINT_LETTER.rstrip(),
    " \n Among the",
    " above, the one closest to the correct answer is:",
    "\nChoices:",
    "\nOptions:",
    "There are several options:",
)
"""Sentences that carry no information about a picture; each is one token in a small vocabulary."""

_PLACE = re.compile(r" (?:in (?:this|the) (?:image|picture|scene)|here)\?$")
_PLACES = ("", "", " here", " in this picture", " in the picture", " in the scene", " in this scene", " in the picture here")
LETTERS = "ABCDEFGH"
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven")


PLACES = 24
"""Bins of a side of the padded square in which a hint tells where something is; one more stands for "nowhere"."""

SIDES = ("left", "right", "above", "below")

HINTS: Mapping[str, int] = {"x": PLACES + 1, "y": PLACES + 1, "char": len(ALPHABET) + 1, "number": 100, "side": len(SIDES)}
"""What hints tell, and how many values it has: a place, a character of `ALPHABET` (0 for none), a number, one of `SIDES`."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What a reader should know of the picture once he has read the question so far: for training alone, never said.

    Attributes:
        phrase: words of the question; the hint belongs to the token that holds their last character.
        kind: name in `HINTS`; ``value`` is below its number of values.
        cut: characters left out at the end of the phrase, to point into a word.
    """

    phrase: str
    kind: str
    value: int
    cut: int = 0

    def position(self, text: str) -> int | None:
        """Index of the character in ``text`` that the hint belongs to; None where the phrase does not stand there."""
        found = re.search(rf"(?<!\w){re.escape(self.phrase)}(?!\w)", text)
        return None if found is None else found.end() - 1 - self.cut


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer; ``family`` names what is practised, for the curriculum and the losses."""

    family: str
    question: str
    answer: str
    hints: tuple[Hint, ...] = ()


def hinted(turn: Turn, *hints: Sequence[Hint]) -> Turn:
    """The turn with hints."""
    return replace(turn, hints=tuple(hint for some in hints for hint in some))


def placed(phrase: str, centre: tuple[float, float] | None, side: int) -> tuple[Hint, ...]:
    """Hints of where in a padded square of ``side`` pixels what the phrase names has its middle; None is nowhere."""
    x, y = (PLACES, PLACES) if centre is None else (min(int(value * PLACES / side), PLACES - 1) for value in centre)
    return Hint(phrase, "x", x), Hint(phrase, "y", y)


def spelled(phrase: str, word: str) -> tuple[Hint, ...]:
    """Hints of which character of ``word`` stands where each character of the phrase would; none beyond its end."""
    chars = [1 + ALPHABET.index(char) for char in word] + [0] * len(phrase)
    return tuple(Hint(phrase, "char", chars[i], cut=len(phrase) - 1 - i) for i in range(len(phrase)))


def concluded(question: str, char: str = "", number: int | None = None) -> tuple[Hint, ...]:
    """Hints at the end of a question as it is worded: the character or number that answers it, or on which its answer rests."""
    told = question.rstrip("?.")
    hints = [Hint(told, "char", 1 + ALPHABET.index(char))] if char else []
    return (*hints, *([] if number is None else [Hint(told, "number", number)]))


def short(family: str, question: str, answer: str, rng: random.Random) -> Turn:
    """An open question in the short-answer form; numbers are at times asked for in the form of mathematics benchmarks."""
    if answer.isdigit() and rng.random() < 0.3:
        return Turn(family, HINT_INTEGER + question, answer)
    return Turn(family, question + (SHORT if rng.random() < 0.9 else ""), answer)


def varied(question: str, rng: random.Random) -> str:
    """The question with another phrase of place at its end, or none, so that a verdict is not learned sentence by sentence."""
    if rng.random() < 0.3:
        return question
    return _PLACE.sub("", question).removesuffix("?") + rng.choice(_PLACES) + "?"


def yes_no(family: str, question: str, answer: bool, rng: random.Random, evidence: str = "") -> Turn:
    """A closed question. ``evidence`` follows half of the verdicts where it is known: parsers read the verdict alone."""
    if rng.random() < 0.5:
        evidence = ""
    ask = varied(question, rng) + rng.choice((YES_NO, YES_NO, YES_NO, SHORT, SHORT, SHORT, YES_NO + SHORT, ""))
    return Turn(family, ask, ("Yes" if answer else "No") + (f", {evidence}" if evidence else ""))


def choice(family: str, question: str, right: str, wrong: Sequence[str], rng: random.Random) -> Turn:
    """A question with options in the form of one of the multiple-choice benchmarks.

    Where no letter is asked for, the answer is the option's text, which the official parsers read. Where one is, the answer
    names the option before its letter: a small model finds the letter of a text it has just written far more easily than that
    of one it has to keep in mind.
    """
    options = [right, *dict.fromkeys(text for text in wrong if text != right)]
    rng.shuffle(options)
    letters = LETTERS[: len(options)]
    letter = letters[options.index(right)]
    lines = "\n".join(f"{mark}. {text}" for mark, text in zip(letters, options, strict=True))
    told = f"{right} ({letter})" if right not in letters else letter
    named = told if right in letters or any(text in right for text in options if text != right) else right
    form = rng.random()
    if form < 0.2:
        return Turn(family, f"{question}\n{lines}{LETTER}", told)
    if form < 0.55:
        return Turn(family, f"Question: {question}\nOptions:\n{lines}{SELECT}", named)
    if form < 0.65:
        return Turn(family, f"{question}\nThere are several options:\n{lines}{LETTER}", told)
    if form < 0.82:
        run = " ".join(f"{mark}.{text}" for mark, text in zip(letters, options, strict=True))
        return Turn(family, f"{question} {run}{CLOSEST.format(NUMBER_WORDS[len(options)], ', '.join(letters))}", named)
    listed = "\n".join(f"({mark}) {text}" for mark, text in zip(letters, options, strict=True))
    return Turn(family, f"{HINT_LETTER}{question}\nChoices:\n{listed}", right)


def with_article(noun: str) -> str:
    """``a red ring``, ``an orange ring``."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def fractions(box: tuple[float, float, float, float], width: int, height: int) -> str:
    """A box in pixels as ``[x1,y1,x2,y2]``, two-decimal fractions of the picture's centred, padded square."""
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    x1, y1, x2, y2 = box
    values = ((x1 + left) / side, (y1 + top) / side, (x2 + left) / side, (y2 + top) / side)
    return "[" + ",".join(f"{min(max(value, 0.0), 1.0):.2f}" for value in values) + "]"
