"""Streams of worlds together with something to ask about them, for the mini benchmarks that ask about the same thing.

A stream's ``purpose`` decides, with the seed, which worlds it draws; so two benchmarks that use one stream share no picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from harness.world import Bar, Chart, Dice, Scene, Sign, Thing
from tasks.mini.draws import asked, groups, interleave, relation, word_distance, worlds

T = TypeVar("T")


def related(purpose: str, seed: int) -> Iterator[tuple[Scene, Thing, Thing, str]]:
    """Yield scenes with two things of which the first plainly lies on one side of the second, and that side."""
    dice = Dice(purpose, seed, "eval")
    for scene in worlds(Scene, "scene", purpose, seed):
        things = dice.sample(asked(scene), 2)
        side = relation(things[0].box, things[1].box) if len(things) == 2 else None
        if side is not None:
            yield scene, things[0], things[1], side


def extremes(purpose: str, seed: int) -> Iterator[tuple[Chart, str, Bar, list[str]]]:
    """Yield charts with ``highest`` and ``lowest`` in turn, the bar that is it, and the names of the others."""
    for turn, chart in enumerate(worlds(Chart, "chart", purpose, seed)):
        kind = ("highest", "lowest")[turn % 2]
        best = (max if kind == "highest" else min)(chart.bars, key=lambda bar: bar.value)
        yield chart, kind, best, [bar.name for bar in chart.bars if bar != best]


def signs(purpose: str, seed: int, size: int, n: int) -> Iterator[tuple[Sign, list[str]]]:
    """Yield ``n`` signs (rounded up to whole groups of ``size``) with the similar words of the others in their group."""
    stream = worlds(Sign, "sign", purpose, seed)
    for group in groups(stream, size, -(-n // size), lambda a, b: word_distance(a.word, b.word)):
        yield from ((sign, [other.word for other in group if other is not sign]) for sign in group)


def dealt(streams: Sequence[Iterator[T]], sizes: Sequence[int]) -> list[T]:
    """Take so many from each stream and deal them out in turn."""
    return interleave([[next(stream) for _ in range(size)] for stream, size in zip(streams, sizes, strict=True)])
