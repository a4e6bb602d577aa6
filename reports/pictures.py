"""Small versions of the pictures and clips that a run showed, kept once a page and within a budget of bytes.

A page must open from disk alone, so thumbnails are WebP in data URIs. How large one may be follows from how many the page
needs: a page of 50 documents gets them legible, a page of 5,000 gets stamps, and one that still does not fit says so in
the pictures' place.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from io import BytesIO
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.errors import MediaError
from reports.stored import media_label, media_name

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 448
"""Longest edge of a thumbnail in pixels."""

SMALLEST_BYTES, LARGEST_BYTES = 1_200, 24_000
"""Bounds of what one thumbnail may take, before base64."""

STRIP_HEIGHT = 112
"""Height in pixels of the frames in a clip's strip."""


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """An encoded small picture with the size of the original in pixels (of the strip, for a clip)."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What stands in the place of a picture: the name of a stored thumbnail, or why there is none.

    ``original`` links to the file itself, where it is a plain file near the page.
    """

    name: str = ""
    width: int = 0
    height: int = 0
    label: str = ""
    clip: bool = False
    absent: str = ""
    original: str = ""


class Thumbnails:
    """Makes thumbnails and remembers them by digest, so that ten models on one benchmark decode each picture once."""

    def __init__(self, kept: int = 20_000) -> None:
        self._kept = kept
        self._made: dict[tuple[str, str, int], Thumbnail | str] = {}

    def get(self, part: Mapping[str, Any], allowance: int) -> Thumbnail | str:
        """Return the thumbnail of a stored media part in at most about ``allowance`` bytes, or why there is none."""
        key = (media_name(part), str(part.get("frames")), allowance)
        if key not in self._made:
            while len(self._made) >= self._kept:
                del self._made[next(iter(self._made))]
            self._made[key] = _make(part, allowance)
        return self._made[key]


class Shelf:
    """The pictures of one page: each stored once, all together within ``budget`` bytes."""

    def __init__(self, thumbnails: Thumbnails, expected: int, budget: int, folder: Path | None = None) -> None:
        self._thumbnails = thumbnails
        self._folder = folder
        self._left = budget
        self._allowance = max(SMALLEST_BYTES, min(LARGEST_BYTES, int(budget * 0.7 / max(1, expected))))
        self.stored: dict[str, Thumbnail] = {}

    def put(self, part: Mapping[str, Any]) -> Shown:
        """Store a media part's thumbnail if there is room and say what to show in its place."""
        label = media_label(part)
        clip = "frames" in part
        name = "m" + blake2b(f"{media_name(part)} {part.get('frames')}".encode(), digest_size=8).hexdigest()
        if name not in self.stored:
            made = self._thumbnails.get(part, self._allowance)
            if isinstance(made, str):
                return Shown(label=label, clip=clip, absent=made)
            if len(made.uri) > self._left:
                left_out = "left out to keep this page small"
                size = (made.width, made.height)
                return Shown(
                    label=label, clip=clip, absent=left_out, original=original(part, self._folder), width=size[0], height=size[1]
                )
            self._left -= len(made.uri)
            self.stored[name] = made
        kept = self.stored[name]
        link = original(part, self._folder)
        return Shown(name=name, width=kept.width, height=kept.height, label=label, clip=clip, original=link)


@cache
def _link(path: Path, folder: Path, here: Path) -> str:
    whole, page = path.resolve(), folder.resolve()
    roots = [root for root in (page.parent.parent, here) if root != Path(root.anchor)]
    shared = any(whole.is_relative_to(root) and page.is_relative_to(root) for root in roots)
    return quote(os.path.relpath(whole, page)) if shared and whole.is_file() else ""


def original(part: Mapping[str, Any], folder: Path | None) -> str:
    """Return a link from a page in ``folder`` to the file of a picture or clip; empty where there is none to give.

    A relative link, and only to a file in the tree that the page or the process is in: one that climbs out of both would tell
    a reader of the page how this machine's folders are named.
    """
    locator = part.get("locator")
    if folder is None or not isinstance(locator, dict) or locator.get("kind") != "file":
        return ""
    return _link(Path(str(locator.get("path", ""))), folder, Path.cwd())


def _make(part: Mapping[str, Any], allowance: int) -> Thumbnail | str:
    from harness.data.media import from_locator, open_image

    try:
        locator = part.get("locator")
        if not isinstance(locator, dict):
            return "not recorded"
        source = from_locator(locator)
        clip = "frames" in part
        picture = _strip(source, part["frames"]) if clip else open_image(source)
    except MediaError as error:
        return f"cannot be shown: {_without_folder(str(error), part)}"
    uri = _encode(picture, allowance, picture.width if clip else LONGEST)
    return Thumbnail(uri=uri, width=picture.width, height=picture.height)


def _without_folder(message: str, part: Mapping[str, Any]) -> str:
    """Keep this machine's folders out of a page that may be published."""
    label = str(part.get("image") or part.get("video") or "")
    return message.replace(label, PurePath(label).name) if label else message


def _strip(source: Any, plan: object) -> Image:
    """Put the frames that a model saw side by side."""
    from PIL import Image

    from harness.data.frames import plan_of
    from harness.data.video import read_frames

    frames = read_frames(source, plan_of(plan))
    small = [frame.resize((max(1, round(frame.width * STRIP_HEIGHT / frame.height)), STRIP_HEIGHT)) for frame in frames]
    strip = Image.new("RGB", (sum(frame.width + 2 for frame in small) or 1, STRIP_HEIGHT), "white")
    left = 0
    for frame in small:
        strip.paste(frame, (left, 0))
        left += frame.width + 2
    return strip


def _encode(picture: Image, allowance: int, edge: int) -> str:
    """Encode with a longest edge of at most ``edge``, smaller until it fits ``allowance`` (four tries, 64 pixels at least)."""
    buffer = BytesIO()
    for _ in range(4):
        small = picture.copy()
        small.thumbnail((edge, edge))
        buffer = BytesIO()
        small.save(buffer, "WEBP", quality=72, method=2)
        if buffer.tell() <= allowance or edge <= 64:
            break
        edge = max(64, int(max(small.size) * math.sqrt(allowance / buffer.tell()) * 0.95))
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
