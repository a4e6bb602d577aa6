"""Samples in the order of a hash of what they share, so that the first tenth of a benchmark is a fair tenth.

Files are sorted by category, so a test that stops early on their first samples has seen some categories only. Whole clusters (a
picture, a document) follow one another, so that what has been seen at any time is a random choice of clusters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.task import Layout, Task
from harness.types import Record, Sample


def own_cluster(sample: str, cluster: str) -> str:
    """Return the name of a sample's cluster; a sample that shares nothing is one by itself."""
    return cluster or f"sample {sample}"


def mark(task: str, cluster: str) -> bytes:
    """Return what clusters of a benchmark are ordered by: the same for every model, data layout and machine."""
    return hashlib.blake2b(f"{task}\0{cluster}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def hashed(task: Task) -> Task:
    """Return the task with its records in hash order, so that ``limit`` asks a random choice of clusters.

    All records of the file are held at once; their media are handles.
    """
    return replace(task, layouts=tuple(replace(layout, read=_sorted(task, layout)) for layout in task.layouts))


def _sorted(task: Task, layout: Layout) -> Callable[[Sequence[Path]], Iterator[Record]]:
    def read(where: Sequence[Path]) -> Iterator[Record]:
        records = list(layout.read(where))
        samples: list[Sample] = list(task.samples(records))
        order = sorted(range(len(records)), key=lambda place: _key(task, samples[place], place))
        return (records[place] for place in order)

    return read


def _key(task: Task, sample: Sample, place: int) -> tuple[Any, ...]:
    return mark(task.name, own_cluster(sample.id, sample.cluster)), place
