"""What a simulation draws from: a policy's baseline, or planned sizes.

Two samples show the same where they have the same first picture or clip; where that is not stored, where they share a cluster.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ResultError
from reports.aligned import align
from reports.gate.check import Places
from reports.gate.draws import Bench, Change, bench_of
from reports.gate.entries import Entry, find
from reports.gate.evidence import scale_of
from reports.gate.looks import hash_order
from reports.gate.planned import planned_benches
from reports.gate.policy import Ask, Policy, Rule, asks, values_of
from reports.gate.simulate import Trial


def trial_of(policy: Policy, places: Places, seed: int) -> Trial:
    """Return what a policy asks, ready to be drawn.

    Raises:
        ResultError: the baseline cannot be read, or lacks what the policy asks.
        ConfigError: a file of planned sizes is wrong.
    """
    if policy.baseline.endswith((".yaml", ".yml")):
        benches, shown, rules = _planned(policy, places.folder / policy.baseline, seed)
    else:
        benches, shown, rules = _kept(policy, places)
    if not benches:
        raise ResultError("the policy asks nothing of this baseline; a gate that asks nothing cannot pass")
    return Trial(benches=tuple(benches), shown=shown, rules=tuple(rules), policy=policy, change=Change(), loss=0.0)


def _planned(policy: Policy, path: Path, seed: int) -> tuple[list[Bench], int, list[Rule]]:
    values: Mapping[str, Any] = values_of(path)
    benches, shown = planned_benches(path, values, seed)
    named = {bench.name: bench for bench in benches}
    asked = asks(policy, named)
    if unknown := sorted({ask.task for ask in asked} - set(named)):
        raise ResultError(f"{path}: plans no {', '.join(unknown)}")
    return [named[ask.task] for ask in asked], shown, [ask.rule for ask in asked]


def _kept(policy: Policy, places: Places) -> tuple[list[Bench], int, list[Rule]]:
    codes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="riddle-gate-") as scratch:
        entries = find(policy.baseline, places.folder, places.tags, Path(scratch, "baseline"), policy.model)
        asked = asks(policy, (entry.run.task for entry in entries))
        return [_bench(ask, entries, codes) for ask in asked], len(codes), [ask.rule for ask in asked]


def _bench(ask: Ask, entries: list[Entry], codes: dict[str, int]) -> Bench:
    entry = next((one for one in entries if one.run.task == ask.task and one.run.convention == ask.rule.convention), None)
    if entry is None:
        raise ResultError(f"the baseline has no finished run of {ask.task} (convention {ask.rule.convention})")
    aligned = align(entry.run, entry.run, ask.rule.metric)
    known, code = np.unique(aligned.cluster, return_inverse=True)
    names = [aligned.clusters[cluster] for cluster in known.tolist()]
    media = [entry.media[place] if entry.media else "" for place in aligned.places.tolist()]
    shown = [one or f"{ask.task} {names[own]}" for one, own in zip(media, code.tolist(), strict=True)]
    sign = 1.0 if aligned.higher_is_better else -1.0
    order = hash_order(ask.task, names)
    return bench_of(
        ask.task, sign * aligned.a, code.astype(np.int64), shown, order, codes, scale_of(aligned), aligned.unit
    )  # fmt: skip
