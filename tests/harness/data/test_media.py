"""Handles and guarded decoding, on good files and hostile ones."""

from __future__ import annotations

import base64
import gzip
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from harness.data import media
from harness.data.grey import GreyClip, GreyPicture
from harness.data.media import ParquetCell, TsvCell, digest, from_locator, open_image, read_header
from harness.errors import MediaError
from harness.types import FileSource, MediaSource


def encoded(mode: str = "RGB", kind: str = "PNG", size: tuple[int, int] = (40, 30), colour: object = None) -> bytes:
    out = BytesIO()
    Image.new(mode, size, colour or 0).save(out, kind)  # type: ignore[arg-type]
    return out.getvalue()


def file(folder: Path, data: bytes, name: str = "a.png") -> FileSource:
    (folder / name).write_bytes(data)
    return FileSource(folder / name)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def zipped() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", encoded())
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (encoded(size=(200, 200), mode="RGB", colour=(1, 2, 3))[:-40], "damaged or cut short"),
        (encoded(kind="JPEG", size=(300, 300))[:400], "damaged or cut short"),
        (png_that_claims(12_000, 12_000), "above the limit of"),
        (png_that_claims(60_000, 60_000), "above the limit of"),
        (zipped(), "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "not a picture"),
        (b"<svg/>", "not a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, ""),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_hostile_file_is_an_error_that_names_it(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=r"a\.png") as caught:
        open_image(file(tmp_path, data))
    assert message in str(caught.value)


@given(st.integers(0, 200), st.binary(max_size=6))
def test_damage_anywhere_is_a_picture_or_an_error(place: int, junk: bytes) -> None:
    data = encoded("P", "PNG")
    damaged = data[:place] + junk + data[place + len(junk) :]

    class Bytes:
        label = "damaged"

        def read(self) -> bytes:
            return damaged

        def locator(self) -> dict[str, object]:
            return {}

    try:
        assert open_image(Bytes()).mode == "RGB"
    except MediaError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("use", [open_image, digest, read_header])
def test_what_may_never_end_is_not_read(tmp_path: Path, use: Callable[[MediaSource], object]) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        with pytest.raises(MediaError, match=f"{name}: .*not a regular file"):
            use(FileSource(tmp_path / name))


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    absent = FileSource(tmp_path / "absent.png")
    for call in (open_image, digest, read_header):
        with pytest.raises(MediaError, match=r"absent\.png: cannot be read \(No such file"):
            call(absent)


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("RGBA", "PNG", (10, 20, 30, 0), (10, 20, 30)),
        ("LA", "PNG", (10, 0), (10, 10, 10)),
        ("L", "PNG", 10, (10, 10, 10)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("I;16", "PNG", 25600, (100, 100, 100)),
        ("RGB", "BMP", (10, 20, 30), (10, 20, 30)),
        ("RGB", "GIF", (255, 0, 0), (255, 0, 0)),
        ("RGB", "WEBP", (255, 255, 255), (255, 255, 255)),
        ("CMYK", "JPEG", (0, 0, 0, 0), (255, 255, 255)),
        ("F", "TIFF", 10.0, (10, 10, 10)),
    ],
)
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, kind: str, colour: object, expected: object) -> None:
    picture = open_image(file(tmp_path, encoded(mode, kind, colour=colour)))
    assert (picture.mode, picture.size, picture.getpixel((5, 5))) == ("RGB", (40, 30), expected)


def test_a_transparent_palette_keeps_its_colours(tmp_path: Path) -> None:
    out = BytesIO()
    Image.new("RGB", (4, 4), (200, 10, 10)).convert("P").save(out, "PNG", transparency=bytes([0, 255, 128]))
    assert open_image(file(tmp_path, out.getvalue())).getpixel((0, 0)) == pytest.approx((200, 10, 10), abs=10)


def test_stored_orientation_is_not_applied(tmp_path: Path) -> None:
    out, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30)).save(out, "JPEG", exif=exif)
    assert open_image(file(tmp_path, out.getvalue(), "a.jpg")).size == (40, 30)


def table(folder: Path, name: str, cells: list[bytes]) -> list[TsvCell]:
    text, places = b"index\timage\n", []
    for number, cell in enumerate(cells):
        value = base64.b64encode(cell)
        text += b"%d\t" % number
        places.append(TsvCell(folder / name, len(text), len(value)))
        text += value + b"\n"
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return places


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz"])
def test_a_table_cell_is_read_in_any_order(tmp_path: Path, name: str) -> None:
    pictures = [encoded(colour=(n, n, n)) for n in range(5)]
    cells = table(tmp_path, name, pictures)
    for number in (0, 3, 1, 4, 2):
        assert cells[number].read() == pictures[number]
        assert digest(cells[number]) == digest(file(tmp_path, pictures[number]))


