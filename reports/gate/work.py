"""What ``riddle gate`` does, one function for each of its words: from plain settings to a plain result."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from reports.gate import baseline as files
from reports.gate import formats
from reports.gate.check import Places, check
from reports.gate.entries import find
from reports.gate.policy import Policy, asks, load_policy


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
