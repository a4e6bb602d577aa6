"""Measures a policy: how often it fails where nothing is lost, how often it sees a loss, how much of the samples it needs.

Each repetition draws a candidate from the baseline's own scores (`reports.gate.draws`), once as good as the baseline and once
worse everywhere. A loss in a single benchmark is the second draw there and the first elsewhere, so one set of draws serves all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.gate.draws import Bench, Change, draw
from reports.gate.evidence import loss_p
from reports.gate.looks import FAILED, PASSED, Plan, decided, planned, settled
from reports.gate.moments import Moments, moments, padded
from reports.gate.policy import Policy, Rule
from reports.gate.spending import Spending
from reports.paired import holm

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from reports.paired import Floats, Ints

BLOCK = 100
"""Repetitions at a time."""
FEW = 20
"""With no more clusters, the permutation is always gone through."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is simulated.

    Attributes:
        rules: one for each benchmark.
        loss: what is lost, in the unit of the metric.
        looks: how often results are looked at; 1 tests once, at the end.
    """

    benches: tuple[Bench, ...]
    shown: int
    rules: tuple[Rule, ...]
    policy: Policy
    change: Change
    loss: float
    looks: int = 1
    spending: Spending = "obrien_fleming"
    draws: int = 2000
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What came of all repetitions: for no change and for the loss, whether each benchmark fails or passes, and at which look.

    All are [2, repetitions, benchmarks]; ``used`` is the share of a benchmark's units seen by each look, [benchmarks][looks].
    """

    p: Floats
    passed: npt.NDArray[np.bool_]
    word: npt.NDArray[np.int8]
    look: Ints
    used: tuple[tuple[float, ...], ...]


def simulate(trial: Trial) -> Outcomes:
    """Draw and decide all repetitions."""
    import numpy as np

    random = np.random.default_rng(trial.seed)
    losses = {bench.name: trial.loss for bench in trial.benches}
    family = len(trial.benches)
    plans = [
        planned(rule, trial.policy, family, len(bench.sizes), trial.looks, trial.spending)
        for bench, rule in zip(trial.benches, trial.rules, strict=True)
    ]
    shape = (2, trial.draws, family)
    p, passed, word, look = np.ones(shape), np.zeros(shape, bool), np.zeros(shape, np.int8), np.zeros(shape, np.int64)
    for start in range(0, trial.draws, BLOCK):
        rows = slice(start, min(trial.draws, start + BLOCK))
        drawn = draw(trial.benches, trial.shown, rows.stop - rows.start, trial.change, losses, random)
        for place, both in enumerate(drawn):
            for side, sums in enumerate(both):
                at = (side, rows, place)
                p[at], passed[at] = _once(trial, place, sums, plain=bool(side))
                word[at], look[at] = _early(trial, place, plans[place], sums)
    return Outcomes(p=p, passed=passed, word=word, look=look, used=tuple(map(_used, trial.benches, plans)))


