"""Takes up an offer: what of it is there already, what is fetched, checked and unpacked, and a record of each file.

The records lie in ``.fetched`` below the data folder, one a file, written when it is in place. They spare the next call the
checksum of a file whose size and time are as they were, and tell files that were fetched from the user's own, which are never
replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, ResultError
from harness.fetch import archives
from harness.fetch.download import RECORDS, Checked, check, discard, download, keep, key_of, partial_of
from harness.fetch.hub import listed
from harness.fetch.progress import Transfer
from harness.fetch.sources import HubFiles, Offer, WebFile
from harness.fetch.web import Patience
from harness.results import SCHEMA, read_json, write_json
from harness.store import RunLock

CHECKS: Mapping[str, str] = {"": "not verified", "size": "size only"}
"""How a check that is none, or hardly one, is called."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file of an offer as it stands on disk.

    Attributes:
        path: below the data folder; of an archive, the archive's.
        size: in bytes, None if unknown.
        state: ``there``, ``begun`` (some bytes are), ``missing``, or ``fetched`` once it was.
        checked: how it was checked, or will be.
        sha256: of the file as it was fetched, if it was.
        unpacked: the folder that it is unpacked to; None for files that stay as they are.
    """

    path: str
    size: int | None
    state: str
    checked: str
    sha256: str | None = None
    unpacked: str | None = None


def files_of(offer: Offer, patience: Patience) -> list[WebFile]:
    """Return all files of an offer, asking the hub for those it lists."""
    return [file for part in offer.parts for file in (listed(part, patience) if isinstance(part, HubFiles) else [part])]


def plan(files: Sequence[WebFile], folder: Path) -> list[Item]:
    """Say of each file whether it is there; nothing is written."""
    return [_state(file, folder) for file in files]


def take_up(files: Sequence[WebFile], folder: Path, patience: Patience, progress: Transfer) -> list[Item]:
    """Fetch what is not there of an offer's files, one after another.

    Raises:
        DatasetError: a file cannot be had, is not what was declared, or would replace one of the user's own.
        RunStopped: another process fetches into this folder.
    """
    records = folder / RECORDS
    records.mkdir(parents=True, exist_ok=True)
    with RunLock(records):
        return list(_taken(files, folder, patience, progress))


def _taken(files: Sequence[WebFile], folder: Path, patience: Patience, progress: Transfer) -> Iterator[Item]:
    for file in files:
        item = _state(file, folder)
        yield item if item.state == "there" else _fetched(file, folder, patience, progress)


def _fetched(file: WebFile, folder: Path, patience: Patience, progress: Transfer) -> Item:
    """Fetch one file, put it or what it holds into its place, then record it."""
    final = folder / file.path
    if file.unpack is None and final.exists() and _record(file, folder) is None:
        raise DatasetError(f"{final}: is there and is another file than the source declares; move it away to have it fetched")
    progress.phase = file.path
    partial, checked = download(file, folder, patience, progress)
    more: dict[str, Any] = {}
    if file.unpack is None:
        keep(partial, final)
        more["mtime_ns"] = final.stat().st_mtime_ns
    else:
        staging = folder / RECORDS / f"{key_of(file)}.unpacking"
        more["members"] = archives.unpack(partial, folder / file.unpack, staging)
    _write(file, folder, checked, more)
    discard(partial)
    return _item(file, "fetched", checked)


def _state(file: WebFile, folder: Path) -> Item:
    record = _record(file, folder)
    if record is not None and _holds(record, file, folder):
        return _item(file, "there", Checked(record["size"], record["sha256"], record["checked"]))
    final = folder / file.path
    if file.unpack is None and final.is_file():
        if file.digest is None and file.size is None and record is None:
            return _item(file, "there", Checked(final.stat().st_size, "", ""))
        problem, checked = check(file, final)
        if not problem and (file.digest or file.size is not None):
            return _item(file, "there", checked)
    begun = partial_of(file, folder).exists()
    how = (file.digest or "").partition(":")[0] or ("size" if file.size is not None else "")
    return _item(file, "begun" if begun else "missing", Checked(file.size or 0, "", how))


def _item(file: WebFile, state: str, checked: Checked) -> Item:
    return Item(
        path=file.path,
        size=checked.size if state in ("there", "fetched") else file.size,
        state=state,
        checked=CHECKS.get(checked.how, checked.how),
        sha256=checked.sha256 or None,
        unpacked=file.unpack,
    )


def _holds(record: Mapping[str, Any], file: WebFile, folder: Path) -> bool:
    """Whether what was fetched before is still there, and is what is declared now."""
    same = record["digest"] == file.digest if file.digest else record["url"] == file.url
    if not same or file.size not in (None, record["size"]):
        return False
    if file.unpack is not None:
        members = [(path, size) for path, size in record.get("members", [])]
        return bool(members) and next(archives.missing(folder / file.unpack, members), None) is None
    final = folder / file.path
    if not final.is_file():
        return False
    found = final.stat()
    return (found.st_size, found.st_mtime_ns) == (record["size"], record.get("mtime_ns"))


def _record(file: WebFile, folder: Path) -> dict[str, Any] | None:
    """Return what was recorded of a file; None if it was never fetched, or the record cannot be read."""
    try:
        record = read_json(_record_of(file, folder))
    except ResultError:
        return None
    return record if {"url", "digest", "size", "sha256", "checked"} <= set(record) else None


def _write(file: WebFile, folder: Path, checked: Checked, more: Mapping[str, Any]) -> None:
    about = {"schema": SCHEMA, "path": file.path, "url": file.url, "digest": file.digest}
    known = {"size": checked.size, "sha256": checked.sha256, "checked": checked.how}
    write_json(_record_of(file, folder), {**about, **known, **more})


def _record_of(file: WebFile, folder: Path) -> Path:
    return folder / RECORDS / f"{key_of(file)}.json"
