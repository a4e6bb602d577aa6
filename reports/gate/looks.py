"""Many cluster sums at once, at one or several looks: the statistics and decisions that replaying and simulating share.

Rows are repetitions (one for a real comparison), columns are clusters in the order in which they are asked: that of a hash of
their name, never that of the file, which is sorted by category.

At a look, over the clusters seen so far, a loss beyond what is tolerated is shown if z_loss is below minus its boundary, and a
loss of ``margin`` is ruled out if z_pass is above its own (`reports.gate.spending`). Both are Student's t turned into normal
values, with the padded standard error of `reports.gate.moments`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.hashed import mark
from reports.gate.moments import padded
from reports.gate.policy import Policy, Rule
from reports.gate.spending import Spending, boundaries

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from reports.paired import Floats, Ints

UNDECIDED, FAILED, PASSED = 0, -1, 1


def hash_order(task: str, clusters: Sequence[str]) -> Ints:
    """The order in which clusters are asked, int[G]: by a hash of benchmark and name, the same for every run."""
    import numpy as np

    marks = [mark(task, name) for name in clusters]
    return np.array(sorted(range(len(marks)), key=marks.__getitem__), dtype=np.int64)


def look_counts(clusters: int, looks: int) -> tuple[int, ...]:
    """How many clusters have been seen at each look; fewer looks where there are too few clusters for a test at each."""
    counts = [math.ceil(clusters * (look + 1) / looks) for look in range(looks)]
    return tuple(dict.fromkeys(count for count in counts if count >= min(2, clusters)))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When looks are taken at one benchmark, and how strong the evidence must be there."""

    counts: tuple[int, ...]
    fails: tuple[float, ...]
    passes: tuple[float, ...] | None


def planned(rule: Rule, policy: Policy, family: int, clusters: int, looks: int, spending: Spending) -> Plan:
    """Plan the looks at a benchmark with so many clusters.

    Failing is tested at alpha / family, passing at alpha (``non_inferior``) or 1 - power (``no_regression``, which passes early
    only where a loss of ``margin`` is unlikely; stopping for that cannot raise the false alarms).
    """
    counts = look_counts(clusters, looks)
    shares = tuple(count / clusters for count in counts)
    level = policy.alpha if rule.mode == "non_inferior" else 1 - policy.power
    passes = boundaries(level, shares, spending) if rule.margin is not None else None
    return Plan(counts=counts, fails=boundaries(policy.alpha / family, shares, spending), passes=passes)


def decided(sums: Floats, sizes: Ints, scale: float, rule: Rule, plan: Plan) -> npt.NDArray[np.int8]:
    """What each look decides in each row if nothing was decided before: FAILED, PASSED or UNDECIDED, int8[rows, looks]."""
    import numpy as np

    found = np.zeros((len(sums), len(plan.counts)), dtype=np.int8)
    tolerated = rule.margin or 0.0 if rule.mode == "non_inferior" else rule.tolerated
    for look, count in enumerate(plan.counts):
        seen = padded(sums[:, :count], sizes[:count], scale)
        found[seen.normal(tolerated) < -plan.fails[look], look] = FAILED
        if plan.passes is not None and rule.margin is not None:
            ruled_out = seen.normal(rule.margin) > plan.passes[look]
            found[ruled_out & (found[:, look] == UNDECIDED), look] = PASSED
    return found


def settled(found: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], Ints]:
    """The first decision of each row and the look that it came at (the last one where none did), int8[rows], int[rows]."""
    import numpy as np

    known = found != UNDECIDED
    look = np.where(known.any(axis=1), known.argmax(axis=1), found.shape[1] - 1)
    return found[np.arange(len(found)), look], look
