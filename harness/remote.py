"""Finished runs at other places: fetched from a URL into a folder of this machine, and copied from one to a URL.

Any URL that fsspec knows will do (``s3://bucket/runs``, ``gs://``, ``file://``, ``zip://runs::file:///tmp/runs.zip``), and the
path of a ZIP file. Everything that reads runs goes on with the folder. Of a run only what reports read is copied (`FILES`), and
only of finished ones. ``responses.sqlite`` is among it, though large, since the prompts in it decide whether two runs may be
compared; it is copied whole and read here. Not here: runs that are being written, which need a disk and its locks.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import ConfigError, HarnessError, ResultError
from harness.fetch.paths import safe_path
from harness.keys import hash_of
from harness.results import SCHEMA, read_json, whole, write_json
from harness.store import FILE, RunLock

FILES = ("run.json", "timings.json", FILE, "scores.parquet", "scores.*.parquet", "result.*.json", "result.json")
"""What is copied of a run, in the order in which it is written: ``result.json``, which says that a run is finished, last."""

INDEX = "fetched.json"
"""What each file in the folder of a URL was when it was fetched."""


def is_url(place: str) -> bool:
    """Whether a place is a URL, or a ZIP file of runs."""
    return "://" in place or (place.endswith(".zip") and Path(place).is_file())


def local_runs(place: str, cache: Path) -> Path:
    """Return the folder in which the runs of a place can be read; those of a URL are fetched if they have changed.

    Args:
        place: a folder, a ZIP file, or a URL.
        cache: below it, each URL has a folder of its own.

    Raises:
        ConfigError: fsspec is not installed.
        ResultError: nothing can be read there, or no finished run is there.
        DatasetError: a file there has a name that leads elsewhere.
    """
    if not is_url(place):
        return Path(place)
    url = place if "://" in place else f"zip://::{Path(place).absolute().as_uri()}"
    with _told(place):
        system, root = _opened(url)
        found = {_below(path, root): info for path, info in system.find(root, detail=True).items()}
    names = finished(safe_path(name, shown(place)) for name in found)
    if not names:
        raise ResultError(f"{shown(place)}: no finished run there, of {len(found)} files (a run has run.json and result.json)")
    folder = cache / hash_of(url)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder), _told(place):
        _fetch(system, root, {name: hash_of(repr(sorted(found[name].items()))) for name in names}, folder)
    return folder


def publish(runs: Path, url: str) -> int:
    """Copy the finished runs below a folder to a URL, each at the same place below it; return how many.

    Raises:
        ConfigError: fsspec is not installed.
        ResultError: no finished run is there, or the URL cannot be written to.
    """
    names = finished(path.relative_to(runs).as_posix() for path in _files(runs))
    if not names:
        raise ResultError(f"{runs}: no finished run to publish; a run writes one (riddle eval task=pope model=nano)")
    with _told(url):
        system, root = _opened(url)
        for name in names:
            target = _at(root, name)
            system.makedirs(posixpath.dirname(target), exist_ok=True)
            with _whole_file(runs / name) as source, system.open(target, "wb") as written:
                shutil.copyfileobj(source, written)
    return sum(posixpath.basename(name) == "result.json" for name in names)


def finished(names: Iterable[str]) -> list[str]:
    """Return the files of finished runs among relative paths, run by run, each in the order of `FILES`."""
    folders: dict[str, list[str]] = {}
    for name in names:
        folder, own = posixpath.split(name)
        if any(fnmatchcase(own, pattern) for pattern in FILES):
            folders.setdefault(folder, []).append(own)
    complete = {folder: own for folder, own in sorted(folders.items()) if {"run.json", "result.json"} <= {*own}}
    return [posixpath.join(folder, name) for folder, own in complete.items() for name in sorted(own, key=_rank)]


def shown(place: str) -> str:
    """A place as messages may have it: without the password that a URL can hold."""
    return re.sub(r"//[^/@]*@", "//", place)


def _rank(name: str) -> tuple[int, str]:
    return next(place for place, pattern in enumerate(FILES) if fnmatchcase(name, pattern)), name


def _fetch(system: Any, root: str, wanted: Mapping[str, str], folder: Path) -> None:
    """Copy what has changed since it was fetched, and remove what is gone; ``wanted`` has a token of each file's state."""
    index = folder / INDEX
    try:
        before: Mapping[str, str] = read_json(index)["files"]
    except (ResultError, KeyError):
        before = {}
    for name in before.keys() - wanted.keys():
        (folder / name).unlink(missing_ok=True)
    for name, token in wanted.items():
        path = folder / name
        if before.get(name) == token and path.is_file():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary, system.open(_at(root, name), "rb") as source, temporary.open("wb") as written:
            shutil.copyfileobj(source, written)
    write_json(index, {"schema": SCHEMA, "files": dict(wanted)})


def _opened(url: str) -> tuple[Any, str]:
    """Return a URL's file system, asked anew what it holds, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        cure = "pip install 'riddle-eval[remote]', and what fsspec needs for the protocol (s3fs for s3://)"
        raise ConfigError(f"{shown(url)}: runs at URLs need fsspec, which is not installed; {cure}") from error
    system, root = url_to_fs(url)
    system.invalidate_cache()
    return system, str(root)


def _at(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name}" if root else name


def _below(path: str, root: str) -> str:
    """A path of a file system relative to the root that was listed."""
    return path.lstrip("/").removeprefix(root.strip("/")).lstrip("/")


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to copy; of responses a copy without the journal that a run which was killed late leaves beside them."""
    with ExitStack() as stack:
        if path.name == FILE:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="riddle-publish-")), FILE)
            source = stack.enter_context(closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)))
            with closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            path = copy
        yield stack.enter_context(path.open("rb"))


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Tell what a store raises as an error for people; each kind of store has errors of its own, so all are caught."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        raise ResultError(shown(f"{place}: cannot be read or written ({type(error).__name__}: {error})")) from error
