"""Writes the page behind a number: every sample with what was shown, asked, replied, read from it, and given for it.

One HTML file a run, without network or further files. All samples stand in it as finished HTML, those beyond the first page
inside a ``<template>``, which a browser parses but neither lays out nor paints; the script only moves articles in and out.
So there is one way in which a sample is drawn, and no data in scripts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast, get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.boxes import Frame, to_pixels
from reports.load import Asked, Run, SampleRow, media_name, sample_rows
from reports.pictures import Shelf, Shown, Thumbnails
from reports.tables import coverage, flaws, interval, show
from reports.visible import anchor, visible

PAGE = 40
"""Samples on one page."""

MARK = b'<meta name="generator" content="riddle samples">'
"""Stands in the head of every page, so that a later report knows a page as one of its own."""

FLAGS = ("unparsed", "failed", "missing", "truncated")

_BOX = re.compile(r"\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*")


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle over a picture in its pixels; ``kind`` is ``reference`` or ``prediction``."""

    kind: str
    x: float
    y: float
    width: float
    height: float

    def meets(self, width: int, height: int) -> bool:
        """Whether any of it lies on a picture of this size; one far outside would only stretch the drawing."""
        return self.x < width and self.y < height and self.x + self.width > 0 and self.y + self.height > 0


Boxes = Callable[[int, int], tuple[Box, ...]]
"""The boxes to draw over a picture of a width and a height."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a prompt as it is drawn: a text or a picture with boxes over it."""

    text: Markup | None = None
    picture: Shown | None = None
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A sample as it is drawn."""

    id: Markup
    anchor: str
    verdict: str
    flags: tuple[str, ...]
    prompts: tuple[tuple[Piece, ...], ...]
    reply: Markup | None
    answer: Markup
    reason: Markup | None
    failed: Markup | None
    references: tuple[Markup, ...]
    scores: tuple[tuple[str, str], ...]
    groups: tuple[tuple[str, str], ...]

    @property
    def has_media(self) -> bool:
        """Whether anything was shown."""
        return any(piece.picture for prompt in self.prompts for piece in prompt)

    @property
    def has_clip(self) -> bool:
        """Whether a strip of frames stands among the pictures."""
        return any(piece.picture and piece.picture.clip for prompt in self.prompts for piece in prompt)


def page_name(run: Run) -> str:
    """The name of a run's page, which stays the same as long as the run does."""
    names = (run.model, f"{run.task}@{run.data}", run.folder.name[:24], run.convention)
    return "__".join(map(_short, names)) + ".html"


def _short(name: str) -> str:
    """A name that keeps a file name under the 255 bytes that file systems allow, still distinct for distinct input."""
    whole = anchor(name)
    return (
        whole if len(whole) <= 60 else f"{whole[:44]}~{hashlib.blake2b(name.encode(errors='replace'), digest_size=6).hexdigest()}"
    )


