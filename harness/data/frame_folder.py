"""Clips that are folders of numbered pictures, as MVBench has TVQA's: ``00001.jpg``, ``00002.jpg`` and so on, at a known rate.

Not here: clips in files (`harness.data.video`) and which frames a plan takes (`harness.data.frames`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.frames import chosen
from harness.data.media import open_image, read_header
from harness.errors import MediaError
from harness.types import FileSource, FramePlan

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_NUMBERED = re.compile(r"(?!\.).*?(\d+)\.(?:jpg|jpeg|png|webp)", re.IGNORECASE)
FIRST = 1
"""MVBench's arithmetic counts the pictures of a folder from 1."""


@dataclass(frozen=True, slots=True)
class FrameFolder:
    """A folder of numbered pictures that are a clip of ``rate`` frames a second."""

    path: Path
    rate: float

    @property
    def label(self) -> str:
        """The path as given."""
        return str(self.path)

    def read(self) -> bytes:
        """Raise `MediaError`: a folder has no bytes of its own; its pictures do."""
        raise MediaError(f"{self.path}: a folder of frames, which has no bytes of its own")

    def digest(self) -> str:
        """Name the pictures by their numbers and bytes (BLAKE2b, 32 hex digits). Raises `MediaError` if there are none."""
        hashed = hashlib.blake2b(f"{self.rate}".encode(), digest_size=16)
        for picture in self.pictures():
            with FileSource(picture).open() as file:
                hashed.update(f"\0{picture.name}\0".encode("utf-8", "surrogateescape"))
                hashed.update(hashlib.file_digest(file, "blake2b").digest())
        return hashed.hexdigest()

    def locator(self) -> dict[str, Any]:
        """What `harness.data.media.from_locator` needs to find the folder again."""
        return {"kind": "frames", "path": str(self.path), "rate": self.rate}

    def pictures(self) -> list[Path]:
        """Return the pictures in order. Raises `MediaError` if there is no such folder, none in it, or one missing between."""
        try:
            numbered = {int(found[1]): path for path in self.path.iterdir() if (found := _NUMBERED.fullmatch(path.name))}
        except OSError as error:
            raise MediaError(f"{self.path}: no readable folder of frames ({error.strerror or error})") from error
        if not numbered:
            raise MediaError(f"{self.path}: no frames in this folder (numbered pictures such as 00001.jpg)")
        first, last = min(numbered), max(numbered)
        if gap := next((number for number in range(first, last) if number not in numbered), None):
            raise MediaError(f"{self.path}: {last - first + 1 - len(numbered)} frames are missing, first number {gap}")
        return [numbered[number] for number in range(first, last + 1)]


def folder_frames(source: FrameFolder, plan: FramePlan) -> list[Picture]:
    """Decode the frames that a plan names, in order. Raises `MediaError` as `FrameFolder.pictures` and `open_image` do."""
    pictures = source.pictures()
    numbers = chosen(plan, len(pictures), source.rate, source.label, FIRST)
    opened = {number: open_image(FileSource(pictures[number])) for number in sorted(set(numbers))}
    return [opened[number] for number in numbers]


def folder_size(source: FrameFolder) -> tuple[int, int]:
    """Return width and height of the first frame. Raises `MediaError` as `FrameFolder.pictures` does."""
    header = read_header(FileSource(source.pictures()[0]))
    return header.width, header.height
