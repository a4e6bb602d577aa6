"""Archives are unpacked into their folder and nowhere else, whole or not at all."""

from __future__ import annotations

import io
import os
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.errors import DatasetError
from harness.fetch.archives import Limits, missing, unpack
from harness.fetch.paths import safe_path

FILES = {"val/a.json": b"[1]", "val/deep/b.txt": b"b" * 5000, "c.txt": b""}


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, data)
    return path


def tarred(path: Path, members: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o6777
            packed.addfile(info, io.BytesIO(data))
    return path


def special(kind: bytes, **about: object) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        with tarfile.open(path, "w") as packed:
            info = tarfile.TarInfo("in")
            info.type = kind
            for name, value in about.items():
                setattr(info, name, value)
            packed.addfile(info)
        return path

    return make


def long_headed(path: Path) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as packed:
        packed.addfile(tarfile.TarInfo("good"))
        info = tarfile.TarInfo("a")
        info.pax_headers = {"comment": "c" * (2 << 20)}
        packed.addfile(info)
    return path


def linked_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    return path


def repeated_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as packed, pytest.warns(UserWarning, match="Duplicate"):
        packed.writestr("a.txt", "1")
        packed.writestr("a.txt", "2")
    return path


def encrypted_zip(path: Path) -> Path:
    data = bytearray(zipped(path, {"a.txt": b"1"}).read_bytes())
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = data.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        data[at] |= 1
    path.write_bytes(bytes(data))
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    return folder


def opened(archive: Path, target: Path, **limits: float) -> list[tuple[str, int]]:
    return unpack(archive, target, target / ".staging", Limits(**limits))  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("make", [zipped, tarred, lambda path, members: tarred(path, members, "w:xz")])
def test_files_go_beside_what_is_there(tmp_path: Path, target: Path, make: Callable[..., Path]) -> None:
    junk = {"__MACOSX/val/._a.json": b"x", "val/.DS_Store": b"x", "val/._a.json": b"x"}
    archive = make(tmp_path / "archive", {**FILES, **junk})
    (target / "val").mkdir()
    (target / "val/a.json").write_bytes(b"old")
    (target / "val/own").write_bytes(b"own")
    found = opened(archive, target)
    assert found == sorted((name, len(data)) for name, data in FILES.items())
    assert files(target) == {**FILES, "mine.txt": b"mine", "val/own": b"own"}
    assert not list(missing(target, found))
    (target / "c.txt").unlink()
    assert list(missing(target, found)) == ["c.txt"]
    assert not (target / "val/deep/b.txt").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)
    assert opened(archive, target) == found, "again, after a call that was killed"


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../out.txt", "leaves the folder"),
        ("a/../../out.txt", "leaves the folder"),
        ("/out.txt", "absolute"),
        ("..\\out.txt", "leaves the folder"),
        ("C:\\out.txt", "absolute"),
        ("a\nb", "control characters"),
        ("x" * 300, "too long"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    tmp_path: Path, target: Path, make: Callable[..., Path], name: str, problem: str
) -> None:
    archive = make(tmp_path / "archive", {"good.txt": b"good", name: b"bad"})
    with pytest.raises(DatasetError, match=problem):
        opened(archive, target)
    assert files(tmp_path) == {"archive": archive.read_bytes(), "data/mine.txt": b"mine"}


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (special(tarfile.SYMTYPE, linkname="/etc"), "is a link, a device"),
        (special(tarfile.LNKTYPE, linkname="../../x"), "is a link, a device"),
        (special(tarfile.CHRTYPE, devmajor=1, devminor=5), "is a link, a device"),
        (special(tarfile.FIFOTYPE), "is a link, a device"),
        (linked_zip, "is a link or device"),
        (repeated_zip, "stands twice"),
        (encrypted_zip, "is encrypted"),
        (long_headed, r"damaged \(a header of \d+ bytes"),
        (lambda path: tarred(path, {"a": b"1", "a/b": b"2"}), "stands twice"),
        (lambda path: tarred(path, {"./a": b"1", "a": b"2"}), "stands twice"),
        (lambda path: zipped(path, {"a/b": b"1", "a": b"2"}), "stands twice"),
        (lambda path: path.write_bytes(b"no archive") and path, "no zip and no tar"),
        (lambda path: path.write_bytes(zipped(path, FILES).read_bytes()[:-60]) and path, "no zip and no tar|damaged"),
        (lambda path: path.write_bytes(tarred(path, {"a": os.urandom(9000)}).read_bytes()[:4000]) and path, "damaged|ended"),
    ],
)
def test_what_no_benchmark_needs_is_refused(tmp_path: Path, target: Path, make: Callable[[Path], Path], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        opened(make(tmp_path / "archive"), target)
    assert files(target) == {"mine.txt": b"mine"}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_bombs_are_defused(tmp_path: Path, target: Path, make: Callable[..., Path]) -> None:
    archive = make(tmp_path / "archive", {f"{number}": bytes(1 << 20) for number in range(8)})
    with pytest.raises(DatasetError, match="as only a bomb does"):
        opened(archive, target, ratio=200, free=1 << 20)
    with pytest.raises(DatasetError, match=r"more than 3\.0 MB"):
        opened(archive, target, total=3_000_000)
    with pytest.raises(DatasetError, match="over 4 members"):
        opened(archive, target, members=4)
    assert files(target) == {"mine.txt": b"mine"}
    assert len(opened(archive, target)) == 8, "eight megabytes are no bomb"


def test_a_size_that_a_zip_lies_about_is_found_out(tmp_path: Path, target: Path) -> None:
    data = zipped(tmp_path / "archive", {"a.txt": bytes(100_000)}).read_bytes()
    (tmp_path / "archive").write_bytes(data.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DatasetError, match="damaged"):
        opened(tmp_path / "archive", target)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:xz", "w:bz2"])
def test_damaged_archives_are_refused_and_leave_nothing(tmp_path: Path, target: Path, mode: str) -> None:
    dice = random.Random(mode)
    sound = (zipped(tmp_path / "a", FILES) if mode == "zip" else tarred(tmp_path / "a", FILES, mode)).read_bytes()
    archive = tmp_path / "archive"
    for _ in range(60):
        data = bytearray(sound)
        for _ in range(dice.choice([1, 2, 8])):
            data[dice.randrange(len(data))] = dice.choice([0, 46, 47, 255, dice.randrange(256)])
        archive.write_bytes(data[: dice.choice([len(data), dice.randrange(len(data))])])
        before = files(target)
        try:
            opened(archive, target)
        except DatasetError:
            assert files(target) == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "archive", "data"]
        assert (target / "mine.txt").read_bytes() == b"mine"


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, target: Path) -> None:
    (target / "val").write_bytes(b"mine too")
    with pytest.raises(DatasetError, match="is in the way"):
        opened(zipped(tmp_path / "archive", FILES), target)
    assert (target / "val").read_bytes() == b"mine too"


def test_plain_paths_are_brought_into_one_form() -> None:
    assert safe_path("./a//b/./c.txt", "x") == "a/b/c.txt"
    for name in ("", ".", "./"):
        with pytest.raises(DatasetError, match="is empty"):
            safe_path(name, "x")
