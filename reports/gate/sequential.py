"""A gate that looks early: replayed on complete runs, or asked of a run that grows in hash order (`harness.hashed`).

At each look a benchmark fails, passes or goes on (`reports.gate.looks`); the gate ends as soon as one fails, or nothing goes on.
What the last look leaves open is judged like a gate without looks, but for the loss, which only the boundaries can show.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ResultError
from reports.gate.check import Compared, GateReport, Places, compare, report, tested
from reports.gate.evidence import scale_of, signed_differences
from reports.gate.looks import FAILED, UNDECIDED, Plan, decided, hash_order, planned, settled
from reports.gate.policy import Policy
from reports.gate.spending import Spending
from reports.gate.verdicts import Verdict, judge, judge_early

if TYPE_CHECKING:
    from reports.aligned import Aligned
    from reports.paired import Ints

GROWS = ("limit", "samples", "prompt_text", "media")
"""What differs between a run that is still growing and a complete one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arranged:
    """One benchmark in hash order.

    Attributes:
        order: codes of its clusters in the order in which they are asked, int[G].
        asked: how many samples have been asked at each look.
        word, look: what the boundaries decide, and at which look (counted from 0) of those that can be taken so far.
    """

    one: Compared
    order: Ints
    plan: Plan
    asked: tuple[int, ...]
    word: int
    look: int

    @property
    def open(self) -> bool:
        """Whether a later look may decide."""
        return self.word == UNDECIDED and self.look + 1 < len(self.plan.counts)

    def at(self, look: int) -> Compared:
        """What had been seen at a look."""
        assert self.one.aligned is not None
        return replace(self.one, aligned=narrowed(self.one.aligned, self.order[: self.plan.counts[look]]))


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What looking early gives: the report, and samples asked, of how many, and at which look (from 1), by benchmark.

    ``going_on`` names the benchmarks that need a further look, with the number of samples to ask by then.
    """

    report: GateReport
    asked: tuple[int, ...]
    of: tuple[int, ...]
    at: tuple[int, ...]
    going_on: Mapping[str, int]


def replay(policy: Policy, candidate: str, places: Places, looks: int, spending: Spending = "obrien_fleming") -> Replay:
    """Say at which look a gate on complete runs would have ended. Raises what `reports.gate.check.check` does."""
    return _replayed(policy, candidate, compare(policy, candidate, places), looks, spending, looks - 1)


def step(policy: Policy, candidate: Sequence[Path], places: Places, looks: int, spending: Spending, look: int) -> Replay:
    """Judge a run that has grown up to a look (counted from 0)."""
    return _replayed(policy, "", compare(policy, candidate, places, GROWS), looks, spending, look)


def first_limits(policy: Policy, places: Places, looks: int, spending: Spending) -> dict[str, int]:
    """Return how many samples of each benchmark the first look needs, by the baseline compared with itself."""
    names = Places(folder=places.folder, tags=places.tags, name=policy.model)
    here = places.folder / policy.baseline
    compared = compare(policy, str(here) if here.exists() else policy.baseline, names)
    found = [_arranged(one, policy, len(compared), looks, spending, 0) for one in compared]
    return {one.one.ask.task: one.asked[0] for one in found if isinstance(one, Arranged)}


def _replayed(policy: Policy, candidate: str, compared: Sequence[Compared], looks: int, spending: Spending, upto: int) -> Replay:
    family = len(compared)
    found = [_arranged(one, policy, family, looks, spending, upto) for one in compared]
    known = [one for one in found if isinstance(one, Arranged)]
    stop = min((one.look for one in known if one.word == FAILED), default=looks)
    if looks == 1:  # nothing is looked at early, so the exact test of a gate without looks holds
        verdicts = judge([tested(one, policy, family) for one in compared], policy)
    else:
        verdicts = [_verdict(one, stop, looks, policy, family) for one in found]
    ends = [min(one.look, stop) if isinstance(one, Arranged) else 0 for one in found]
    return Replay(
        report=report(policy, candidate, compared, verdicts),
        asked=tuple(one.asked[end] if isinstance(one, Arranged) else 0 for one, end in zip(found, ends, strict=True)),
        of=tuple(one.asked[-1] if isinstance(one, Arranged) else 0 for one in found),
        at=tuple(end + 1 for end in ends),
        going_on={one.one.ask.task: one.asked[one.look + 1] for one in known if one.open} if stop == looks else {},
    )  # fmt: skip


def _arranged(one: Compared, policy: Policy, family: int, looks: int, spending: Spending, upto: int) -> Arranged | Compared:
    """Decide a benchmark by all looks up to one; one that cannot be compared stays as it is, with the problem."""
    import numpy as np

    if one.aligned is None:
        return one
    try:
        d, code = signed_differences(one.aligned)
    except ResultError as error:
        return replace(one, aligned=None, problem=str(error))
    known = np.unique(one.aligned.cluster)
    order = hash_order(one.ask.task, [one.aligned.clusters[cluster] for cluster in known.tolist()])
    plan = planned(one.ask.rule, policy, family, len(order), looks, spending)
    sums, sizes = np.bincount(code, weights=d).astype(np.float64)[order], np.bincount(code)[order]
    words = decided(sums[None], sizes, scale_of(one.aligned), one.ask.rule, plan)[:, : upto + 1]
    word, look = settled(words)
    return Arranged(
        one=one, order=known[order], plan=plan, asked=_asked(one, one.aligned, known[order], plan), word=int(word[0]),
        look=int(look[0]),
    )  # fmt: skip


def _asked(one: Compared, aligned: Aligned, order: Ints, plan: Plan) -> tuple[int, ...]:
    """Samples asked at each look, those that the metric passes over too; the last look asks all."""
    import numpy as np

    by_hash = hash_order(one.ask.task, aligned.clusters)
    place = {cluster: position for position, cluster in enumerate(by_hash.tolist())}
    sizes = np.bincount(aligned.rows_a.cluster, minlength=len(aligned.clusters))[by_hash]
    until = [int(sizes[: place[int(order[count - 1])] + 1].sum()) for count in plan.counts]
    return (*until[:-1], int(sizes.sum()))


def _verdict(one: Arranged | Compared, stop: int, looks: int, policy: Policy, family: int) -> Verdict:
    if isinstance(one, Compared):
        return judge_early(tested(one, policy, family), 0, "", policy, family)
    end = min(one.look, stop)
    where = f"at look {end + 1} of {looks}"
    last = end + 1 == len(one.plan.counts)
    verdict = judge_early(tested(one.at(end), policy, family), one.word if one.look <= stop else 0, where, policy, family)
    cut = (one.word == UNDECIDED or one.look > stop) and not last
    if cut and verdict.word in ("pass", "inconclusive"):
        return replace(verdict, word="inconclusive", why=f"not decided {where}, where the gate ended")
    return verdict


def narrowed(aligned: Aligned, clusters: Ints) -> Aligned:
    """Keep some clusters (codes) only; the values become the means over their units."""
    import numpy as np

    units, rows = np.isin(aligned.cluster, clusters), np.isin(aligned.rows_a.cluster, clusters)
    kept = frozenset(name for name, keep in zip(aligned.sample_ids, rows.tolist(), strict=True) if keep)
    a, b = aligned.a[units], aligned.b[units]
    return replace(
        aligned, a=a, b=b, cluster=aligned.cluster[units], places=aligned.places[units],
        ids=tuple(name for name, keep in zip(aligned.ids, units.tolist(), strict=True) if keep),
        value_a=float(a.mean()), value_b=float(b.mean()),
        rows_a=aligned.rows_a.select(rows), rows_b=aligned.rows_b.select(rows),
        sample_ids=_only(aligned.sample_ids, kept), absent_a=_only(aligned.absent_a, kept),
        absent_b=_only(aligned.absent_b, kept), silent_a=_only(aligned.silent_a, kept), silent_b=_only(aligned.silent_b, kept),
    )  # fmt: skip


def _only(names: Sequence[str], kept: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in kept)
