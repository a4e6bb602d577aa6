"""What ``riddle gate`` does, one function for each of its words: from plain settings to a plain result."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from reports.gate import baseline as files
from reports.gate import formats
from reports.gate.check import Places, check
from reports.gate.draws import Change
from reports.gate.entries import find
from reports.gate.policy import Policy, asks, load_policy
from reports.gate.sequential import Replay, first_limits, replay, step
from reports.gate.simulate import detections, early, false_alarms, simulate
from reports.gate.spending import Spending
from reports.gate.trials import trial_of


def check_gate(
    policy: Path, candidate: Path, baseline: str | None = None, name: str | None = None, tags: Path = Path("baselines"),
    out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Check a candidate; write the files if ``out`` is given. Returns `formats.record` with what the terminal shows.

    Raises:
        ConfigError, ResultError: the gate is invalid as a whole.
    """
    asked = _policy(policy, baseline)
    report = check(asked, str(candidate), Places(folder=policy.parent, tags=tags, name=name))
    return delivered(formats.record(report), out)


def delivered(record: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """Write a record's files, and add to it their names and how each benchmark is shown."""
    written = {"files": [str(path) for path in formats.write(record, out)]} if out else {}
    gates = [{**gate, "shown": formats.shown(gate), "said": list(formats.said(gate))} for gate in record["gates"]]
    return {**record, "gates": gates, **written}


def save_baseline(
    candidate: Path, policy: Path | None = None, name: str | None = None, out: Path | None = None
) -> dict[str, Any]:
    """Keep the runs of one model in a file: those that the policy asks for, or all; where ``out`` or the policy says.

    Raises:
        ConfigError: it is not said where, or the policy's baseline is no file.
        ResultError: no finished run is there, or several models are.
    """
    asked = load_policy(policy) if policy else Policy()
    path = out or _file(asked, policy)
    with tempfile.TemporaryDirectory(prefix="riddle-gate-") as scratch:
        entries = find(str(candidate), Path(), Path(), Path(scratch, "runs"), name)
        wanted = {(ask.task, ask.rule.convention) for ask in asks(asked, (entry.run.task for entry in entries))}
        kept = [entry for entry in entries if not policy or (entry.run.task, entry.run.convention) in wanted]
        files.save(kept, path)
    samples = sum(entry.run.n for entry in kept)
    tasks = sorted(entry.run.task for entry in kept)
    return {"kind": "baseline", "file": str(path), "model": kept[0].run.model, "tasks": tasks, "samples": samples}


def _file(policy: Policy, path: Path | None) -> Path:
    if path is None or not policy.baseline.endswith(".json"):
        raise ConfigError(f"out: missing; the policy's baseline is {policy.baseline!r}, which is no file to write to")
    return path.parent / policy.baseline


def _policy(path: Path, baseline: str | None) -> Policy:
    policy = load_policy(path)
    if baseline is None:
        return policy
    here = Path(baseline)
    return dataclasses.replace(policy, baseline=str(here.absolute()) if here.exists() else baseline)


def replay_gate(
    policy: Path, candidate: Path, looks: int, spending: Spending, baseline: str | None = None, name: str | None = None,
    tags: Path = Path("baselines"), out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Say at which look a gate on a complete candidate would have ended, and what it would have said."""
    asked = _policy(policy, baseline)
    found = replay(asked, str(candidate), Places(folder=policy.parent, tags=tags, name=name), looks, spending)
    return delivered(_looked(found, looks), out)


def look_at(
    policy: Path, folders: Sequence[Path], looks: int, spending: Spending, look: int, baseline: str | None = None,
    tags: Path = Path("baselines"), out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Judge runs that have grown up to a look (from 0); ``going_on`` says how many samples to ask by the next, by benchmark."""
    asked = _policy(policy, baseline)
    found = step(asked, folders, Places(folder=policy.parent, tags=tags), looks, spending, look)
    return delivered({**_looked(found, looks), "going_on": dict(found.going_on)}, None if found.going_on else out)


def first_look(
    policy: Path, looks: int, spending: Spending, baseline: str | None = None, tags: Path = Path("baselines")
) -> dict[str, int]:
    """Say how many samples of each benchmark the first look needs."""
    asked = _policy(policy, baseline)
    return first_limits(asked, Places(folder=policy.parent, tags=tags), looks, spending)


def _looked(found: Replay, looks: int) -> dict[str, Any]:
    record = formats.record(found.report)
    account = zip(record["gates"], found.asked, found.of, found.at, strict=True)
    gates = [{**gate, "asked": asked, "of": of, "look": at} for gate, asked, of, at in account]
    return {**record, "gates": gates, "looks": looks, "asked": sum(found.asked), "of": sum(found.of)}


def simulate_gate(
    policy: Path, baseline: str | None = None, tags: Path = Path("baselines"), looks: int = 1,
    spending: Spending = "obrien_fleming", loss: float = 0.02, churn: float = 0.15, rho: float = 0.3, draws: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Measure a policy on candidates drawn from its baseline's own scores, or from planned sizes where the baseline is YAML."""
    asked = _policy(policy, baseline)
    trial = trial_of(asked, Places(folder=policy.parent, tags=tags), seed)
    trial = dataclasses.replace(
        trial, change=Change(churn=churn, rho=rho), loss=loss, looks=looks, spending=spending, draws=draws, seed=seed
    )
    outcomes = simulate(trial)
    settings = {"loss": loss, "churn": churn, "rho": rho, "draws": draws, "looks": looks, "alpha": asked.alpha}
    benches = [
        {
            "task": bench.name,
            "n": len(bench.values),
            "clusters": len(bench.sizes),
            "detected": fails.record(),
            "passed": passes.record(),
        }
        for bench, (fails, passes) in zip(trial.benches, detections(outcomes, asked.alpha), strict=True)
    ]
    looked = [{"situation": one.situation, "fails": one.fails.record(), "used": one.used} for one in early(outcomes, trial)]
    alarms = false_alarms(outcomes, asked.alpha).record()
    return {"kind": "simulation", **settings, "false_alarms": alarms, "benches": benches, "early": looked if looks > 1 else []}
