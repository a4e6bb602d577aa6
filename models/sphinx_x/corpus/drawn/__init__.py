"""The data sets of the paper's mixture in miniature: their original layouts, drawn by the mini world's training split.

They stand in for data that nobody has at hand, so that a composition can be run, and each converter tested, from annotation
files of the very form that it meets in earnest. What they show is small; nothing trained on them is worth anything.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from harness.errors import DatasetError
from harness.results import SCHEMA, read_json, write_json
from harness.world import VERSION
from models.sphinx_x.corpus.drawn.boxes import BOXES
from models.sphinx_x.corpus.drawn.paper import Paper
from models.sphinx_x.corpus.drawn.talk import TALK

MARKER = "drawn.json"
"""Says which data sets were drawn, of how many pictures; a root that holds anything else is not drawn into."""

WRITERS = {**TALK, **BOXES}


def draw_layouts(root: Path, n: int, names: Collection[str] = tuple(WRITERS)) -> None:
    """Draw ``n`` pictures for each of the named data sets into ``root``, unless that is done.

    Raises:
        DatasetError: the folder holds files that were not drawn here.
    """
    marker = root / MARKER
    facts = {"schema": SCHEMA, "world": VERSION, "n": n}
    drawn: list[str] = []
    if marker.is_file():
        found = read_json(marker)
        drawn = found["sets"] if all(found.get(key) == value for key, value in facts.items()) else []
    elif root.is_dir() and any(root.iterdir()):
        raise DatasetError(f"{root}: holds files that were not drawn (no {MARKER}); name another root, or say mixture.drawn=0")
    left = [name for name in names if name not in drawn]
    if left:
        root.mkdir(parents=True, exist_ok=True)
        write_json(marker, {**facts, "sets": drawn})  # before the first file, so that a run which was killed can go on
        for name in left:
            WRITERS[name](Paper(root, n))
        write_json(marker, {**facts, "sets": [*drawn, *left]})
