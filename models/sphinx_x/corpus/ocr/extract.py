"""One page of a PDF to its picture and its text, with PyMuPDF (https://pymupdf.readthedocs.io), as the paper's pipeline does.

Only what the picture shows upright is kept as text: print that is hidden, white on white, covered or turned is counted as lost,
because a model that is taught to read it learns to invent. PyMuPDF is imported here and nowhere else in the package.
"""

from __future__ import annotations

import importlib
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.boxes import Box
from harness.errors import ConfigError
from models.sphinx_x.corpus.ocr.page import Block, Line, Page, Word, area, clipped
from models.sphinx_x.corpus.ocr.reading import reading_order

if TYPE_CHECKING:
    from PIL.Image import Image

INK = 40
"""Least difference between the darkest and the lightest pixel of a word that can be seen, of 255."""

LARGE_DRAWING = 0.02
"""Least share of the page that a group of drawn curves covers to count as a figure."""

STROKES = 12
"""Least number of straight strokes of one path that make it a drawing."""


def pymupdf() -> Any:
    """Return the module, silent. Raises ConfigError with the remedy if it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its generated classes, on Python 3.12
            module: Any = importlib.import_module("pymupdf")
    except ImportError as error:
        raise ConfigError("reading PDF files needs PyMuPDF: pip install 'riddle-eval[corpus]'") from error
    module.TOOLS.mupdf_display_errors(False)
    module.TOOLS.mupdf_display_warnings(False)
    return module


class Unreadable(Exception):
    """A PDF or a page that is passed over; the text is the reason, in a few words that are counted."""


def open_pdf(path: Path) -> Any:
    """Open a PDF. Raises Unreadable if it is encrypted, no PDF, or so damaged that MuPDF had to guess its parts."""
    module = pymupdf()
    try:
        document = module.open(stream=path.read_bytes(), filetype="pdf")
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error
    except RuntimeError as error:  # PyMuPDF's own errors derive from it
        raise Unreadable("damaged or no PDF") from error
    if document.needs_pass:
        raise Unreadable("encrypted")
    if document.is_repaired:  # cut off, for instance: what is left of its pages may lack fonts, pictures or text
        raise Unreadable("damaged or no PDF")
    if not document.page_count:
        raise Unreadable("no pages")
    return document


def read_page(document: Any, number: int, dpi: int, max_pixels: int) -> tuple[Image, Page]:
    """Return picture and text of page ``number`` (from 0), rasterised with ``dpi`` pixels an inch.

    Raises:
        Unreadable: the page is damaged or has more than ``max_pixels`` pixels.
    """
    from PIL import Image

    try:
        page = document[number]
        width, height = page.rect.width * dpi / 72, page.rect.height * dpi / 72
        if not 1 <= width * height <= max_pixels:
            raise Unreadable("page too large")
        pixels = page.get_pixmap(dpi=dpi, alpha=False, colorspace=pymupdf().csRGB)
        picture = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
        return picture, _page(page, picture, dpi / 72)
    except (RuntimeError, ValueError) as error:
        raise Unreadable("page damaged") from error


def _page(page: Any, picture: Image, scale: float) -> Page:
    grey = np.asarray(picture.convert("L"))
    found, lost = _lines(page, scale, picture.size, grey)
    boxes = [line.box for line in found]
    ordered = [found[index] for index in reading_order(boxes)]
    blocks = [Block(tuple(lines)) for _, lines in groupby(ordered, key=lambda line: line.block)]
    figures = tuple(_figures(page, scale, picture.size))
    return Page(width=picture.width, height=picture.height, blocks=tuple(blocks), figures=figures, lost=lost)


def _lines(page: Any, scale: float, size: tuple[int, int], grey: NDArray[np.uint8]) -> tuple[list[Line], int]:
    """Return the lines that can be read in the picture, and how many characters cannot."""
    module = pymupdf()
    flags = module.TEXTFLAGS_WORDS & ~module.TEXT_PRESERVE_LIGATURES | module.TEXT_MEDIABOX_CLIP
    text = page.get_textpage(flags=flags)
    sizes = dict(_sizes(page.get_text("dict", textpage=text), page.rotation_matrix))
    lines, lost = [], 0
    for (block, number), group in groupby(page.get_text("words", textpage=text), key=lambda word: (word[5], word[6])):
        raw = [(word[4], _box(module.Rect(word[:4]) * page.rotation_matrix, scale, size)) for word in group]
        words = [Word(unicodedata.normalize("NFC", told), box) for told, box in raw if _is_seen(box, grey)]
        upright = sizes.get((block, number), 0.0) * scale
        kept = words if upright else []
        lost += sum(len(told) for told, _ in raw) - sum(len(word.text) for word in kept)
        if kept:
            lines.append(Line(tuple(kept), round(upright, 1), block))
    return lines, max(lost, 0)


def _sizes(blocks: Any, rotation: Any) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield (block, line) and the print's size of each line that runs from left to right once the page is turned."""
    for block in blocks["blocks"]:
        for number, line in enumerate(block.get("lines", ())):
            x, y = line["dir"]
            across = (x * rotation.a + y * rotation.c, x * rotation.b + y * rotation.d)
            if across[0] > 0.99 and abs(across[1]) < 0.1:
                yield (block["number"], number), max((span["size"] for span in line["spans"]), default=0.0)


def _is_seen(box: Box, grey: NDArray[np.uint8]) -> bool:
    x1, y1, x2, y2 = (round(value) for value in box)
    patch = grey[y1:y2, x1:x2]
    return patch.size > 0 and int(patch.max()) - int(patch.min()) >= INK


def _figures(page: Any, scale: float, size: tuple[int, int]) -> Iterator[Box]:
    """Yield boxes of pictures, and of drawings with curves or many strokes; rules and frames are no figures."""
    shown = [info["bbox"] for info in page.get_image_info()]
    drawn = [one for one in page.get_drawings() if len(one["items"]) >= STROKES or any(item[0] == "c" for item in one["items"])]
    clusters = page.cluster_drawings(drawings=drawn) if drawn else []
    shown += [rect for rect in clusters if area(tuple(rect)) >= LARGE_DRAWING * area(tuple(page.rect))]
    for rect in shown:
        box = _box(pymupdf().Rect(rect) * page.rotation_matrix, scale, size)
        if area(box):
            yield box


def _box(rect: Any, scale: float, size: Sequence[int]) -> Box:
    x1, y1, x2, y2 = (value * scale for value in rect)
    return clipped((x1, y1, x2, y2), *size)
