"""The authors' data file: a YAML list ``META`` of annotation files with type, root of the pictures, and share to take.

Format and sampling: LLaMA2-Accessory, ``accessory/data/conversation/dataset.py``. `models.sphinx_x.corpus.compose` writes such
files; paths that are not absolute are looked for from the working folder, then from the file's own folder and the one above.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DatasetError
from models.sphinx_x.corpus.records import Conversation, read_conversations

SEED = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One annotation file of a data file.

    Attributes:
        path: of the annotation file
        kind: the authors' ``type``, such as text or image_text; batches never mix kinds
        root: folder that paths of pictures are relative to, if it is given
        ratio: share of the conversations to take
    """

    path: Path
    kind: str
    root: Path | None = None
    ratio: float = 1.0


def read_data_file(path: Path) -> list[Entry]:
    """Return the entries of a data file.

    Raises:
        DatasetError: it is no YAML with a list ``META``, or an entry lacks ``path`` or ``type``.
    """
    import yaml

    try:
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))["META"]
        return [
            Entry(
                path=_found(Path(one["path"]), path),
                kind=str(one["type"]),
                root=_found(Path(one["root"]), path) if one.get("root") else None,
                ratio=float(one.get("ratio", 1.0)),
            )
            for one in listed
        ]
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path}: no data file with a list META of path and type ({type(error).__name__}: {error})") from error


def conversations_of(entry: Entry) -> Iterator[Conversation]:
    """Yield the conversations of an entry, sampled if it has a ratio below 1: ``int(n * ratio)`` of them, seed 0."""
    if entry.ratio >= 1:
        yield from read_conversations(entry.path)
        return
    everything = list(read_conversations(entry.path))
    yield from random.Random(SEED).sample(everything, int(len(everything) * entry.ratio))


def _found(named: Path, beside: Path) -> Path:
    places = [named, beside.parent / named, beside.absolute().parent.parent / named]
    return next((place for place in places if place.exists()), named)
