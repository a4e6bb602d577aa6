"""One file from a server to disk: resumed where an earlier attempt stopped, checked, and given its name only when it is whole.

While it is on its way a file lies in the folder of records (`RECORDS`) as ``KEY.partial``, with ``KEY.partial.json`` naming the
address and the version (ETag or date) that its bytes are of. It goes on only at the same version, as the server confirms
(``If-Range``), or where a checksum will tell: what has changed meanwhile is begun anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from harness import keys
from harness.errors import DatasetError
from harness.fetch.progress import Transfer, in_bytes
from harness.fetch.sources import WebFile
from harness.fetch.web import PIECE, Busy, Patience, Reply, get, shown
from harness.results import sync, write_json

RECORDS = ".fetched"
"""Folder below the data folder; the leading dot keeps its files out of every layout."""

SPARE = 64 << 20
"""Bytes that are left free on the disk."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a whole file: its size, its SHA-256, and how it was checked (``""``: not at all)."""

    size: int
    sha256: str
    how: str


def key_of(file: WebFile) -> str:
    """Return the name under which the state of a file is kept."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', file.path)[-80:]}-{keys.hash_of(file.path, 6)}"


def partial_of(file: WebFile, folder: Path) -> Path:
    """Return where a file lies while it is on its way."""
    return folder / RECORDS / f"{key_of(file)}.partial"


def download(file: WebFile, folder: Path, patience: Patience, progress: Transfer) -> tuple[Path, Checked]:
    """Fetch one file and check it; returns where it lies, still under its provisional name.

    Raises:
        DatasetError: the server refuses, gives up, or sends another file than was declared (which is then removed).
    """
    partial = partial_of(file, folder)
    partial.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        resumed = _complete(file, partial, patience, progress)
        problem, checked = check(file, partial)
        if not problem:
            break
        discard(partial)
        if last or not resumed:
            raise DatasetError(f"{shown(file.url)}: {problem}, so it is not kept; the file there is damaged or has been replaced")
        patience.say(f"{shown(file.url)}: {problem} after resuming; fetching it anew")
    return partial, checked


def _complete(file: WebFile, partial: Path, patience: Patience, progress: Transfer) -> bool:
    """Fetch until all bytes are there; returns whether some of them are of an earlier attempt."""
    attempt = best = 0
    resumed = False
    while True:
        try:
            return _attempt(file, partial, patience, progress) or resumed
        except Busy as busy:
            reached = _size(partial)
            attempt = 1 if reached > best else attempt + 1
            best, resumed = max(best, reached), True
            patience.wait(file.url, attempt, busy)


def _attempt(file: WebFile, partial: Path, patience: Patience, progress: Transfer) -> bool:
    """Ask once for what is missing and write it as it arrives; returns whether it went on from earlier bytes."""
    start, asked = _resumable(file, partial)
    if start and start == file.size:
        return True
    with get(file.url, patience, asked, file.advice) as reply:
        if reply.status == 416:
            if _total(reply, start) == start == (file.size or start):
                return True  # all bytes were there already
            discard(partial)
            raise Busy(f"{shown(file.url)}: cannot go on at byte {start}")
        begin = _begins_at(reply, start)
        if begin not in (0, start):
            discard(partial)
            raise Busy(f"{shown(file.url)}: sends bytes from {begin} instead of {start}")
        total = _acceptable(file, reply, begin, partial)
        _note(file, reply, partial, begin)
        progress.at(begin, total or 0)
        with partial.open("ab", buffering=0) as out:
            for piece in reply.pieces():
                out.write(piece)
                progress.moved(len(piece))
        if total is not None and _size(partial) != total:
            raise Busy(f"{shown(file.url)}: the connection ended after {_size(partial)} of {total} bytes")
        return begin > 0


def _resumable(file: WebFile, partial: Path) -> tuple[int, dict[str, str]]:
    """Return how many bytes are there to go on from, and the headers that ask for the rest of the same version."""
    start = _size(partial)
    try:
        note = json.loads(_note_of(partial).read_bytes())
    except (OSError, ValueError):
        return 0, {}
    version = note.get("version") if isinstance(note, dict) else None
    ours = isinstance(note, dict) and note.get("url") == file.url and isinstance(version, str | None)
    if not start or not ours or not (version or file.digest) or start > (file.size or start):
        return 0, {}
    return start, {"Range": f"bytes={start}-", **({"If-Range": version} if version else {})}


def _note(file: WebFile, reply: Reply, partial: Path, begin: int) -> None:
    """Record what the bytes are of, before the first of them; bytes of an earlier attempt go unless it goes on from them."""
    if not begin:
        partial.write_bytes(b"")
        write_json(_note_of(partial), {"url": file.url, "version": _version(reply.headers)})


def _version(headers: Message) -> str | None:
    """Return what names a version to the byte: a strong ETag, or else a date."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else None if tag else headers.get("Last-Modified")


