"""Published replies with the scores that others got from them: one ``case.json`` for each model, read without trusting it.

A case names a benchmark and a model, the files with annotations and replies beside it, perhaps a judge's grades or the fields in
which replies and verdicts stand, what the official scorer gives (``expected``) and what was printed (``published``). Not here:
scoring it (`harness.reproduce`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DatasetError

CASE = "case.json"
GRADES = ("grades", "reviews")
"""Names of the field that lists files of grades."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model's replies to one benchmark, and what others made of them.

    Attributes:
        path: of the ``case.json``.
        benchmark: as the case spells it, perhaps ``family/split``.
        model: whose replies they are.
        record: all of the case's fields.
        root: folder of all cases; no file of a case lies outside.
    """

    path: Path
    benchmark: str
    model: str
    record: Mapping[str, Any]
    root: Path

    @property
    def label(self) -> str:
        """Benchmark and model, for messages."""
        return f"{self.benchmark} {self.model}"

    def files(self, field: str) -> list[Path]:
        """Return the files that a field names, in its order; a part in angle brackets (``<Subject>/output.json``) is any name.

        Raises:
            DatasetError: the field is no text or list of texts, or names something that is not there or outside of all cases.
        """
        named = self.record.get(field, [])
        names = [named] if isinstance(named, str) else named
        if not isinstance(names, Sequence) or not all(isinstance(one, str) for one in names):
            raise DatasetError(f"{self.path}: {field} is no path or list of paths")
        return [path for name in names for path in self._found(field, name)]

    def _found(self, field: str, name: str) -> list[Path]:
        if "<" in name:
            pattern = re.sub(r"<[^<>/]*>", "*", name.split(" (")[0])
            if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
                raise DatasetError(f"{self.path}: {field} {name!r} leaves the folder of the case")
            found = sorted(self.path.parent.glob(pattern))
        else:
            found = [(self.path.parent / name).resolve()]
        inside = [path for path in found if path.exists() and path.resolve().is_relative_to(self.root.resolve())]
        if not inside or len(inside) < len(found):
            raise DatasetError(f"{self.path}: {field} names {name!r}, which is not there (or not below {self.root.name}/)")
        return inside

    def field(self, name: str) -> str | None:
        """The name of a field of its files, such as ``correctness_field``; None where the case gives none."""
        value = self.record.get(name)
        return value if isinstance(value, str) and value else None

    @property
    def grades(self) -> list[Path]:
        """Files with what a judge has said; those of the replies where verdicts stand beside them."""
        listed = [path for name in GRADES for path in self.files(name)]
        return listed or (self.files("predictions") if self.field("correctness_field") else [])

    @property
    def expected(self) -> dict[str, float]:
        """What the official scorer gives, by path: ``{"random.f1": 0.87}``."""
        return dict(numbers(self.record.get("expected")))

    @property
    def published(self) -> dict[str, float]:
        """What was printed, by path."""
        return dict(numbers(self.record.get("published")))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the case says in words."""
        said = self.record.get("notes", ())
        return tuple(map(str, [said] if isinstance(said, str) else said))


def find_cases(root: Path) -> Iterator[Case]:
    """Yield every case below a folder, by path.

    Raises:
        DatasetError: there is none, or one cannot be read or names no benchmark or model.
    """
    found = sorted(root.rglob(CASE)) if root.is_dir() else []
    if not found:
        raise DatasetError(f"{root}: no {CASE} in this folder or below it")
    return (read_case(path, root) for path in found)


def read_case(path: Path, root: Path) -> Case:
    """Read one case. Raises `DatasetError` if it is no JSON object with a benchmark, a model and what is expected."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read as JSON ({error})") from error
    fields = ("benchmark", "model", "annotations", "predictions", "expected")
    missing = [name for name in fields if not (isinstance(record, dict) and record.get(name))]
    if missing:
        raise DatasetError(f"{path}: lacks {', '.join(missing)}")
    return Case(path=path, benchmark=str(record["benchmark"]), model=str(record["model"]), record=record, root=root)


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Yield every number in nested JSON with its path, names and positions parted by dots; truth values are none.

    >>> dict(numbers({"all": {"f1": 0.5, "ok": True}, "pair": [1, 2], "text": "3"}))
    {'all.f1': 0.5, 'pair.0': 1, 'pair.1': 2}
    """
    if isinstance(value, Mapping):
        parts: Iterator[tuple[Any, Any]] = iter(value.items())
    elif isinstance(value, list):
        parts = iter(enumerate(value))
    else:
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield path, value
        return
    for name, one in parts:
        yield from numbers(one, f"{path}.{name}" if path else str(name))
