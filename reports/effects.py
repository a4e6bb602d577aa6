"""Where the difference of two runs lies: the samples that flipped, and the categories.

Not here: the difference as a whole (`reports.compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import ResultError
from reports.aligned import Aligned, align
from reports.load import Run
from reports.paired import Paired, holm, paired

if TYPE_CHECKING:
    from reports.paired import Floats, Ints

FLIP = 0.5
"""A score that falls or rises by so much, of 0 to 1, has flipped."""
MOST_VALUES = 40
"""A group with more values than this is no category."""
RIGHT = "correct"
"""The score of single samples where a metric counts clusters."""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A unit that was right in one run and wrong in the other; ``page``: where it can be seen, if a leaderboard was written."""

    sample_id: str
    a: float
    b: float
    page: str | None


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The difference in one category; ``p_adjusted``: by Holm over the values of its group."""

    group: str
    value: str
    score_a: float
    score_b: float
    result: Paired
    p_adjusted: float


def flips(units: Aligned, page: Callable[[str], str | None]) -> tuple[tuple[Flip, ...], tuple[Flip, ...]]:
    """Return the units that were right in the baseline only, and in the candidate only, in the benchmark's order.

    Where a metric counts clusters, the single samples' own right and wrong, if they have any.
    """
    a, b, ids = units.a, units.b, units.ids
    if units.counted == "cluster":
        if RIGHT not in units.rows_a.scores:
            return (), ()
        a, b, ids = units.rows_a.scores[RIGHT], units.rows_b.scores[RIGHT], units.sample_ids
    change = b - a if units.higher_is_better else a - b
    fallen, risen = (tuple(_flip(i, a, b, ids, page) for i in places) for places in _both(change))
    return fallen, risen


def _both(change: Floats) -> tuple[list[int], list[int]]:
    import numpy as np

    return np.flatnonzero(change <= -FLIP).tolist(), np.flatnonzero(change >= FLIP).tolist()


def _flip(i: int, a: Floats, b: Floats, ids: Sequence[str], page: Callable[[str], str | None]) -> Flip:
    return Flip(sample_id=ids[i], a=float(a[i]), b=float(b[i]), page=page(ids[i]))


def effects(run_a: Run, run_b: Run, units: Aligned, confidence: float, seed: int) -> Iterator[Effect]:
    """Yield the differences in the categories of a benchmark, the values of each group adjusted by Holm together."""
    named = _by_metric(run_a, run_b, units) if units.counted == "cluster" else _by_group(units)
    for group, parts in named:
        found = []
        for value, (a, b, cluster), (score_a, score_b) in parts:
            result = paired(a, b, cluster, confidence=confidence, seed=seed)
            found.append(Effect(group=group, value=value, score_a=score_a, score_b=score_b, result=result, p_adjusted=1.0))
        adjusted = holm([one.result.p for one in found])
        yield from (replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True))


Part = tuple[str, tuple["Floats", "Floats", "Ints"], tuple[float, float]]


def _by_group(units: Aligned) -> Iterator[tuple[str, list[Part]]]:
    """The units by the values of each group that has between two and `MOST_VALUES` of them."""
    for group, column in units.rows_a.groups.items():
        labels = column[units.places]
        values = sorted(set(labels) - {""})
        if not 2 <= len(values) <= min(MOST_VALUES, len(labels) // 2):
            continue
        parts = []
        for value in values:
            inside = labels == value
            a, b = units.a[inside], units.b[inside]
            parts.append((value, (a, b, units.cluster[inside]), (float(a.mean()), float(b.mean()))))
        yield group, parts


def _by_metric(run_a: Run, run_b: Run, units: Aligned) -> Iterator[tuple[str, list[Part]]]:
    """The metrics that the benchmark itself expands by a group, ``score/existence``, where both runs have them."""
    names: dict[str, list[str]] = {}
    for value in run_a.values:
        base, slash, label = value.name.partition("/")
        if slash:
            names.setdefault(base, []).append(label)
    for base, labels in names.items():
        parts = []
        for label in labels:
            try:
                own = align(run_a, run_b, f"{base}/{label}")
            except ResultError:  # undefined in one of the runs, such as F1 without positives
                continue
            parts.append((label, (own.a, own.b, own.cluster), (own.value_a, own.value_b)))
        if parts:
            yield base, parts
