"""What a verb has done, as the one JSON document that ``output=json`` prints, and the exit code that follows from it.

The document (``schema`` 1):

    {"schema": 1, "verb": "eval", "ok": true, "exit": 0,
     "results": [...],      one entry a unit of work: a run, a report, a listed thing; its keys depend on the verb
     "errors": [{"kind": "DatasetError", "where": "pope", "message": "..."}]}

``ok`` is true only if all the work asked for is complete. Keys are added without notice; ``schema`` goes up when one changes
its meaning or goes away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError, Interrupted

SCHEMA = 1
COMPLETE, INCOMPLETE, USAGE, INVALID, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
"""Exit codes: everything done; something failed or is unfinished; the command itself is wrong; a gate that could not be
checked (`harness.commands.gate`); stopped by the user (Ctrl-C); by the system (SIGTERM)."""
STOPPED = (TERMINATED, INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong: the class of the error, the unit of work it belongs to, and its message."""

    kind: str
    message: str
    where: str = ""
    exit: int = INCOMPLETE

    @staticmethod
    def of(error: BaseException, where: str = "", exit: int | None = None) -> Problem:
        """Describe an exception; a `ConfigError` is a matter of usage unless ``exit`` says otherwise."""
        code = (USAGE if isinstance(error, ConfigError) else INCOMPLETE) if exit is None else exit
        if isinstance(error, Interrupted):
            code = TERMINATED if error.terminated else INTERRUPTED
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            place = f"{error.filename}: " if error.filename is not None else ""
            message = f"{place}{error.strerror} (debug=true shows what was being done)"
        return Problem(type(error).__name__, message or type(error).__name__, where, code)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Results and problems of one job, or of several jobs merged."""

    results: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def exit(self) -> int:
        """0 if nothing went wrong, else the gravest code: stopped from outside, then incomplete, invalid, usage."""
        codes = {problem.exit for problem in self.problems}
        return next((code for code in (*STOPPED, INCOMPLETE, INVALID, USAGE) if code in codes), COMPLETE)

    def document(self, verb: str) -> dict[str, Any]:
        """Return the document described above."""
        errors = [{"kind": p.kind, "where": p.where, "message": p.message, "exit": p.exit} for p in self.problems]
        head = {"schema": SCHEMA, "verb": verb, "ok": self.exit == COMPLETE, "exit": self.exit}
        return {**head, "results": [dict(result) for result in self.results], "errors": errors}

    @staticmethod
    def of_document(document: Mapping[str, Any]) -> Outcome:
        """Read a document back."""
        problems = (Problem(e["kind"], e["message"], e["where"], e["exit"]) for e in document["errors"])
        return Outcome(tuple(document["results"]), tuple(problems))

    @staticmethod
    def merged(outcomes: Iterable[Outcome]) -> Outcome:
        """Put the outcomes of several jobs behind one another."""
        parts = list(outcomes)
        return Outcome(tuple(r for part in parts for r in part.results), tuple(p for part in parts for p in part.problems))


def encode(document: Mapping[str, Any]) -> str:
    """Return the document as JSON in ASCII, which any terminal and file can hold; NaN, for which JSON has no form, is null."""
    return json.dumps(_plain(document), indent=2, ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
