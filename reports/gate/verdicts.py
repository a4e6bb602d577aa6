"""From evidence to verdicts: pass, fail, inconclusive, invalid; for each benchmark and for the policy.

Failing is a claim about any of m benchmarks, so its p values are adjusted together (Holm). Passing the policy is a claim about
all of them, which needs no adjustment: the policy passes only if each benchmark does (Berger, Technometrics 24 (1982) 295-300).
Limits on unparsed, failed and cut-off replies are no estimates and are compared as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from reports.gate.evidence import Evidence
from reports.gate.policy import Policy, Rule
from reports.paired import holm

Word = Literal["pass", "fail", "inconclusive", "invalid"]

GRAVEST: tuple[Word, ...] = ("fail", "invalid", "inconclusive", "pass")
"""A loss that is shown stays shown, whatever else could not be tested."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many samples the baseline has, and how many of them the candidate failed, was not asked, and so on."""

    samples: int
    absent: int = 0
    failed: int = 0
    unparsed: int = 0
    truncated: int = 0
    baseline_silent: int = 0

    def share(self, name: str) -> float:
        """A count as a share of the samples."""
        count: int = getattr(self, name)
        return count / self.samples

    def flaws(self) -> Iterator[str]:
        """Say what of the candidate's answers is none, and counts as wrong."""
        names = {"absent": "missing", "failed": "failed", "unparsed": "unparsed", "truncated": "cut off"}
        yield from (f"{getattr(self, name)} {word}" for name, word in names.items() if getattr(self, name))
        if self.baseline_silent:
            yield f"{self.baseline_silent} without a reply in the baseline"


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One benchmark under one rule: evidence and counts, or why there are none."""

    task: str
    metric: str
    rule: Rule
    unit: str = "percent"
    evidence: Evidence | None = None
    counts: Counts | None = None
    problem: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What follows for one benchmark. ``p_adjusted`` is Holm's over the policy; ``why`` says it in a sentence."""

    tested: Tested
    word: Word
    why: str
    p_adjusted: float


def judge(tested: Sequence[Tested], policy: Policy) -> list[Verdict]:
    """Decide all benchmarks of a policy together, in order; what could not be tested stays in the family with p = 1."""
    adjusted = holm([1.0 if one.evidence is None else one.evidence.p for one in tested])
    verdicts = []
    for one, p in zip(tested, adjusted, strict=True):
        word, why = _decided(one, p, policy, len(tested))
        verdicts.append(Verdict(tested=one, word=word, why=why, p_adjusted=p))
    return verdicts


def judge_early(one: Tested, word: int, where: str, policy: Policy, family: int) -> Verdict:
    """Decide one benchmark of a gate that looks early.

    Args:
        one: what was seen until it was decided.
        word: below 0 if a boundary shows a loss, above 0 if one rules out a loss of ``margin``.
        where: which look, and what had been seen.
        policy: the policy.
        family: the number of benchmarks.
    """
    if one.evidence is None or one.counts is None:
        return Verdict(tested=one, word="invalid", why=one.problem or "nothing was tested", p_adjusted=1.0)
    p, amount = min(1.0, one.evidence.p * family), _amount(one.unit)
    if word < 0:
        found: tuple[Word, str] = (
            "fail",
            f"a loss{_beyond(one.rule, amount)} is shown {where}: {amount(one.evidence.difference)}",
        )
    elif over := list(_over(one.counts, one.rule)):
        found = ("fail", "; ".join(over))
    elif word > 0:
        found = ("pass", f"a loss of {amount(one.rule.margin or 0)} is ruled out {where}")
    else:
        found = _not_lost(one, replace(one.evidence, worst=-math.inf), policy, family)
    return Verdict(tested=one, word=found[0], why=found[1], p_adjusted=p)


def overall(words: Iterable[Word]) -> Word:
    """The verdict on the policy, the gravest of all; invalid if there is none."""
    found = set(words)
    return next((word for word in GRAVEST if word in found), "invalid")


def _decided(one: Tested, p: float, policy: Policy, family: int) -> tuple[Word, str]:
    evidence, rule = one.evidence, one.rule
    if evidence is None or one.counts is None:
        return "invalid", one.problem or "nothing was tested"
    amount = _amount(one.unit)
    if p <= policy.alpha:
        beyond = _beyond(rule, amount)
        return "fail", f"a loss{beyond} is shown: {amount(evidence.difference)}, adjusted p {p:.2g}"
    if over := list(_over(one.counts, rule)):
        return "fail", "; ".join(over)
    if evidence.clusters < 2:
        return "inconclusive", "one cluster (picture, document) is all there is; nothing is known of the noise"
    return _not_lost(one, evidence, policy, family)


def _not_lost(one: Tested, evidence: Evidence, policy: Policy, family: int) -> tuple[Word, str]:
    rule, amount = one.rule, _amount(one.unit)
    ruled_out = rule.margin is not None and evidence.worst > -rule.margin
    if ruled_out:
        return "pass", f"a loss of {amount(rule.margin or 0)} is ruled out: at worst {amount(evidence.worst)}"
    if rule.mode == "non_inferior":
        return "inconclusive", f"a loss of {amount(rule.margin or 0)} is not ruled out: at worst {amount(evidence.worst)}"
    if evidence.floor * family > policy.alpha:
        needed = math.ceil(math.log2(family / policy.alpha))
        return "inconclusive", f"{evidence.clusters} clusters cannot show any loss among {family} tests; {needed} could"
    if rule.margin is not None and evidence.detectable > rule.margin - rule.tolerated:
        seen = amount(evidence.detectable + rule.tolerated)
        return "inconclusive", f"a loss of {amount(rule.margin)} could not be seen, only one of {seen}"
    return "pass", f"no loss{_beyond(rule, amount)} is shown; one of {amount(evidence.detectable + rule.tolerated)} would be seen"


def _over(counts: Counts, rule: Rule) -> Iterator[str]:
    for name, word in (("unparsed", "unparsed"), ("failed", "failed"), ("truncated", "cut off")):
        share, most = counts.share(name), getattr(rule, name)
        if share > most:
            yield f"{share:.1%} of the replies are {word}, at most {most:.1%} may be"


def _beyond(rule: Rule, amount: _Amount) -> str:
    size = rule.margin if rule.mode == "non_inferior" else rule.tolerated
    return f" beyond {amount(size)}" if size else ""


class _Amount:
    """Writes an amount of a metric as people read it: points, of a percentage or as the metric counts."""

    def __init__(self, unit: str) -> None:
        self._factor = 100.0 if unit == "percent" else 1.0

    def __call__(self, value: float) -> str:
        return f"{value * self._factor:.2f} points"


def _amount(unit: str) -> _Amount:
    return _Amount(unit)
