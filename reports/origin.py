"""Where each number comes from, for the page of provenance: settings, versions, commit, machine, time, tokens, cost, command.

Read from the run folders when the page is written, so that a board of thousands of runs does not hold all of it. What runs
have in common (an environment, a model's settings) is told once and numbered.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from harness.errors import ResultError
from harness.results import read_json
from harness.store import Reader
from reports.load import Run
from reports.pages import below, environment, write
from reports.visible import anchor

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What was behind one run.

    Attributes:
        anchor: names it in the page.
        command: the settings that ask for the same run again; empty for replies made elsewhere.
        environment, settings: numbers of what it shares with other runs, from 1.
        seconds: time spent generating; sessions: in how many goes.
        prompt_tokens, completion_tokens: as far as the model told them; None if it told none.
        cost: in the currency of the model's and the judge's prices; None where there are none.
    """

    run: Run
    folder: str
    anchor: str
    command: str
    environment: int
    settings: int
    seconds: float | None
    sessions: int
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None


@dataclass(kw_only=True)
class _Shared:
    """Numbers different texts in the order of their appearance."""

    known: dict[Facts, int] = field(default_factory=dict)

    def number(self, facts: Facts) -> int:
        return self.known.setdefault(facts, len(self.known) + 1)


def origin_anchor(run: Run) -> str:
    """The name of a run in the page of provenance."""
    return "r-" + anchor(f"{run.model}/{run.task}@{run.data}/{run.folder.name}/{run.convention}")


def write_provenance(path: Path, runs: Iterable[Run], root: Path, title: str) -> None:
    """Write the page of provenance of complete runs below ``root``."""
    environments, settings = _Shared(), _Shared()
    origins = [_origin(run, root, environments, settings) for run in runs]
    page = environment().get_template("provenance.html.j2")
    write(path, page.render(origins=origins, environments=list(environments.known), settings=list(settings.known), title=title))


def _origin(run: Run, root: Path, environments: _Shared, settings: _Shared) -> Origin:
    about = _read(run.folder / "run.json")
    config = _section(about, "config")
    sessions = _read(run.folder / "timings.json").get("sessions") or []
    seconds = [float((one.get("seconds") or {}).get("generate") or 0) for one in sessions if isinstance(one, dict)]
    tokens = _tokens(run)
    return Origin(
        run=run,
        folder=below(run.folder, root),
        anchor=origin_anchor(run),
        command=command(about, config) if run.kind != "replies" else "",
        environment=environments.number(_environment(about)),
        settings=settings.number(
            _flat({name: config[name] for name in ("model", "engine", "decoding", "judge") if name in config})
        ),
        seconds=sum(seconds) if sessions else None,
        sessions=len(sessions),
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        cost=_cost(run, config, tokens),
    )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return read_json(path)
    except ResultError:
        return {}


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _environment(about: Mapping[str, Any]) -> Facts:
    git = about.get("git") or {}
    commit = f"{git.get('commit')}{' with changes' if git.get('dirty') else ''}" if git else "not a repository"
    return (("commit", commit), *_flat({"machine": about.get("machine") or {}, "version": about.get("versions") or {}}))


def _flat(value: Mapping[str, Any], prefix: str = "") -> Facts:
    """Settings below one another, without this machine's folders."""
    facts: list[tuple[str, str]] = []
    for name, one in value.items():
        if isinstance(one, Mapping):
            facts += _flat(one, f"{prefix}{name}.")
        elif one is not None:
            text = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False, default=str)
            facts.append((f"{prefix}{name}", f"…/{PurePath(text).name}" if PurePath(text).is_absolute() else text))
    return tuple(facts)


def command(about: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The command that asks for the same run again, from its settings; folders of this machine are left out."""
    model, task, chosen = _section(about, "model"), _section(about, "task"), _section(config, "model")
    words = ["riddle", "eval", f"model={chosen.get('name') or model.get('name')}", f"task={task.get('name')}"]
    data = _section(about, "data").get("name")
    words += [f"data={data}"] if data else []
    if data == "mini":
        words += [f"mini.{name}={value}" for name, value in _section(config, "mini").items() if value is not None]
    usual = {"limit": None, "control": "none", "convention": "official", "prompt": "default", "seed": 0}
    words += [f"{name}={about[name]}" for name, value in usual.items() if about.get(name, value) != value]
    words += [f"decoding.{name}={value}" for name, value in _section(config, "decoding").items() if value is not None]
    judge = _section(config, "judge").get("name")
    words += [f"judge={judge}"] if judge not in (None, "none") else []
    return shlex.join(words)


def _tokens(run: Run) -> tuple[int | None, int | None]:
    try:
        with Reader(run.folder) as reader:
            prompt, completion = reader.tokens()
    except (ResultError, sqlite3.Error):
        return None, None
    return prompt or None, completion or None


def cost_of(run: Run) -> float | None:
    """What a run has cost, in the currency of its model's and judge's prices; None where there are none."""
    return _cost(run, _section(_read(run.folder / "run.json"), "config"), _tokens(run))


def _cost(run: Run, config: Mapping[str, Any], tokens: tuple[int | None, int | None]) -> float | None:
    """The model's tokens at its prices, and what the judge cost."""
    model = _section(config, "model")
    prices = (model.get("prompt_price"), model.get("completion_price"))
    judge = _read(run.folder / "result.json").get("judge")
    spent = [float(judge["cost"])] if isinstance(judge, dict) and judge.get("cost") is not None else []
    if all(isinstance(price, int | float) for price in prices) and any(tokens):
        spent.append(sum((count or 0) * float(price or 0) for count, price in zip(tokens, prices, strict=True)) / 1e6)
    return sum(spent) if spent else None
