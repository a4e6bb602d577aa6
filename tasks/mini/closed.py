"""Streams of multiple choice about pictures, for the mini benchmarks that differ in files and words alone.

Not here: sentences (``wordings``), and the kinds of question that only one benchmark has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from harness.world import Dice
from tasks.mini.draws import NUMBER_WORDS, Options, name_of, options, places
from tasks.mini.findings import dealt, related
from tasks.mini.shorts import MOST, colours, counts, presence
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

SIDES: Final = ("left", "right", "above", "below")


@dataclass(frozen=True)
class Closed:
    """A question with its options; ``kind`` names its template, ``fields`` fill it."""

    image: Image.Image
    kind: str
    options: Options
    fields: Mapping[str, str] = field(default_factory=dict)

    def asked_by(self, benchmark: str) -> str:
        """The question in a benchmark's words."""
        return wording(f"{benchmark}/{self.kind}", **self.fields)

    @property
    def answer(self) -> str:
        """The text of the right option."""
        return self.options.texts[self.options.right]


def count(purpose: str, seed: int) -> Iterator[Closed]:
    """How many things there are, among four numbers."""
    dice = Dice(f"{purpose}/count/options", seed, "eval")
    words, turns = NUMBER_WORDS[1 : MOST + 1], places(dice, 4)
    for one in counts(purpose, seed):
        right = NUMBER_WORDS[int(one.answer)]
        lures = dice.sample([word for word in words if word != right], 3)
        yield Closed(one.image, "count", options(dice, right, lures, next(turns)))


def side(purpose: str, seed: int) -> Iterator[Closed]:
    """On which side of another thing a thing lies, of four."""
    dice = Dice(f"{purpose}/side/options", seed, "eval")
    turns = places(dice, 4)
    for scene, thing, other, found in related(f"{purpose}/side", seed):
        mixed = options(dice, found, [one for one in SIDES if one != found], next(turns))
        yield Closed(scene.image, "side", mixed, {"thing": name_of(thing), "other": name_of(other)})


def colour(purpose: str, seed: int) -> Iterator[Closed]:
    """Which of its two colours of evaluation a shape has."""
    dice = Dice(f"{purpose}/colour/options", seed, "eval")
    turns = places(dice, 2)
    for one in colours(purpose, seed):
        yield Closed(one.image, "colour", options(dice, one.answer, [one.fields["other"]], next(turns)), one.fields)


def there(purpose: str, seed: int) -> Iterator[Closed]:
    """Whether a thing is there, of a picture that has it and then of one that has it not."""
    turns = places(Dice(f"{purpose}/there/options", seed, "eval"), 2)
    yes_is_second = False
    for number, one in enumerate(presence(purpose, seed)):
        if number % 2 == 0:
            yes_is_second = bool(next(turns))
        texts = ("No", "Yes") if yes_is_second else ("Yes", "No")
        yield Closed(one.image, "there", Options(texts, texts.index(one.answer.capitalize())), one.fields)


KINDS: Final = {"count": count, "side": side, "colour": colour, "there": there}


def asked(benchmark: str, kinds: Sequence[str], seed: int, size: Size) -> list[Closed]:
    """So many questions of each kind, a part each, dealt out in turn."""
    return dealt([KINDS[kind](benchmark, seed) for kind in kinds], size.split((1,) * len(kinds)))
