"""How many questions a mini benchmark has: in all, or in each of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.errors import ConfigError

DEFAULT_N: Final = 200


@dataclass(frozen=True, slots=True)
class Size:
    """The questions wanted: ``n`` in all, dealt out over the parts by their weights, or at least ``each`` in every part.

    A part is what a benchmark's authors report a number for, or a kind of question within it; each module of a mini benchmark
    says which it has. With ``each``, ``n`` has no say.
    """

    n: int = DEFAULT_N
    each: int | None = None

    def __post_init__(self) -> None:
        """Raise `ConfigError` if a number is below 1."""
        for name, value in (("n", self.n), ("each", self.each)):
            if value is not None and value < 1:
                raise ConfigError(f"{name}={value} questions: at least 1 is needed")

    def split(self, weights: Sequence[int], per: int = 1) -> list[int]:
        """Return how many pictures each part gets, of which every one has ``per`` questions.

        >>> Size(n=10).split((3, 2)), Size(each=5).split((3, 2)), Size(each=5).split((3, 2), per=2)
        ([6, 4], [5, 5], [3, 3])
        """
        if self.each is not None:
            return [-(-self.each // per)] * len(weights)
        return shares(self.n // per, weights)

    def record(self) -> dict[str, int]:
        """Return what decides the questions, for the marker of a folder."""
        return {"n": self.n} if self.each is None else {"each": self.each}


def shares(n: int, weights: Sequence[int]) -> list[int]:
    """Split ``n`` in proportion to the weights, exactly and with the remainder to the first.

    >>> shares(10, (1, 1, 1))
    [4, 3, 3]
    """
    whole = sum(weights)
    parts = [n * weight // whole for weight in weights]
    for i in range(n - sum(parts)):
        parts[i % len(parts)] += 1
    return parts
