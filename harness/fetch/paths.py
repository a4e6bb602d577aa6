"""Names from elsewhere (a listing, an archive) that are to become files: only such as stay below their folder pass."""

from __future__ import annotations

import posixpath
import re

from harness.errors import DatasetError

LONGEST_PART = 255
"""Bytes that file systems allow one part of a path."""


def safe_path(name: str, where: str) -> str:
    """Return a relative path with ``/`` between its parts and without ``.`` ones.

    Args:
        name: the path as the listing or archive has it.
        where: what names it, for messages.

    Raises:
        DatasetError: it is absolute, leaves its folder (``..``), is empty, or holds characters that no file should.
    """
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    problem = (
        "is an absolute path" if plain.startswith("/") or re.match(r"[A-Za-z]:", plain)
        else "leaves the folder" if ".." in parts
        else "is empty" if not parts
        else "holds control characters" if any(ord(character) < 32 or ord(character) == 127 for character in name)
        else "is too long" if any(len(part.encode("utf-8", "replace")) > LONGEST_PART for part in parts)
        else ""
    )  # fmt: skip
    if problem:
        raise DatasetError(f"{where}: the name {name!r:.120} {problem}; nothing of it is written")
    return posixpath.join(*parts)
