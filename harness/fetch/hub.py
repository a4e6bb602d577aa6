"""The Hugging Face hub: which files a data set has, with sizes and checksums as the hub states them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urljoin

from harness.errors import DatasetError
from harness.fetch.paths import safe_path
from harness.fetch.sources import HubFiles, WebFile
from harness.fetch.web import TOKEN, Busy, Patience, get, hub, shown

LARGEST_PAGE = 64 << 20
"""Bytes of one page of a listing."""

PAGES = 10_000
NAMED = 10
"""So many of the files that are there are named where none fits."""


def listed(part: HubFiles, patience: Patience) -> list[WebFile]:
    """Return the files of a data set that the patterns match, at the commit that its revision stands for now.

    Raises:
        DatasetError: the data set is not there or closed to us, a pattern matches nothing, or a path leaves its folder.
    """
    try:
        return _listed(part, patience)
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise DatasetError(f"{part.repo}: the hub's listing is not as expected ({type(error).__name__}: {error})") from error


def _listed(part: HubFiles, patience: Patience) -> list[WebFile]:
    api = f"{hub()}/api/datasets/{part.repo}"
    advice = _advice(part.repo)
    commit = _page(f"{api}/revision/{quote(part.revision, safe='')}", patience, advice)[0]["sha"]
    if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise DatasetError(f"{part.repo}: the hub names no commit for {part.revision!r}")
    entries = {entry["path"]: entry for entry in _tree(f"{api}/tree/{commit}?recursive=true", patience, advice)}
    wanted: dict[str, WebFile] = {}
    for pattern in part.files:
        found = sorted(path for path in entries if _matches(path, pattern))
        if not found:
            there = ", ".join(sorted(entries)[:NAMED])
            raise DatasetError(f"{part.repo} at {commit[:7]}: no file is called {pattern}; there are {there}, ...")
        wanted |= {path: _file(part, commit, entries[path], advice) for path in found}
    return list(wanted.values())


def _advice(repo: str) -> str:
    page = f"{hub()}/datasets/{repo}"
    return f"see whether {page} is there and asks to accept its terms first, then set {TOKEN} to a token of the account that has"


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or (pattern.startswith("**/") and fnmatchcase(path, pattern[3:]))


def _file(part: HubFiles, commit: str, entry: Mapping[str, Any], advice: str) -> WebFile:
    """Describe a listed file; large ones have a SHA-256, small ones git's checksum of a blob."""
    path, large = safe_path(entry["path"], part.repo), entry.get("lfs")
    return WebFile(
        url=f"{hub()}/datasets/{part.repo}/resolve/{commit}/{quote(path)}",
        path=posixpath.join(part.into, path),
        size=int((large or entry)["size"]),
        digest=f"sha256:{large['oid']}" if large else f"git:{entry['oid']}",
        unpack=part.unpack,
        advice=advice,
    )


def _tree(url: str, patience: Patience, advice: str) -> Iterator[Mapping[str, Any]]:
    """Yield the files of all pages of a listing."""
    for _ in range(PAGES):
        entries, following = _page(url, patience, advice)
        yield from (entry for entry in entries if entry.get("type") == "file")
        if following is None:
            return
        url = following
    raise DatasetError(f"{shown(url)}: the listing has over {PAGES} pages")


def _page(url: str, patience: Patience, advice: str) -> tuple[Any, str | None]:
    """Return one JSON document and the address of the next page, if there is one."""
    attempt = 0
    while True:
        try:
            return _asked(url, patience, advice)
        except Busy as busy:
            attempt += 1
            patience.wait(url, attempt, busy)


def _asked(url: str, patience: Patience, advice: str) -> tuple[Any, str | None]:
    with get(url, patience, advice=advice) as reply:
        text = bytearray()
        for piece in reply.pieces():
            text += piece
            if len(text) > LARGEST_PAGE:
                raise DatasetError(f"{shown(url)}: the listing is larger than {LARGEST_PAGE >> 20} MiB")
        length = reply.headers.get("Content-Length")
        if length is not None and len(text) < int(length):
            raise Busy(f"{shown(url)}: ended after {len(text)} of {length} bytes")
        link = re.search(r'<([^>]+)>;\s*rel="?next"?', reply.headers.get("Link", ""))
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{shown(url)}: no listing as the hub gives it ({error})") from error
    following = urljoin(url, link[1]) if link else None
    if following and not following.startswith(f"{hub()}/"):
        raise DatasetError(f"{shown(url)}: its listing goes on elsewhere ({shown(following)})")
    return document, following
