"""The records of a training mixture by number: which file each lies in, its kind and its length; records themselves stay on disk.

Lines of ``.jsonl`` are found again by their byte offset, so that millions of records cost a few numbers each; other annotation
files are held in memory. Records that cannot be read are left out, counted and named. Not here: which order they are seen in
(``sampler``) and what becomes of one (``examples``).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from harness.data.tables import read_json, read_jsonl
from harness.errors import DatasetError
from models.sphinx_x.corpus.records import Conversation, of_record


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of the authors' data file: annotation file, kind, root of its pictures, share of it that is used."""

    path: Path
    kind: str
    root: Path
    ratio: float | None = None


def read_data_config(path: Path) -> list[Listed]:
    """Read the authors' list of files; relative paths start at the current folder, or else beside the list.

    Raises:
        DatasetError: the list cannot be read, is empty, or an entry lacks its path or type.
    """
    import yaml

    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["META"]
        found = [
            Listed(_find(path, entry["path"]), str(entry["type"]), _find(path, entry.get("root") or "."), entry.get("ratio"))
            for entry in entries
        ]
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); `riddle data corpus` makes such a list") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: is no list of annotation files (META: path, type, root; {type(error).__name__})") from error
    if not found:
        raise DatasetError(f"{path}: lists no annotation files")
    return found


def _find(config: Path, name: str) -> Path:
    beside = config.parent / name
    return beside if not Path(name).exists() and beside.exists() else Path(name)


class Annotations:
    """Records of all listed files.

    Attributes:
        kinds: of each record, the kind its file is listed with.
        lengths: of each record, the characters said in it.
        bad: what was left out, a message each.
    """

    def __init__(self, listed: list[Listed]) -> None:
        self._listed = listed
        self._held: dict[int, list[Conversation]] = {}
        self.bad: list[str] = []
        places: list[np.ndarray] = []
        for number, one in enumerate(listed):
            rows = np.array(list(self._scan(number, one)), dtype=np.int64).reshape(-1, 3)
            if one.ratio is not None:
                rows = rows[random.Random(0).sample(range(len(rows)), int(len(rows) * one.ratio))]
            places.append(rows)
        self._places = np.concatenate(places)
        self.kinds = [self._listed[number].kind for number in self._places[:, 0]]
        self.lengths: list[int] = self._places[:, 2].tolist()

    def __len__(self) -> int:
        return len(self._places)

    def _scan(self, number: int, one: Listed) -> Iterator[tuple[int, int, int]]:
        """File number, place in it (byte offset, or position in memory) and length of each good record."""
        if one.path.suffix == ".jsonl":
            yield from ((number, offset, length) for offset, length in self._offsets(one.path))
            return
        held = self._held[number] = []
        for row in (read_jsonl if ".jsonl" in one.path.suffixes else read_json)(one.path):
            try:
                held.append(of_record(row, row.where))
            except DatasetError as error:
                self.bad.append(str(error))
                continue
            yield number, len(held) - 1, held[-1].characters

    def _offsets(self, path: Path) -> Iterator[tuple[int, int]]:
        try:
            with path.open("rb") as file:
                offset = 0
                for line_number, line in enumerate(file, start=1):
                    if line.strip():
                        try:
                            yield offset, _conversation(line, f"{path} line {line_number}").characters
                        except DatasetError as error:
                            self.bad.append(str(error))
                    offset += len(line)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error

    def conversation(self, place: int) -> Conversation:
        """The record of this number. Raises `DatasetError` if its file has changed since it was listed."""
        number, at, _ = (int(value) for value in self._places[place])
        if number in self._held:
            return self._held[number][at]
        path = self._listed[number].path
        with path.open("rb") as file:
            file.seek(at)
            return _conversation(file.readline(), f"{path} at byte {at}")

    def picture(self, place: int, image: str) -> Path:
        """Where a record's picture lies. Raises `DatasetError` if its path leaves the root."""
        name = PurePosixPath(image)
        root = self._listed[int(self._places[place, 0])].root
        if name.is_absolute() or ".." in name.parts:
            raise DatasetError(f"image {image!r} lies outside of {root}")
        return root / name


def _conversation(line: bytes, where: str) -> Conversation:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}: not JSON ({error})") from error
    if not isinstance(record, dict):
        raise DatasetError(f"{where}: {type(record).__name__} is no record")
    return of_record(record, where)