def _once(trial: Trial, place: int, sums: Floats, plain: bool) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The p of a loss and whether a loss of ``margin`` is ruled out or would be seen, at the end; float[rows], bool[rows].

    The permutation is only gone through where Student's t does not already say that nothing is shown; nor, where ``plain``
    (a loss was drawn), that far more is shown than the level asks.
    """
    import numpy as np
    from scipy.special import ndtr

    bench, rule, alpha, family = trial.benches[place], trial.rules[place], trial.policy.alpha, len(trial.benches)
    tolerated = rule.margin or 0.0 if rule.mode == "non_inferior" else rule.tolerated
    seen, wide = moments(sums, bench.sizes), padded(sums, bench.sizes, bench.scale)
    p: Floats = ndtr(seen.normal(tolerated))
    enough = alpha / family / 100 if plain and len(bench.sizes) > FEW else 0.0
    for row in np.flatnonzero((p >= enough) & (p < min(0.2, 0.01 + 8 * alpha / family))).tolist():
        one = Moments(mean=seen.mean[row : row + 1], se=seen.se[row : row + 1], freedom=seen.freedom[row : row + 1])
        p[row] = loss_p(sums[row], bench.sizes, tolerated, one)[0]
    if rule.margin is None:
        return p, np.full(len(p), 2.0 ** -len(bench.sizes) * family <= alpha)
    good = wide.bound(1 - alpha) > -rule.margin
    if rule.mode == "no_regression":
        good |= _quantiles(wide.freedom, 1 - alpha / family, trial.policy.power) * wide.se <= rule.margin - tolerated
    return p, good


def _quantiles(freedom: Floats, *levels: float) -> Floats:
    from scipy.special import stdtrit

    found: Floats = sum(stdtrit(freedom, level) for level in levels)
    return found


def _early(trial: Trial, place: int, plan: Plan, sums: Floats) -> tuple[npt.NDArray[np.int8], Ints]:
    bench = trial.benches[place]
    return settled(decided(sums, bench.sizes, bench.scale, trial.rules[place], plan))


def _used(bench: Bench, plan: Plan) -> tuple[float, ...]:
    return tuple(float(bench.sizes[:count].sum() / bench.sizes.sum()) for count in plan.counts)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often something happened, with Wilson's 95 % interval."""

    value: float
    low: float
    high: float

    def record(self) -> dict[str, float]:
        """Return the numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


def rate(hits: int, of: int) -> Rate:
    """Return hits as a share."""
    from harness.metrics.intervals import wilson

    low, high = wilson(hits / of, of)
    return Rate(value=hits / of, low=float(low), high=float(high))


def false_alarms(outcomes: Outcomes, alpha: float) -> Rate:
    """How often a policy fails anywhere although nothing is lost (Holm fails something if the smallest p is below alpha/m)."""
    least = outcomes.p[0].min(axis=1)
    return rate(int((least <= alpha / outcomes.p.shape[2]).sum()), len(least))


def detections(outcomes: Outcomes, alpha: float) -> list[tuple[Rate, Rate]]:
    """For each benchmark, how often it fails if it alone loses, and how often it would pass then."""
    found = []
    for place in range(outcomes.p.shape[2]):
        mixed = outcomes.p[0].copy()
        mixed[:, place] = outcomes.p[1][:, place]
        fails = sum(holm(row)[place] <= alpha for row in mixed.tolist())
        passes = int((outcomes.passed[1][:, place] & (outcomes.p[1][:, place] > alpha / mixed.shape[1])).sum())
        found.append((rate(fails, len(mixed)), rate(passes, len(mixed))))
    return found


@dataclass(frozen=True, kw_only=True)
class Early:
    """What looking early does in one situation: how often the policy fails, and the mean share of all units that is asked."""

    situation: str
    fails: Rate
    used: float


def early(outcomes: Outcomes, trial: Trial) -> Iterator[Early]:
    """Yield the situations: no change, a loss in one benchmark (each in turn), a loss in all."""
    import numpy as np

    none, all_ = (np.zeros(len(trial.benches), bool), np.ones(len(trial.benches), bool))
    yield _situation("no change", outcomes, trial, [none])
    one = list(np.eye(len(trial.benches), dtype=bool))
    yield _situation("one benchmark loses", outcomes, trial, one)
    yield _situation("all lose", outcomes, trial, [all_])


def _situation(name: str, outcomes: Outcomes, trial: Trial, losing: Sequence[npt.NDArray[np.bool_]]) -> Early:
    import numpy as np

    sizes = np.array([bench.sizes.sum() for bench in trial.benches], dtype=np.float64)
    looks = max(len(used) for used in outcomes.used)
    table = np.array([[0.0] * (looks - len(used)) + list(used) for used in outcomes.used])
    offset = np.array([looks - len(used) for used in outcomes.used])
    hits, share = 0, 0.0
    for mask in losing:
        word = np.where(mask, outcomes.word[1], outcomes.word[0])
        look = np.where(mask, outcomes.look[1], outcomes.look[0]) + offset
        stop = np.where(word == FAILED, look, looks - 1).min(axis=1)
        until = np.minimum(look, np.where((word == FAILED).any(axis=1), stop, looks - 1)[:, None])
        hits += int((word == FAILED).any(axis=1).sum())
        share += float((table[np.arange(len(sizes)), until] * sizes).sum() / sizes.sum() / len(word))
    return Early(situation=name, fails=rate(hits, len(losing) * outcomes.p.shape[1]), used=share / len(losing))


def early_passes(outcomes: Outcomes) -> Floats:
    """The share of benchmarks in which a loss of ``margin`` was ruled out, for no change and for a loss, float[2]."""
    found: Floats = (outcomes.word == PASSED).mean(axis=(1, 2))
    return found
