"""Reads a benchmark's files as its runs do."""

from __future__ import annotations

from pathlib import Path

from harness.catalog import find_task
from harness.data.sources import read_records
from harness.types import Sample


def read(task: str, where: Path) -> tuple[str, list[Sample]]:
    """The layout that was found, and all samples."""
    found = find_task(task)
    layout, records = read_records(found, [where])
    return layout.name, list(found.samples(records))