def _acceptable(file: WebFile, reply: Reply, begin: int, partial: Path) -> int | None:
    """Return the whole file's size if the server tells; raise `DatasetError` if this is not the file that was declared."""
    problem = ""
    encoding = reply.headers.get("Content-Encoding", "identity")
    kind = reply.headers.get_content_type()
    total = _total(reply, begin)
    if encoding.lower() != "identity":
        problem = f"comes encoded as {encoding}, which was not asked for"
    elif kind == "text/html" and not file.path.endswith((".html", ".htm")):
        problem = f"gives a page instead of {file.path}, perhaps to log in; {file.advice or 'get it by hand'}"
    elif None not in (total, file.size) and total != file.size:
        problem = f"the file has {total} bytes, declared are {file.size}; it has been replaced"
    if problem:
        discard(partial)
        raise DatasetError(f"{shown(file.url)}: {problem}")
    total = file.size if total is None else total
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - begin > free - SPARE:
        needed = in_bytes(total - begin)
        raise DatasetError(f"{partial.parent}: {in_bytes(free)} are free, {file.path} needs {needed} more; make room")
    return total


def _begins_at(reply: Reply, start: int) -> int:
    """Return the first byte of what is sent; 0 where the server sends all of it, whatever was asked."""
    if reply.status != 206:
        return 0
    said = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    return int(said[1]) if said else -1 if start else 0


def _total(reply: Reply, begin: int) -> int | None:
    """Return the size of the whole file, from ``Content-Range`` or ``Content-Length``; None if neither tells."""
    if reply.status in (206, 416):
        said = re.search(r"/(\d+)$", reply.headers.get("Content-Range", ""))
        if said or reply.status == 416:
            return int(said[1]) if said else None
    length = reply.headers.get("Content-Length", "")
    return begin + int(length) if length.isdecimal() else None


def check(file: WebFile, path: Path) -> tuple[str, Checked]:
    """Compare a file on disk with what is declared of it.

    Returns:
        What does not hold (``""`` if all does), and what is known of the file.
    """
    size = _size(path)
    algorithm, _, expected = (file.digest or "").partition(":")
    digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False), "git": _git_blob(size)}
    used = {name: digests[name] for name in {"sha256", algorithm} if name}
    if file.size is None or file.size == size:
        for piece in _pieces(path):
            for one in used.values():
                one.update(piece)
    sha256 = used["sha256"].hexdigest()
    how = algorithm or ("size" if file.size is not None else "")
    if file.size is not None and file.size != size:
        return f"{size} bytes instead of {file.size}", Checked(size, "", "")
    if expected and used[algorithm].hexdigest() != expected.lower():
        return f"its checksum ({algorithm}) is {used[algorithm].hexdigest()} instead of {expected}", Checked(size, sha256, "")
    return "", Checked(size, sha256, how)


def _git_blob(size: int) -> hashlib._Hash:
    """Return a hash that has seen the head of a git blob."""
    return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def keep(partial: Path, final: Path) -> None:
    """Give a checked file its name, whole or not at all."""
    final.parent.mkdir(parents=True, exist_ok=True)
    sync(partial)
    partial.replace(final)
    sync(final.parent)
    discard(partial)


def discard(partial: Path) -> None:
    """Remove what has been fetched of a file, and the note on it."""
    for path in (partial, _note_of(partial)):
        path.unlink(missing_ok=True)


def _note_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
