"""Checks a candidate against a policy: finds the runs, compares each benchmark, decides.

What cannot be compared (another version, prompt, judge, missing samples) makes its benchmark invalid and says why; it never makes
it disappear.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import ResultError
from reports.aligned import Aligned, align
from reports.comparable import check_allowed, differing
from reports.gate.entries import Entry, counterpart, entry_of, find, runs_in
from reports.gate.evidence import weigh
from reports.gate.policy import Ask, Policy, Rule, asks
from reports.gate.verdicts import Counts, Tested, Verdict, Word, judge, overall


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where names are looked up: ``folder`` of the policy, ``tags`` of tagged baselines; ``name`` picks the candidate's model."""

    folder: Path
    tags: Path
    name: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """One benchmark of a policy: both runs' scores in one order, or the problem that keeps them from being compared."""

    ask: Ask
    entry: Entry | None = None
    other: Entry | None = None
    aligned: Aligned | None = None
    problem: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        """The metric's name, as far as it is known."""
        return self.ask.rule.metric or (self.entry.run.primary if self.entry else "")


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """The verdicts of a policy on a candidate; all that the output formats write."""

    policy: Policy
    baseline: str
    candidate: str
    models: tuple[str, str]
    verdicts: tuple[Verdict, ...]

    @property
    def word(self) -> Word:
        """The verdict on the policy."""
        return overall(verdict.word for verdict in self.verdicts)


def check(policy: Policy, candidate: str, places: Places) -> GateReport:
    """Check a candidate against a policy.

    Args:
        policy: what is asked, with the baseline's name.
        candidate: a run folder, a folder of one model's runs, or a baseline file.
        places: where names are looked up.

    Raises:
        ResultError: baseline or candidate cannot be found or read.
        ConfigError: the policy names an unknown suite.
    """
    compared = compare(policy, candidate, places)
    return report(policy, candidate, compared, judge([tested(one, policy, len(compared)) for one in compared], policy))


def report(policy: Policy, candidate: str, compared: Sequence[Compared], verdicts: Sequence[Verdict]) -> GateReport:
    """Put the verdicts together with the names of the models."""
    sides = [one.entry for one in compared], [one.other for one in compared]
    first, second = (next((entry.run.model for entry in side if entry), "") for side in sides)
    return GateReport(
        policy=policy, baseline=policy.baseline, candidate=candidate, models=(first, second), verdicts=tuple(verdicts)
    )  # fmt: skip


def compare(policy: Policy, candidate: str | Sequence[Path], places: Places, ignored: Sequence[str] = ()) -> list[Compared]:
    """Pair the runs of baseline and candidate for everything that a policy asks, as far as they can be compared.

    Args:
        policy: what is asked.
        candidate: its name, or its run folders.
        places: where names are looked up.
        ignored: what differs by design, besides what the policy allows.
    """
    allowed = check_allowed(policy.allow)
    with tempfile.TemporaryDirectory(prefix="riddle-gate-") as scratch:
        ours = find(policy.baseline, places.folder, places.tags, Path(scratch, "baseline"), policy.model)
        if isinstance(candidate, str):
            theirs = find(candidate, Path(), places.tags, Path(scratch, "candidate"), places.name)
        else:
            theirs = [entry_of(run) for folder in candidate for run in runs_in(folder)]
        return [_compared(ask, ours, theirs, allowed, ignored) for ask in asks(policy, (entry.run.task for entry in ours))]


def tested(one: Compared, policy: Policy, family: int) -> Tested:
    """Count and weigh one benchmark."""
    head = Tested(task=one.ask.task, metric=one.metric, rule=one.ask.rule, problem=one.problem, facts=one.facts)
    if one.aligned is None:
        return head
    try:
        counts = _counts(one.aligned, one.ask.rule)
        evidence = weigh(one.aligned, one.ask.rule, policy, family)
    except ResultError as error:
        return replace(head, problem=str(error))
    return replace(head, unit=one.aligned.unit, counts=counts, evidence=evidence)


def _compared(
    ask: Ask, ours: Sequence[Entry], theirs: Sequence[Entry], allowed: Collection[str], ignored: Collection[str]
) -> Compared:
    found = Compared(ask=ask)
    try:
        entry = _of_baseline(ask, ours)
        found = replace(found, entry=entry)
        other = counterpart(entry, theirs)
        found = replace(found, other=other)
        apart = [one for one in differing(entry.aspects, other.aspects) if one.aspect not in ignored]
        if refused := [one for one in apart if one.aspect not in allowed]:
            raise ResultError("not comparable: " + "; ".join(map(str, refused)))
        aligned = align(entry.run, other.run, ask.rule.metric)
        facts = {"counted": aligned.counted, "differs": "; ".join(map(str, apart))}
        return replace(found, aligned=aligned, facts=facts)
    except ResultError as error:
        return replace(found, problem=str(error))


def _of_baseline(ask: Ask, ours: Sequence[Entry]) -> Entry:
    fitting = [one for one in ours if one.run.task == ask.task and one.run.convention.partition("@")[0] == ask.rule.convention]
    if not fitting:
        raise ResultError(f"the baseline has no finished run of it (convention {ask.rule.convention})")
    if len(fitting) > 1:
        raise ResultError(f"the baseline has {len(fitting)} runs of it; keep one of them with riddle gate save")
    return fitting[0]


def _counts(aligned: Aligned, rule: Rule) -> Counts:
    """Count what the candidate lacks. Raises `ResultError` if too much is missing, or if it has more than the baseline."""
    if aligned.absent_a:
        extra = ", ".join(aligned.absent_a)
        raise ResultError(f"{len(aligned.absent_a)} samples of the candidate are not in the baseline: {extra:.200}")
    flags = aligned.rows_b.flags
    missing, failed = flags["missing"], flags["failed"] & ~flags["missing"]
    n = len(aligned.sample_ids)
    counts = Counts(
        samples=n, absent=int(missing.sum()), failed=int(failed.sum()),
        unparsed=int((flags["unparsed"] & ~missing & ~failed).sum()), truncated=int(flags["truncated"].sum()),
        baseline_silent=len(aligned.silent_a),
    )  # fmt: skip
    if counts.absent > (1 - rule.coverage) * n + 1e-9:
        names = ", ".join(name for name, gone in zip(aligned.sample_ids, missing.tolist(), strict=True) if gone)
        raise ResultError(f"{counts.absent} of {n} samples are missing, coverage {rule.coverage:.1%} is required: {names:.200}")
    return counts