def write_samples(run: Run, path: Path, thumbnails: Thumbnails, *, picture_bytes: int, home: str) -> None:
    """Write the page of a complete run's samples.

    Args:
        run: the run.
        path: the page; its folder is made if missing.
        thumbnails: shared between pages.
        picture_bytes: budget of all thumbnails together.
        home: link to the board.

    Raises:
        ResultError: ``scores.parquet`` is missing or does not fit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Asked(run) as asked:
        counts, media = _survey(run, asked)
        shelf = Shelf(thumbnails, media, picture_bytes)
        entries = (_entry(row, run, asked, shelf) for row in sample_rows(run))
        stream = (
            environment()
            .get_template("samples.html.j2")
            .stream(
                run=run,
                first=islice(entries, PAGE),
                rest=entries,
                pictures=shelf.stored,
                counts=counts,
                total=sum(counts[name] for name in ("right", "partly", "wrong")),
                page=PAGE,
                home=home,
                style=asset("style.css"),
                script=asset("samples.js"),
                policy=policy("samples.js"),
            )
        )
        stream.enable_buffering(64)
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(stream)


@cache
def environment() -> Environment:
    """The templates of this room, with everything escaped that is not `markupsafe.Markup`."""
    made = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"visible": visible, "anchor": anchor, "show": show}
    made.globals |= {"interval": interval, "flaws": flaws, "coverage": coverage, "page_name": page_name}
    return made


@cache
def asset(name: str) -> Markup:
    """A style sheet or script of this room, which goes into pages as it is."""
    source, _, _ = PackageLoader("reports", "templates").get_source(Environment(autoescape=True), name)
    return Markup(source)


def policy(script: str) -> str:
    """The content security policy of a page with one script: nothing is loaded, and no other script runs."""
    digest = base64.b64encode(hashlib.sha256(asset(script).encode()).digest()).decode()
    rules = ("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'")
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def _survey(run: Run, asked: Asked) -> tuple[Mapping[str, int], int]:
    """Count the samples by verdict and flag, and the different pictures and clips among what was asked."""
    counts: Counter[str] = Counter()
    media: set[str] = set()
    for row in sample_rows(run):
        counts.update((_verdict(row), *_flags(row)))
        media.update(media_name(part) for parts in asked.parts(row.keys) for part in parts if "text" not in part)
    return counts, len(media)


def _verdict(row: SampleRow) -> str:
    """``right``, ``partly`` or ``wrong`` by the first score that the sample has."""
    score = next((value for value in row.scores.values() if not math.isnan(value)), 0.0)
    return "right" if score >= 1 else "partly" if score > 0 else "wrong"


def _flags(row: SampleRow) -> tuple[str, ...]:
    held = (row.reason is not None, row.failed is not None, row.missing, row.truncated)
    return tuple(name for name, holds in zip(FLAGS, held, strict=True) if holds)


def _entry(row: SampleRow, run: Run, asked: Asked, shelf: Shelf) -> Entry:
    boxes = _boxes(row, run.frames.get(run.convention, ""))
    return Entry(
        id=visible(row.sample_id, 200),
        anchor=anchor(row.sample_id),
        verdict=_verdict(row),
        flags=_flags(row),
        prompts=tuple(tuple(_pieces(parts, shelf, boxes)) for parts in asked.parts(row.keys)),
        reply=None if row.reply is None else visible(row.reply),
        answer=visible(_as_text(row.prediction), 500),
        reason=None if row.reason is None else visible(row.reason, 500),
        failed=None if row.failed is None else visible(row.failed, 500),
        references=tuple(visible(reference, 500) for reference in row.references),
        scores=tuple((name, f"{value:.4g}") for name, value in row.scores.items() if not math.isnan(value)),
        groups=tuple((name, value) for name, value in row.groups.items() if value),
    )


def _as_text(answer: Any) -> str:
    return answer if isinstance(answer, str) else "" if answer is None else json.dumps(answer, ensure_ascii=False)


def _pieces(parts: Sequence[Mapping[str, Any]], shelf: Shelf, boxes: Boxes) -> Iterator[Piece]:
    for part in parts:
        if "text" in part:
            yield Piece(text=visible(str(part["text"])))
        else:
            shown = shelf.put(part)
            yield Piece(picture=shown, boxes=boxes(shown.width, shown.height) if shown.name and not shown.clip else ())


def _boxes(row: SampleRow, frame: str) -> Boxes:
    """Return a function from a picture's size to the boxes of a sample: references in pixels, the answer in its frame.

    Only a sample whose references are all boxes has any.
    """
    references = [_BOX.fullmatch(reference) for reference in row.references]

    def on(width: int, height: int) -> tuple[Box, ...]:
        if not references or not all(references):
            return ()
        known = [_box("reference", [float(edge) for edge in match.groups()]) for match in references if match]
        answer = row.prediction
        if frame in get_args(Frame) and isinstance(answer, list) and len(answer) == 4 and all(map(_is_number, answer)):
            known.append(_box("prediction", to_pixels(answer, cast(Frame, frame), width, height)))
        return tuple(box for box in known if box.meets(width, height))

    return on


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < 1e9


def _box(kind: str, corners: Sequence[float]) -> Box:
    left, top, right, bottom = (round(float(corner), 2) for corner in corners)
    return Box(kind=kind, x=min(left, right), y=min(top, bottom), width=abs(right - left), height=abs(bottom - top))
