"""The rows of ``riddle ls tasks``, kept in the user's cache, so that a listing need not import files that have not changed.

Importing task files takes a bare interpreter start for each, and there will be many. The rows are derived from the files alone:
their names, sizes and times decide whether kept rows hold. Where nothing can be kept, nothing is, and deleting it is always safe.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import Catalog, package_folder

if TYPE_CHECKING:
    from harness.task import Task

FORMAT = 1
"""Goes up when rows get other keys."""


def task_rows(catalog: Catalog) -> list[dict[str, Any]]:
    """Return what a list shows of every task, from what is kept if only our own files are asked for and none has changed."""
    if catalog.task_dirs or catalog.plugins:
        return _rows(catalog)
    folder = package_folder("tasks")
    files = sorted((file.name, file.stat()) for file in os.scandir(folder) if file.name.endswith(".py"))
    stamp = [FORMAT, str(folder), *([name, state.st_size, state.st_mtime_ns] for name, state in files)]
    kept = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "riddle" / "tasks.json"
    return _read(kept, stamp) or _write(kept, stamp, _rows(catalog))


def task_row(task: Task, origin: str) -> dict[str, Any]:
    """Return what a list shows of one task."""
    card, official = task.card, task.conventions[task.convention_named("official")]
    row = {"kind": "task", "name": task.name, "title": card.title, "n": card.n, "split": card.split}
    return {**row, "metric": official.primary, "scorer": card.scorer, "version": task.version, "origin": origin}


def _rows(catalog: Catalog) -> list[dict[str, Any]]:
    return [task_row(entry.task, entry.origin) for entry in catalog.entries().values()]


def _read(kept: Path, stamp: list[Any]) -> list[dict[str, Any]]:
    """Return the kept rows, or none if there are none for these files."""
    import json

    try:
        found = json.loads(kept.read_bytes())
    except (OSError, ValueError):
        return []
    return found["rows"] if isinstance(found, dict) and found.get("stamp") == stamp else []


def _write(kept: Path, stamp: list[Any], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep rows whole or not at all; a folder that cannot be written to is no reason to complain."""
    import json

    draft = kept.with_name(f"{kept.name}.{os.getpid()}")
    with suppress(OSError):
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"stamp": stamp, "rows": rows}), encoding="utf-8")
        draft.replace(kept)
    return rows
