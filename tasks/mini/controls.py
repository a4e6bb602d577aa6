"""Keeps what mini benchmarks give without their pictures, in ``controls.json`` beside this file.

Written by ``riddle controls``, never by hand; it says of each task with which model, data, seed and version it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.errors import ResultError

FILE: Final = Path(__file__).with_suffix(".json")
SCHEMA: Final = 1


def levels(task: str, file: Path | None = None) -> dict[str, Any] | None:
    """Return what is kept of a task, None if nothing is.

    Raises:
        ResultError: the file is there and is no file of controls.
    """
    found: dict[str, Any] | None = _read(file or FILE).get(task)
    return found


def keep(records: Mapping[str, Mapping[str, Any]], file: Path | None = None) -> Path:
    """Put records by task in place of those that were kept of the same tasks; return the file."""
    from harness.results import whole

    file = file or FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {**_read(file), **records}
    text = json.dumps({"schema": SCHEMA, "tasks": dict(sorted(kept.items()))}, indent=1) + "\n"
    with whole(file) as temporary:
        temporary.write_text(text, encoding="ascii")
    return file


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        whole = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{file}: cannot be read ({error}); move it away and give riddle controls again") from error
    if not isinstance(whole, dict) or whole.get("schema") != SCHEMA or not isinstance(whole.get("tasks"), dict):
        raise ResultError(f"{file}: no file of controls of schema {SCHEMA}; move it away and give riddle controls again")
    found: dict[str, Any] = whole["tasks"]
    return found
