"""Benchmarks that ask where something is: an expression or instruction, a picture, and one box as the answer.

What they share, whatever their columns: a sample's id, made of what every layout has, and the sample itself. Records come with
``question``, ``box`` (corners in pixels) and ``image_path``; ``width``, ``height`` and ``same`` (how many earlier records are
equal) may be there. Not here: which columns these are made of (``harness.data.steps``, and the task file).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from harness.boxes import write
from harness.data.sources import images
from harness.types import Record, Sample


def expression_key(record: Record, place: str) -> str:
    """Expression (letters and digits), box and ``place``: some layouts lose blanks of the expression, or the picture's name."""
    box = ",".join(f"{edge:.2f}".rstrip("0").rstrip(".") for edge in record["box"])
    letters = re.sub(r"[^\w]", "", record["question"].lower())
    return f"{letters}@{box}@{place}"


def expression_sample(record: Record, key: str, *, groups: Mapping[str, str], fields: Mapping[str, Any] | None = None) -> Sample:
    """Make the sample of a record.

    Args:
        record: as the module says.
        key: becomes the id; equal ones are numbered.
        groups: by which the metric reports.
        fields: further ones.
    """
    repeat = record.get("same", 0)
    path = PurePosixPath(record["image_path"])
    return Sample(
        id=f"{key}#{repeat + 1}" if repeat else key,
        parts=images(record),
        question=record["question"],
        references=(write(record["box"]),),
        cluster=path.stem,
        groups=groups,
        fields={"width": record.get("width"), "height": record.get("height"), "image": path.name, **(fields or {})},
    )
