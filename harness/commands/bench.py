"""``riddle bench NAME``: measures riddle itself, by a function that returns rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.build import argument_problems
from harness.commands.outcome import Outcome, Problem
from harness.commands.rooms import BENCHES, function
from harness.commands.tables import table
from harness.config import BenchConfig
from harness.errors import ConfigError

CONFIG = BenchConfig


def run(config: BenchConfig) -> Outcome:
    """Run one measurement; a row whose ``ok`` is false makes the outcome incomplete.

    Raises:
        ConfigError: the measurement knows no such setting.
    """
    measure = function(BENCHES[config.bench])
    problems = list(argument_problems(measure, list(config.options), config.bench))
    if problems:
        raise ConfigError("\n".join(problems))
    measured = measure(**config.options)
    rows = [measured] if isinstance(measured, Mapping) else list(measured)
    missed = [Problem("Missed", f"{row.get('name')} misses its aim", config.bench) for row in rows if row.get("ok") is False]
    return Outcome(tuple({"kind": "measurement", "bench": config.bench, **row} for row in rows), tuple(missed))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a table, with all columns that any of them has."""
    columns = [name for name in dict.fromkeys(key for row in results for key in row) if name not in ("kind", "bench")]
    numeric = [name for name in columns if any(isinstance(row.get(name), int | float) for row in results)]
    return table(columns, [[_cell(row.get(name)) for name in columns] for row in results], right=numeric)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
