"""Shows training conversations: the picture with its boxes and points, and what is said, as a PNG or one HTML page.

Reads annotation files, folders of them, and compositions (`models.sphinx_x.corpus.compose`). Not here: drawing (`png`) and
writing the page (`page`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.boxes import to_pixels
from harness.data.media import open_image
from harness.data.sources import media_below
from harness.data.tables import plain_name
from harness.errors import ConfigError, DatasetError, MediaError
from harness.results import whole
from models.sphinx_x.corpus.data_file import read_data_file
from models.sphinx_x.corpus.records import Conversation, Mark, read_conversations

if TYPE_CHECKING:
    from PIL.Image import Image

DATA_FILE = "data_config.yaml"
ON_A_PAGE = 20
"""Conversations that a page shows unless one is asked for."""

_BRACKET = re.compile(r"([^\[\]]{0,80})\[\s*(\d?\.\d+(?:\s*[,;]\s*\d?\.\d+)*)\s*\]")
_LEAD = re.compile(r"^.*(?:\bThere (?:is|are)\b|[,.:;!?\n]|\band\b)", re.DOTALL)
COLOURS = ("#e6194b", "#1e7f3c", "#4363d8", "#c65102", "#7a1fa2", "#008080", "#9a6324", "#800000", "#4b6b00", "#b3007d")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One conversation with what is needed to show it.

    Attributes:
        index: its number among all conversations that were read.
        picture: decoded; None where it has none, or it cannot be read (``problem`` says why).
        places: label, colour and pixels of each box (four numbers) or point (two) in the picture.
    """

    index: int
    conversation: Conversation
    picture: Image | None
    problem: str
    places: tuple[tuple[str, str, tuple[float, ...]], ...]


def look(data: Path, index: int | None = None, out: Path | None = None, root: Path | None = None) -> dict[str, Any]:
    """Write a picture or a page of conversations and return where it is.

    Args:
        data: an annotation file, a folder of them, the folder of a composition, or an authors' data file (.yaml).
        index: number of the conversation, from 0 on; a PNG shows the first unless given, a page the first twenty.
        out: file ending in .png or .html; ``runs/look/NAME-INDEX.png`` unless given.
        root: folder that the paths of pictures are relative to; a composition knows it, else it is looked for above the file.

    Raises:
        ConfigError: ``out`` has another suffix, or ``index`` is negative.
        DatasetError: there are no conversations, or not so many.
    """
    file = out or Path("runs/look") / f"{data.name.partition('.')[0] or 'corpus'}-{index or 0}.png"
    if file.suffix not in (".png", ".html"):
        raise ConfigError(f"out={file}: must end in .png or .html")
    if index is not None and index < 0:
        raise ConfigError(f"index={index}: must be at least 0")
    count = ON_A_PAGE if index is None and file.suffix == ".html" else 1
    shown = [_shown(number, one, base) for number, one, base in _chosen(data, index or 0, count, root)]
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as part:
        if file.suffix == ".html":
            from models.sphinx_x.corpus.look.page import page

            part.write_text(page(shown, str(data)), encoding="utf-8")
        else:
            from models.sphinx_x.corpus.look.png import sheet

            sheet(shown[0]).save(part, "PNG")
    return {
        "file": str(file.resolve()),
        "shown": [one.conversation.id for one in shown],
        "problems": [s.problem for s in shown if s.problem],
    }


def _chosen(data: Path, first: int, count: int, root: Path | None) -> list[tuple[int, Conversation, Path]]:
    every = (pair for file, base in _files(data, root) for pair in _with_root(file, base))
    chosen = [(number, *pair) for number, pair in itertools.islice(enumerate(every), first, first + count)]
    if not chosen:
        total = sum(1 for file, _ in _files(data, root) for _ in read_conversations(file))
        raise DatasetError(f"{data}: there is no conversation {first}; it holds {total}")
    return chosen


def _with_root(file: Path, base: Path | None) -> Iterator[tuple[Conversation, Path]]:
    for one in read_conversations(file):
        base = base or _root_above(file, one.image)
        yield one, base or file.parent


def _root_above(file: Path, image: str | None) -> Path | None:
    """Return the nearest of the three folders above the file below which the picture lies."""
    folders = itertools.islice(file.absolute().parents, 3)
    return next((folder for folder in folders if image and (folder / image).is_file()), None)


def _files(data: Path, root: Path | None) -> list[tuple[Path, Path | None]]:
    """Return annotation files with the root of their pictures, if it is known."""
    if data.is_file():
        return _listed(data) if data.suffix in (".yaml", ".yml") else [(data, root)]
    if (data / DATA_FILE).is_file():
        return _listed(data / DATA_FILE)
    found = sorted(p for p in data.rglob("*") if Path(plain_name(p)).suffix == ".jsonl" or plain_name(p) == "annotations.json")
    if not found:
        raise DatasetError(f"{data}: no such file, or a folder without .jsonl files, annotations.json or {DATA_FILE}")
    return [(path, root) for path in found]


def _listed(path: Path) -> list[tuple[Path, Path | None]]:
    return [(entry.path, entry.root) for entry in read_data_file(path)]


def _shown(index: int, one: Conversation, root: Path) -> Shown:
    picture, problem = None, ""
    if one.image is not None:
        try:
            picture = open_image(media_below(root, one.image, one.id))
        except (MediaError, DatasetError, OSError) as error:
            problem = str(error)
    marks = one.marks or tuple(marks_in(one))
    places = _places(marks, picture.size) if picture else ()
    return Shown(index=index, conversation=one, picture=picture, problem=problem, places=places)


def _places(marks: tuple[Mark, ...], size: tuple[int, int]) -> tuple[tuple[str, str, tuple[float, ...]], ...]:
    names = list(dict.fromkeys(mark.name for mark in marks))
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}
    return tuple((mark.name, colours[mark.name], _pixels(mark.at, size)) for mark in marks if len(mark.at) in (2, 4))


def _pixels(at: tuple[float, ...], size: tuple[int, int]) -> tuple[float, ...]:
    pixels = to_pixels((*at[:2], *at[-2:]), "square", *size)
    return pixels if len(at) == 4 else pixels[:2]


def marks_in(conversation: Conversation) -> Iterator[Mark]:
    """Find the boxes and points that a conversation writes out, each with the words before its bracket.

    What is found serves the eye only: words before a bracket are not always a name.
    """
    seen: set[tuple[float, ...]] = set()
    for turn in conversation.turns:
        for before, numbers in (pair for text in turn for pair in _BRACKET.findall(text)):
            name = _LEAD.sub("", before).strip().removeprefix("<p>").removesuffix("</p>").strip()
            for part in numbers.split(";"):
                at = tuple(float(value) for value in part.split(","))
                if len(at) in (2, 4) and at not in seen:
                    seen.add(at)
                    yield Mark(name, at)
