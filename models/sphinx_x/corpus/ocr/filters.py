"""Which pages are worth reading: the reason why a page is left out, or none.

Language is told by the script of the letters and by the share of the language's commonest words, which needs no model: running
text of a European language has far more than a tenth of them, and tables, lists and other languages have fewer. Thresholds are
settings (``Limits``); the paper names none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from models.sphinx_x.corpus.ocr.page import Page, area

STOP_WORDS: Final[Mapping[str, str]] = {
    "en": "the of and to in a is that for it as was with be by on not he his are this or at from which we can has",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden",
    "fr": "de la le et les des en un une du que est pour qui dans par plus pas au sur ne se ce il sont avec",
    "es": "de la que el en y a los del se las por un para con no una su al lo como más o pero sus le",
}
"""Language -> its commonest words."""

SCRIPTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(STOP_WORDS, "LATIN"),
    "ru": "CYRILLIC", "el": "GREEK", "ar": "ARABIC", "he": "HEBREW", "hi": "DEVANAGARI", "th": "THAI", "zh": "CJK",
    "ko": "HANGUL",
}  # fmt: skip
"""Language -> script, the first word of its letters' Unicode names. Languages without stop words are told by script alone."""

ENDS: Final = ("###", "<image>")
"""Text that the conversation template uses itself: an answer that holds it would end early, or lose a piece."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a page must be like.

    Attributes:
        min_characters: least number of characters
        max_characters: most characters, so that reading the whole page fits a model's context
        readable: least share of characters that are letters, digits, marks or signs (not unknown or private ones)
        script: least share of letters that belong to the language's script
        stop_words: least share of words that are among the language's commonest
        single: greatest share of words of one letter, which print that was taken apart has
        density: least and greatest share of the page that is covered by lines of text
        figures: greatest share of the page that is covered by pictures and drawings
        lost: greatest share of the file's characters that the picture does not show upright
        print_px: least height of the print in pixels (median of the lines)
    """

    min_characters: int = 200
    max_characters: int = 6000
    readable: float = 0.97
    script: float = 0.8
    stop_words: float = 0.1
    single: float = 0.3
    density: tuple[float, ...] = (0.03, 0.85)
    figures: float = 0.6
    lost: float = 0.1
    print_px: float = 6.0

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if len(self.density) != 2 or not 0 <= self.density[0] <= self.density[1]:
            yield f"density={list(self.density)}: needs two shares, the least and the greatest"
        if not 0 <= self.min_characters <= self.max_characters:
            yield f"max_characters={self.max_characters}: must be at least min_characters={self.min_characters}"


def reason_against(page: Page, language: str, limits: Limits) -> str | None:
    """Return why a page is left out, the first of the rules below that it breaks, or None.

    Args:
        page: as the picture shows it.
        language: a key of `SCRIPTS`, or ``any``.
        limits: the thresholds.
    """
    text = page.text
    if not text:
        return "scanned page without text" if page.figures else "empty page" if not page.lost else "text that is not shown"
    if page.lost > limits.lost * (page.lost + len(text)):
        return "text that is not shown"
    broken = (why for why, holds in _RULES.items() if holds(page, text, limits))
    return next(broken, None) or (None if language == "any" else _foreign(text, language, limits))


def _foreign(text: str, language: str, limits: Limits) -> str | None:
    letters = [char for char in text if char.isalpha()]
    words = [word.strip(".,;:!?()[]\"'").lower() for word in text.split()]
    if sum(_script(char) == SCRIPTS[language] for char in letters) < limits.script * len(letters):
        return "other script"
    common = set(STOP_WORDS.get(language, "").split())
    if common and sum(word in common for word in words) < limits.stop_words * len(words):
        return "other language"
    return None


@lru_cache(maxsize=65536)
def _script(char: str) -> str:
    return unicodedata.name(char, "UNKNOWN").split()[0]


def _is_unreadable(text: str, limits: Limits) -> bool:
    printed = [char for char in text if not char.isspace()]
    good = sum(char != "\ufffd" and unicodedata.category(char)[0] != "C" for char in printed)
    return good < limits.readable * len(printed) or "(cid:" in text


def _is_taken_apart(text: str, limits: Limits) -> bool:
    words = [word for word in text.split() if word[0].isalpha()]
    return sum(len(word) == 1 and not 0x2E80 <= ord(word) <= 0x9FFF for word in words) > limits.single * len(words)


def _share_of_text(page: Page) -> float:
    return sum(area(line.box) for line in page.lines) / (page.width * page.height)


def _share_of_figures(page: Page) -> float:
    """Return how much of the page figures cover, overlaps counted once, measured on a grid of 64 x 64 points."""
    steps = 64
    points = [((x + 0.5) * page.width / steps, (y + 0.5) * page.height / steps) for x in range(steps) for y in range(steps)]
    inside = sum(any(box[0] <= x < box[2] and box[1] <= y < box[3] for box in page.figures) for x, y in points)
    return inside / steps**2


def _print_px(page: Page) -> float:
    sizes = sorted(line.size for line in page.lines)
    return sizes[len(sizes) // 2]


_RULES: Final[Mapping[str, Callable[[Page, str, Limits], bool]]] = {
    "too little text": lambda page, text, limits: len(text) < limits.min_characters,
    "too much text": lambda page, text, limits: len(text) > limits.max_characters,
    "text with a mark of the template": lambda page, text, limits: any(mark in text for mark in ENDS),
    "unreadable characters": lambda page, text, limits: _is_unreadable(text, limits),
    "words taken apart": lambda page, text, limits: _is_taken_apart(text, limits),
    "print too small": lambda page, text, limits: _print_px(page) < limits.print_px,
    "print too sparse": lambda page, text, limits: _share_of_text(page) < limits.density[0],
    "print too dense": lambda page, text, limits: _share_of_text(page) > limits.density[1],
    "mostly figures": lambda page, text, limits: bool(page.figures) and _share_of_figures(page) > limits.figures,
}
"""Reason -> whether it holds; tried in this order."""
