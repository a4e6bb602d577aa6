"""Where the clips of a benchmark lie that comes unpacked in different folders: one file, or a folder of frames.

Not here: their frames (`harness.data.video`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.data.frame_folder import FrameFolder
from harness.data.sources import media_below
from harness.types import MediaSource


def find_clip(root: Path, folders: Sequence[str], name: str, where: str, rate: float | None = None) -> tuple[MediaSource, str]:
    """Return a handle to a clip and the folder in which it was found: the first that holds it, or the first of all.

    Args:
        root: the data folder.
        folders: below it, the likeliest first.
        name: of the clip, below such a folder.
        where: names the record, for errors.
        rate: frames per second of clips that are folders of frames; a name without a suffix is one.

    Raises:
        DatasetError: a name leaves the data folder.
    """
    files = [media_below(root, f"{folder}/{name}", where) for folder in folders]
    file, folder = next(((one, at) for one, at in zip(files, folders, strict=True) if one.path.exists()), (files[0], folders[0]))
    framed = rate is not None and (file.path.is_dir() or not PurePosixPath(name).suffix)
    return FrameFolder(file.path, rate) if framed and rate else file, folder
