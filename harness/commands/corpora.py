"""``riddle data corpus`` and ``riddle data look``: composes a mixture of training data, and shows what is in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands.outcome import Outcome
from harness.commands.rooms import COMPOSE, LOOK, function
from harness.commands.tables import printable, table
from harness.config import DataConfig

COLUMNS = ("group", "data set", "state", "paper", "converted", "bad", "taken")
NUMERIC = COLUMNS[3:]


def composed(config: DataConfig) -> Outcome:
    """Compose the mixture, or with ``dry`` say what is there; one result a data set."""
    rows = function(COMPOSE)(config.mixture, root=config.root, out=config.out, dry=config.dry, partial=config.partial)
    return Outcome(tuple({"kind": "data set", **row} for row in rows))


def looked_at(config: DataConfig) -> Outcome:
    """Write a picture or a page of conversations; the result names its file."""
    return Outcome(({"kind": "look", **function(LOOK)(config.data, config.index, config.out, config.root)},))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the data sets as a table with what is missing and what was left out below it, or the file to look at."""
    if results[0]["kind"] == "look":
        return "\n".join([results[0]["file"], *(f"  {problem}" for problem in results[0]["problems"])])
    rows = [[_cell(value) for value in _values(result)] for result in results]
    return "\n".join([table(COLUMNS, rows, right=NUMERIC), *_notes(results), f"output: {results[0]['out']}"])


def _values(result: Mapping[str, Any]) -> tuple[Any, ...]:
    bad = sum(told["count"] for told in result["bad"].values()) if "bad" in result else None
    counts = (result["group_count"], result.get("conversations"), bad, result.get("taken"))
    return result["group"], result["set"], result["state"], *counts


def _notes(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for result in results:
        if result["missing"]:
            expected = ", ".join(part.replace("|", " or ") for part in result["missing"])
            yield f"missing: {result['set']} expects {expected} below {result['root']}"
        for reason, told in result.get("bad", {}).items():
            yield f"left out: {result['set']}: {told['count']} x {reason}, such as {printable(told['first'][0])}"


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
