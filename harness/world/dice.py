"""Seeded draws that give the same values on every machine and Python version.

Only `random.Random.random` is used: it is the one method whose sequence Python promises to keep for a given seed. The seed
hashes the kind, the split and the number, so that no two splits share a stream.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

from harness.world.palette import Split

T = TypeVar("T")


def _digest(text: str) -> int:
    """Return a 64-bit hash that does not depend on the process, unlike `hash`."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def split_of(content: str, eval_share: int = 4) -> Split:
    """Say to which split a piece of content (a word, a value, a digit's index) belongs: one in ``eval_share`` is eval."""
    return "eval" if _digest(f"content|{content}") % eval_share == 0 else "train"


class Dice:
    """A stream of draws for one world."""

    def __init__(self, kind: str, seed: int, split: Split) -> None:
        self._random = random.Random(_digest(f"{kind}|{seed}|{split}")).random

    def below(self, n: int) -> int:
        """Return a whole number in [0, n)."""
        return int(self._random() * n)

    def between(self, low: int, high: int) -> int:
        """Return a whole number in [low, high], both included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Return true with the given probability."""
        return self._random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[int(self._random() * len(items))]

    def sample(self, items: Sequence[T], n: int) -> list[T]:
        """Return ``n`` different items in random order (fewer if there are not so many)."""
        pool = list(items)
        for i in range(min(n, len(pool))):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:n]