def test_a_changed_table_is_noticed(tmp_path: Path) -> None:
    cell = table(tmp_path, "t.tsv", [encoded()])[0]
    shifted = TsvCell(cell.path, cell.offset - 4, cell.length)
    with pytest.raises(MediaError, match=r"t\.tsv@.*not base64"):
        shifted.read()
    with pytest.raises(MediaError, match="ends after"):
        TsvCell(cell.path, cell.offset, 10_000).read()
    with pytest.raises(MediaError, match="cannot be read"):
        TsvCell(tmp_path / "absent.tsv", 0, 4).read()
    (tmp_path / "bad.tsv.gz").write_bytes(gzip.compress(b"x" * 100_000)[:60])
    with pytest.raises(MediaError, match="cannot be read"):
        TsvCell(tmp_path / "bad.tsv.gz", 90_000, 4).read()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    images = [None if n == 3 else {"bytes": b"%d" % n * 50, "path": f"{n}.png"} for n in range(300)]
    lists = [[{"bytes": b"%d" % n, "path": None}] * (n % 3) for n in range(300)]
    columns = pyarrow.table({"image": images, "images": lists, "raw": [b"r%d" % n for n in range(300)]})
    parquet.write_table(columns, tmp_path / "p.parquet", row_group_size=70)
    return tmp_path / "p.parquet"


@pytest.mark.parametrize("order", [range(4, 300), range(299, 3, -37), (5, 290, 6, 150, 149, 69, 70, 71, 5)])
def test_a_parquet_cell_is_read_in_any_order(rows: Path, order: range | tuple[int, ...]) -> None:
    for number in order:
        assert ParquetCell(rows, number, "image.bytes").read() == b"%d" % number * 50
        assert ParquetCell(rows, number, "raw").read() == b"r%d" % number


def test_one_of_several_pictures_of_a_row_is_read(rows: Path) -> None:
    assert ParquetCell(rows, 5, "images.list.element.bytes", 1).read() == b"5"
    assert ParquetCell(rows, 5, "images.list.element.bytes", 1).label.endswith("row 5 images[1]")


@pytest.mark.parametrize(
    "cell",
    [
        lambda path: ParquetCell(path, 3, "image.bytes"),
        lambda path: ParquetCell(path, 5, "images.list.element.bytes", 2),
        lambda path: ParquetCell(path, 300, "raw"),
        lambda path: ParquetCell(path, 0, "absent"),
        lambda path: ParquetCell(path.with_name("absent.parquet"), 0, "raw"),
    ],
)
def test_a_cell_without_bytes_is_an_error_that_names_it(rows: Path, cell: Callable[[Path], ParquetCell]) -> None:
    with pytest.raises(MediaError, match=r"\.parquet row \d+ "):
        cell(rows).read()


def test_a_file_that_is_no_parquet_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_bytes(b"nonsense")
    with pytest.raises(MediaError, match="cannot be read"):
        ParquetCell(tmp_path / "p.parquet", 0, "raw").read()


@pytest.mark.parametrize(
    "source",
    [
        FileSource(Path("a.png")),
        TsvCell(Path("t.tsv"), 3, 4),
        ParquetCell(Path("p"), 1, "c.bytes", 2),
        ParquetCell(Path("p"), 1, "c"),
        GreyPicture(TsvCell(Path("t.tsv"), 3, 4)),
        GreyClip(FileSource(Path("a.mp4")), 8),
    ],
)
def test_a_handle_survives_its_locator_and_pickling(source: MediaSource) -> None:
    assert from_locator(source.locator()) == source == pickle.loads(pickle.dumps(source))
    assert isinstance(source, MediaSource)


@pytest.mark.parametrize(
    "locator",
    [
        *({}, {"kind": "file"}, {"kind": "tape", "path": "x"}, {"kind": "tsv", "path": "x", "offset": "y"}),
        *({"kind": "grey"}, {"kind": "grey", "of": None}),
    ],
)
def test_an_unusable_locator_is_an_error_that_shows_it(locator: dict[str, object]) -> None:
    with pytest.raises(MediaError, match="locator"):
        from_locator(locator)


def test_a_digest_names_the_bytes(tmp_path: Path) -> None:
    assert digest(file(tmp_path, b"abc")) == digest(file(tmp_path, b"abc", "b")) != digest(file(tmp_path, b"abd"))
    assert len(digest(file(tmp_path, b""))) == 32


def test_a_size_is_read_from_the_first_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = file(tmp_path, encoded("RGB", "BMP", (300, 200)))
    header = read_header(source)
    assert (header.width, header.height) == (300, 200)
    cell = table(tmp_path, "t.tsv", [source.read()])[0]
    assert read_header(cell) == header
    monkeypatch.setattr(media, "open_image", lambda source: pytest.fail("decoded"))
    read_header(cell)


def test_a_size_behind_a_long_header_is_still_read(tmp_path: Path) -> None:
    out = BytesIO()
    Image.new("RGB", (40, 30)).save(out, "JPEG", comment=b"x" * 60_000)
    assert read_header(file(tmp_path, out.getvalue())).width == 40
    with pytest.raises(MediaError, match="not a picture"):
        read_header(file(tmp_path, b"nonsense" * 10))
