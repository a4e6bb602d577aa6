"""What all mini benchmarks share: streams of evaluation worlds, names for things, fair pairs and options, encoded pictures.

Fair means that the sentences alone say nothing: a proposition is asked as often where it is true as where it is false, and of a
set of options each is as likely to be right. Pairs and groups of pictures that swap their answers give that by construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from typing import Final, TypeVar

from PIL import Image

from harness.world import Box, Dice, Scene, Thing, World, draw, is_held_out

W = TypeVar("W", bound=World)
T = TypeVar("T")

NUMBER_WORDS: Final = ("zero", "one", "two", "three", "four", "five", "six")
_POOL_FACTOR: Final = 6


def worlds(form: type[W], kind: str, purpose: str, seed: int) -> Iterator[W]:
    """Yield evaluation worlds of one kind without end; each purpose and seed starts at its own place."""
    for number in count(Dice(f"{purpose}|{kind}", seed, "eval").below(2**40)):
        world = draw(kind, number, "eval")
        assert isinstance(world, form)
        yield world


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun.

    >>> with_article("orange ring")
    'an orange ring'
    """
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def name_of(thing: Thing) -> str:
    """Return colour and shape, "red ring"."""
    return f"{thing.colour} {thing.shape}"


def asked(scene: Scene) -> list[Thing]:
    """Return the things that evaluation may ask about: held out from training, and the only one of its colour and shape."""
    names = [name_of(thing) for thing in scene.things]
    return [thing for thing in scene.things if is_held_out(thing.shape, thing.colour) and names.count(name_of(thing)) == 1]


def relation(first: Box, second: Box, clear_px: int = 4) -> str | None:
    """Say where ``first`` lies seen from ``second``: left, right, above, below; None if that is not plain to see.

    Plain means that the boxes are ``clear_px`` apart along one axis, and less far apart, by half, along the other.
    """
    dx, dy = first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]
    if abs(dx) >= 2 * abs(dy) and (first.x1 + clear_px <= second.x0 or second.x1 + clear_px <= first.x0):
        return "left" if dx < 0 else "right"
    if abs(dy) >= 2 * abs(dx) and (first.y1 + clear_px <= second.y0 or second.y1 + clear_px <= first.y0):
        return "above" if dy < 0 else "below"
    return None


def groups(stream: Iterator[T], size: int, n: int, apart: Callable[[T, T], float | None]) -> list[list[T]]:
    """Form ``n`` groups of worlds that are close to one another, so that each one's answer can stand as the others' lure.

    Args:
        stream: worlds without end; about six times as many are drawn as are needed.
        size: members of a group.
        n: groups wanted.
        apart: how far two are apart (least is closest); None if they must not meet, because their answers are equal.
    """
    pool = [next(stream) for _ in range(n * size * _POOL_FACTOR)]
    found: list[list[T]] = []
    while len(found) < n:
        group = [pool.pop(0)]
        while len(group) < size:
            far = [(distance, i) for i in range(len(pool)) if (distance := _nearest(group, pool[i], apart)) is not None]
            if not far:
                pool += [next(stream) for _ in range(size * _POOL_FACTOR)]
                continue
            group.append(pool.pop(min(far)[1]))
        found.append(group)
    return found


def _nearest(group: Sequence[T], other: T, apart: Callable[[T, T], float | None]) -> float | None:
    distances = [apart(member, other) for member in group]
    known = [distance for distance in distances if distance is not None]
    return min(known) if len(known) == len(distances) else None


def word_distance(first: str, second: str) -> float | None:
    """Count differing letters, other lengths far away; None for equal words."""
    if first == second:
        return None
    return abs(len(first) - len(second)) * 10 + sum(a != b for a, b in zip(first, second, strict=False))


@dataclass(frozen=True, slots=True)
class Options:
    """Options in order with the place of the right one."""

    texts: tuple[str, ...]
    right: int

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return "ABCDEFGH"[self.right]


def places(dice: Dice, n: int) -> Iterator[int]:
    """Yield the numbers below ``n`` in shuffled rounds without end: even over every round, and in no order."""
    while True:
        yield from dice.sample(range(n), n)


def options(dice: Dice, answer: str, lures: Sequence[str], turn: int) -> Options:
    """Mix the answer among its lures; it gets place ``turn``, counted round and round."""
    texts = dice.sample(lures, len(lures))
    right = turn % (len(texts) + 1)
    texts.insert(right, answer)
    return Options(tuple(texts), right)


def interleave(lists: Sequence[Sequence[T]]) -> list[T]:
    """Deal the members of several lists out in turn, so that any first part of the result holds all kinds."""
    return [members[i] for i in range(max(map(len, lists), default=0)) for members in lists if i < len(members)]


def encoded(image: Image.Image, form: str = "PNG") -> bytes:
    """Encode a picture as PNG, or as JPEG of high quality with full colour resolution."""
    buffer = BytesIO()
    if form == "JPEG":
        image.save(buffer, form, quality=95, subsampling=0)
    else:
        image.save(buffer, form)
    return buffer.getvalue()
