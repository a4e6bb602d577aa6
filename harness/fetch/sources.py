"""What a task file says of where its data can be fetched: declarations only, nothing is opened here.

A size or checksum is declared only where a publisher states it; for files on the Hugging Face hub the hub itself is asked.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from harness.errors import ConfigError

ALGORITHMS = ("sha256", "md5", "git")
"""Kinds of checksums: ``git`` is the SHA-1 of a git blob. MD5 and it tell damage, not forgery."""

VLMEVALKIT = "https://opencompass.openxlab.space/utils/VLMEval"
"""Where VLMEvalKit keeps its tables, by vlmeval/dataset/image_*.py."""


@dataclass(frozen=True, kw_only=True)
class WebFile:
    """One file on a site.

    Attributes:
        url: where it is, over HTTPS.
        path: where it goes below the data folder; the last part of the address unless given.
        size: in bytes, if its publisher states it.
        digest: ``md5:...`` or another of `ALGORITHMS`, if its publisher states it.
        unpack: folder below the data folder that an archive is unpacked to (``"."``: the data folder); None keeps it as it is.
        advice: what to say where the server refuses it.
    """

    url: str
    path: str = ""
    size: int | None = None
    digest: str | None = None
    unpack: str | None = None
    advice: str = ""

    def __post_init__(self) -> None:
        """Fill in the path. Raises `ConfigError` for a checksum of an unknown kind."""
        if not self.path:
            object.__setattr__(self, "path", posixpath.basename(unquote(urlsplit(self.url).path)))
        if self.digest is not None and self.digest.partition(":")[0] not in ALGORITHMS:
            raise ConfigError(f"{self.url}: checksum {self.digest!r} is of no known kind ({', '.join(ALGORITHMS)})")


@dataclass(frozen=True, kw_only=True)
class HubFiles:
    """Files of a data set on the Hugging Face hub; names, sizes and checksums are those that the hub lists.

    Attributes:
        repo: ``owner/name``.
        files: patterns of paths in the repository; a star stands for anything.
        revision: branch, tag or commit; a branch is pinned to its commit before anything is fetched.
        into: folder below the data folder; the files keep their paths below it.
        unpack: as in `WebFile`.
    """

    repo: str
    files: tuple[str, ...]
    revision: str = "main"
    into: str = ""
    unpack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One complete way to get a benchmark.

    Attributes:
        layout: name of the layout of the task that the files have.
        parts: what is fetched.
        terms: what must be accepted before (``accept=true``); empty if the licence asks for nothing.
        note: what is lacking, or else than in the authors' files.
    """

    layout: str
    parts: tuple[WebFile | HubFiles, ...]
    terms: str = ""
    note: str = ""


def on_hub(repo: str, *files: str, layout: str = "hf_parquet", into: str = "", terms: str = "", note: str = "") -> Offer:
    """Offer files of one data set on the hub."""
    return Offer(layout=layout, parts=(HubFiles(repo=repo, files=files, into=into),), terms=terms, note=note)


def vlmevalkit(name: str, md5: str | None = None, *, terms: str = "", note: str = "") -> Offer:
    """Offer a table of VLMEvalKit, pictures included; ``md5`` as its source code states it."""
    file = WebFile(url=f"{VLMEVALKIT}/{name}.tsv", digest=md5 and f"md5:{md5}")
    return Offer(layout="vlmevalkit_tsv", parts=(file,), terms=terms, note=note)


def on_github(repo: str, revision: str, *paths: str, below: str = "") -> tuple[WebFile, ...]:
    """Name files of a repository on GitHub; they go into the data folder, or ``below`` it, without the repository's folders."""
    root = f"https://raw.githubusercontent.com/{repo}/{revision}"
    return tuple(WebFile(url=f"{root}/{quote(path)}", path=posixpath.join(below, posixpath.basename(path))) for path in paths)


def by_layout(offers: Sequence[Offer], layout: str | None) -> Offer | None:
    """Return the offer of a layout, the first of all without; None if there is none."""
    return next((one for one in offers if layout in (None, one.layout)), None)
