"""Archives from elsewhere, unpacked into their folder and nowhere else: zip and tar, the latter compressed or not.

Everything is unpacked beside the folder first and moved in when it is whole, so an archive that is refused in the middle leaves
nothing. Links, devices, names that leave the folder or stand twice, encrypted members, and archives that would fill the disk are
refused; only files and folders are made, with the rights that new files have. Archives within are left as they are.
"""

from __future__ import annotations

import errno
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any

from harness.errors import DatasetError
from harness.fetch.paths import safe_path
from harness.fetch.progress import in_bytes

JUNK = ("__MACOSX", ".DS_Store")
PIECE = 1 << 20

LONGEST_HEADER = 1 << 20
_FURTHER = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, struct.error),
    *(ValueError, LookupError, ArithmeticError, RuntimeError),
)
"""What the readers raise on damaged or hostile bytes, besides `OSError` without a number or with that of a wrong place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Where unpacking stops.

    Attributes:
        total: bytes that all members may have together.
        ratio: how many times the archive's own size that may be, once it is above ``free``.
        free: bytes below which no ratio is asked.
        members: how many there may be.
    """

    total: int = 1 << 41
    ratio: float = 200.0
    free: int = 64 << 20
    members: int = 5_000_000


@dataclass
class _Unpacking:
    """Counts and refuses, for one archive that goes into ``folder``."""

    archive: Path
    folder: Path
    limits: Limits
    size: int = 0
    names: dict[str, bool] = field(default_factory=dict)
    """Path of each member and of each folder above one, and whether it is a folder."""

    def path(self, name: str, is_folder: bool) -> str | None:
        """Return the path of a member; None for what is left out. Raises `DatasetError` for one that is refused."""
        safe = safe_path(name, str(self.archive.name))
        parts = safe.split("/")
        if parts[0] in JUNK or parts[-1] in JUNK or parts[-1].startswith("._"):
            return None
        above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        if any(self.names.get(one) is False for one in above) or (safe in self.names and not (is_folder and self.names[safe])):
            raise self.refusal(f"the name {name!r:.120} stands twice")
        self.names |= dict.fromkeys(above, True) | {safe: is_folder}
        if len(self.names) > self.limits.members:
            raise self.refusal(f"over {self.limits.members} members")
        return safe

    def write(self, path: str, source: IO[bytes]) -> None:
        """Write one file, counting what really comes out."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while piece := source.read(PIECE):
                self.count(len(piece))
                out.write(piece)

    def count(self, more: int) -> None:
        """Add to what has come out. Raises `DatasetError` above a limit."""
        self.size += more
        allowed = max(self.limits.free, int(self.limits.ratio * self.archive.stat().st_size))
        if self.size > min(allowed, self.limits.total):
            raise self.refusal(f"it unpacks to more than {in_bytes(min(allowed, self.limits.total))}, as only a bomb does")

    def refusal(self, problem: str) -> DatasetError:
        """Return the error that says why the archive is refused."""
        return DatasetError(f"{self.archive.name}: {problem}; the archive is refused, and nothing of it is kept")


def unpack(archive: Path, target: Path, staging: Path, limits: Limits = Limits()) -> list[tuple[str, int]]:
    """Unpack an archive into a folder.

    Args:
        archive: a zip or tar file, recognised by what it holds.
        target: the folder; what is there stays, files of the same name are replaced.
        staging: a folder on the same disk that is used meanwhile, and emptied before and after.
        limits: where to stop.

    Returns:
        Path below ``target`` and size in bytes of each file, sorted.

    Raises:
        DatasetError: the archive is damaged, or refused; ``target`` is then as it was.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    work = _Unpacking(archive, staging, limits)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(work)
        elif tarfile.is_tarfile(archive):
            _untar(work)
        else:
            raise work.refusal("it is no zip and no tar file")
        files = sorted(path for path, is_folder in work.names.items() if not is_folder)
        sizes = [(path, (staging / path).stat().st_size) for path in files]
        target.mkdir(parents=True, exist_ok=True)
        _move(staging, target)
        return sizes
    except _DAMAGED as error:
        raise work.refusal(f"damaged ({error})") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise
        raise work.refusal(f"damaged ({error})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _Header(tarfile.TarInfo):
    """A member whose further headers (long names, attributes), which are read into memory whole, are bounded."""

    def _proc_member(self, packed: tarfile.TarFile) -> Any:
        if self.type in _FURTHER and self.size > LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(packed)  # type: ignore[misc]


def _unzip(work: _Unpacking) -> None:
    with zipfile.ZipFile(work.archive) as packed:
        members = packed.infolist()
        if sum(one.file_size for one in members) > work.limits.total:
            raise work.refusal(f"it says to hold more than {in_bytes(work.limits.total)}")
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise work.refusal(f"{member.filename!r:.120} is a link or device")
            if member.flag_bits & 1:
                raise work.refusal(f"{member.filename!r:.120} is encrypted")
            path = work.path(member.filename, member.is_dir())
            if path is not None and not member.is_dir():
                with packed.open(member) as source:
                    work.write(path, source)


def _untar(work: _Unpacking) -> None:
    with tarfile.open(work.archive, "r:*", tarinfo=_Header) as packed:
        for member in packed:
            if not (member.isreg() or member.isdir()) or member.issparse():
                raise work.refusal(f"{member.name!r:.120} is a link, a device or sparse")
            path = None if member.isdir() and member.name in (".", "./") else work.path(member.name, member.isdir())
            source = packed.extractfile(member) if path is not None and member.isreg() else None
            if source is not None and path is not None:
                with source:
                    work.write(path, source)
            else:
                work.count(member.size)


def _move(source: Path, target: Path) -> None:
    """Move what a folder holds into another: whole subtrees where there is nothing yet, else file by file.

    Links that the user has put there are followed; an archive makes none.
    """
    for one in sorted(source.iterdir()):
        there = target / one.name
        if one.is_dir() and there.is_dir():
            _move(one, there)
        elif one.is_dir() is there.is_dir() or not there.exists():
            one.replace(there)
        else:
            raise DatasetError(f"{there}: is in the way of what an archive holds under that name; move it away")


def missing(target: Path, files: list[tuple[str, int]]) -> Iterator[str]:
    """Yield the files of an archive that are not there any more, or of another size."""
    for path, size in files:
        there = target / PurePosixPath(path)
        if not there.is_file() or there.stat().st_size != size:
            yield path
