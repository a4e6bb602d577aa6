"""Streams of short questions about pictures, each with one right answer: what the mini benchmarks for visual questions ask alike.

Fair as all of them are: a sentence is true as often as false, and of the answers that a sentence may have each is as frequent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from harness.world import Dice, Page, Scene, Thing, combinations
from tasks.mini.draws import asked, name_of, places, with_article, worlds
from tasks.mini.findings import dealt, related, signs
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording

SIDES: Final = {"circle": "0", "ring": "0", "triangle": "3", "square": "4", "diamond": "4", "star": "10", "cross": "12"}
"""Straight sides of a shape; a heart's may be argued about."""

MOST: Final = 5
OPPOSITE: Final = {"left": "right", "right": "left", "above": "below", "below": "above"}
_CLOSE: Final = 8


@dataclass(frozen=True)
class Short:
    """A picture with a question: ``kind`` names its template, ``fields`` fill it."""

    image: Image.Image
    kind: str
    answer: str
    fields: dict[str, str] = field(default_factory=dict)

    def asked_by(self, benchmark: str) -> str:
        """The question in a benchmark's words."""
        return wording(f"{benchmark}/{self.kind}", **self.fields)


Stream = Callable[[str, int], Iterator[Short]]
"""Questions of a kind for a purpose and a seed, without end."""


def alone(scene: Scene, of: str, shape: str, colour: str) -> bool:
    """Whether a pair is there that may be asked about, and the only thing of its shape, or of its colour."""
    found = [thing for thing in asked(scene) if (thing.shape, thing.colour) == (shape, colour)]
    return bool(found) and sum(getattr(thing, of) == getattr(found[0], of) for thing in scene.things) == 1


def colours(purpose: str, seed: int) -> Iterator[Short]:
    """Ask for the colour of the only thing of a shape; each pair of evaluation comes as often."""
    scenes, pairs = worlds(Scene, "scene", f"{purpose}/colour", seed), combinations("eval")
    for place in places(Dice(f"{purpose}/colour", seed, "eval"), len(pairs)):
        shape, colour = pairs[place]
        scene = next(one for one in scenes if alone(one, "shape", shape, colour))
        others = [pair[1] for pair in pairs if pair[0] == shape and pair[1] != colour]
        yield Short(scene.image, "colour", colour, {"shape": shape, "other": others[0]})


def counts(purpose: str, seed: int) -> Iterator[Short]:
    """Ask how many things there are; one to five come as often."""
    scenes = worlds(Scene, "scene", f"{purpose}/count", seed)
    for place in places(Dice(f"{purpose}/count", seed, "eval"), MOST):
        yield Short(next(one for one in scenes if len(one.things) == place + 1).image, "count", str(place + 1))


def sides(purpose: str, seed: int) -> Iterator[Short]:
    """Ask how many straight sides the only thing of a picture has."""
    for scene in worlds(Scene, "scene", f"{purpose}/sides", seed):
        if len(scene.things) == 1 and scene.things[0].shape in SIDES:
            yield Short(scene.image, "sides", SIDES[scene.things[0].shape])


def presence(purpose: str, seed: int) -> Iterator[Short]:
    """Ask whether a thing is there, of a picture that has it and of one that has it not."""
    scenes = worlds(Scene, "scene", f"{purpose}/presence", seed)
    for scene in scenes:
        for thing in asked(scene)[:1]:
            other = next(one for one in scenes if not any(_alike(thing, there) for there in one.things))
            for shown, answer in ((scene, "yes"), (other, "no")):
                yield Short(shown.image, "presence", answer, {"a_thing": with_article(name_of(thing))})


def _alike(one: Thing, other: Thing) -> bool:
    return (one.shape, one.colour) == (other.shape, other.colour)


def relations(purpose: str, seed: int) -> Iterator[Short]:
    """Ask whether a thing lies on a side of another, where it does and where it lies opposite."""
    for scene, thing, other, side in related(f"{purpose}/relation", seed):
        for named, answer in ((side, "yes"), (OPPOSITE[side], "no")):
            yield Short(scene.image, f"relation/{named}", answer, {"thing": name_of(thing), "other": name_of(other)})


def words(purpose: str, seed: int) -> Iterator[Short]:
    """Ask for the word of a sign; ``lure`` is a similar one."""
    while True:
        for sign, lures in signs(f"{purpose}/word", seed, 2, _CLOSE):
            yield Short(sign.image, "word", sign.word, {"word": sign.word, "lure": lures[0]})
        seed += 1_000_003


def entries(purpose: str, seed: int) -> Iterator[Short]:
    """Ask for the value of a field of a page."""
    dice = Dice(f"{purpose}/entry", seed, "eval")
    for page in worlds(Page, "page", f"{purpose}/entry", seed):
        one = dice.pick(page.fields)
        yield Short(page.image, "entry", one.value, {"name": one.name.lower()})


def taken(streams: Sequence[Stream], purpose: str, seed: int, size: Size) -> list[Short]:
    """Take the wanted number from each stream, a part each, and deal them out in turn."""
    return dealt([stream(purpose, seed) for stream in streams], size.split((1,) * len(streams)))


def people(answer: str, other: str) -> list[str]:
    """Ten people's answers: eight say the same."""
    return [answer] * 8 + [other] * 2
