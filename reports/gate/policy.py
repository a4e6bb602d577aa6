"""What a gate asks: a policy in YAML, as frozen dataclasses. Amounts are in the unit of the metric in ``result.json``.

That unit is a fraction for percentages (two points of accuracy are ``0.02``) and points for points (MME's total: ``20``).

Not here: which runs are meant (`reports.gate.entries`), and what is decided (`reports.gate.verdicts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from harness.catalog import Catalog
from harness.errors import ConfigError
from harness.names import unknown
from harness.schema import read

Mode = Literal["no_regression", "non_inferior"]

ANY = "*?["
"""Characters that make a name a pattern."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is asked of some benchmarks.

    Attributes:
        task: names, or patterns such as ``refcoco*``; all benchmarks of the baseline unless given
        suite: a suite of ``riddle ls suites``, whose benchmarks are all required
        metric: its name in ``result.json``; the primary one unless given
        convention: how the replies were scored
        mode: ``no_regression`` fails if a loss is shown; ``non_inferior`` passes only if a loss of ``margin`` is ruled out
        tolerated: ``no_regression`` fails only if a loss beyond this is shown
        margin: the loss that matters; ``non_inferior`` needs one, ``no_regression`` is inconclusive if it could not see it
        coverage: smallest share of the baseline's samples that the candidate must have been asked
        unparsed, failed, truncated: largest share of the candidate's samples that may be so
    """

    task: tuple[str, ...] = ()
    suite: str | None = None
    metric: str | None = None
    convention: str = "official"
    mode: Mode = "no_regression"
    tolerated: float = 0.0
    margin: float | None = None
    coverage: float = 1.0
    unparsed: float = 1.0
    failed: float = 1.0
    truncated: float = 1.0

    def problems(self) -> Iterator[str]:
        """Yield what is out of range or contradictory."""
        for name in ("coverage", "unparsed", "failed", "truncated"):
            if not 0 <= getattr(self, name) <= 1:
                yield f"{name}={getattr(self, name):g}: is a share of the samples, between 0 and 1"
        if self.tolerated < 0:
            yield f"tolerated={self.tolerated:g}: is a loss, so at least 0"
        if self.margin is not None and self.margin <= self.tolerated:
            yield f"margin={self.margin:g}: must be above tolerated={self.tolerated:g}"
        if self.mode == "non_inferior" and self.margin is None:
            yield "margin: missing; mode=non_inferior rules out a loss of that size"
        if self.mode == "non_inferior" and self.tolerated:
            yield f"tolerated={self.tolerated:g}: is for mode=no_regression; non_inferior tolerates what is below margin"
        if self.task and self.suite:
            yield f"task={','.join(self.task)} and suite={self.suite}: give one of them"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """All that a gate asks.

    Attributes:
        baseline: a file of ``riddle gate save``, a run folder, a folder of runs, or a tag (``BASELINES/TAG.json``)
        model: which model of the baseline, where it holds several
        alpha: probability with which a policy under which nothing is lost fails anywhere (family-wise error)
        power: probability with which a loss of ``margin`` is to be seen
        allow: what may differ between the runs all the same, by the names in messages such as ``prompt_text``
        gates: the rules; the first that names a benchmark holds, names go before patterns
    """

    baseline: str = ""
    model: str | None = None
    alpha: float = 0.05
    power: float = 0.8
    allow: tuple[str, ...] = ()
    gates: tuple[Rule, ...] = (Rule(),)

    def problems(self) -> Iterator[str]:
        """Yield what is out of range, or gates nothing."""
        if not 0 < self.alpha < 0.5:
            yield f"alpha={self.alpha:g}: must be above 0 and below 0.5, such as 0.05"
        if not 0.5 <= self.power < 1:
            yield f"power={self.power:g}: must be at least 0.5 and below 1, such as 0.8"
        if not self.gates:
            yield "gates: names nothing; a gate that asks nothing cannot pass"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One benchmark under one rule. ``task`` may name a benchmark that no run has, which is invalid, not passed."""

    task: str
    rule: Rule


def load_policy(path: Path) -> Policy:
    """Read a policy.

    Raises:
        ConfigError: the file cannot be read, names a key twice, or holds settings that are unknown or out of range, all named.
    """
    return policy_of(values_of(path), str(path))


def values_of(path: Path) -> dict[str, Any]:
    """Read a file of settings. Raises `ConfigError` if it cannot be read, is no YAML, or names a key twice."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        values = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except (YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path}: holds {type(values).__name__}, not settings such as baseline and gates")
    return {str(key): value for key, value in values.items()}


def policy_of(values: Mapping[str, Any], where: str) -> Policy:
    """Return the policy that plain values describe. Raises `ConfigError` naming everything wrong with them, and ``where``."""
    try:
        return read(Policy, values)
    except ConfigError as error:
        raise ConfigError(f"{where}:\n" + "\n".join(f"  {line}" for line in str(error).splitlines())) from error


def asks(policy: Policy, tasks: Iterable[str]) -> list[Ask]:
    """Return what a policy asks of a baseline with these tasks, in the order of its rules.

    A name may stand in several rules (for several metrics); a pattern or suite takes what no rule has named, and one that finds
    nothing is asked as it is, since a gate must not pass by asking nothing.

    Raises:
        ConfigError: a suite is unknown.
    """
    known = sorted(set(tasks))
    found: list[Ask] = []
    named = {name for rule in policy.gates for name in rule.task if not _is_pattern(name)}
    for rule in policy.gates:
        for name in _suite(rule.suite) if rule.suite else rule.task or ("*",):
            if name in rule.task and not _is_pattern(name):
                found.append(Ask(task=name, rule=rule))
                continue
            fitting = [task for task in known if fnmatchcase(task, name) and task not in named]
            taken = any(fnmatchcase(task, name) for task in named)
            found += [Ask(task=task, rule=rule) for task in fitting or ([] if taken else [name])]
            named |= set(fitting)
    return found


def _is_pattern(name: str) -> bool:
    return any(mark in name for mark in ANY)


def _suite(name: str) -> tuple[str, ...]:
    from omegaconf import OmegaConf

    catalog = Catalog()
    suites = catalog.choices("suite")
    if name not in suites:
        raise ConfigError(f"policy: {unknown('suite', name, suites)}")
    suite: Any = OmegaConf.load(suites[name])
    return tuple(task.name for task in catalog.find_tasks(suite["tasks"]))
