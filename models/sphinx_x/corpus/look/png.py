"""One conversation as a picture: the training picture with its places, and below it what is said."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.commands.tables import printable
from models.sphinx_x.corpus.look import Shown

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_PX = 720
TEXT_PX = 15
LONGEST = 1500
"""Characters of one turn that are drawn."""


def sheet(one: Shown) -> Image:
    """Return the sheet, ``WIDTH_PX`` wide."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(TEXT_PX)
    lines = list(_lines(one))
    picture = _with_places(one, one.picture) if one.picture else None
    top = picture.height + 8 if picture else 4
    paper = Image.new("RGB", (WIDTH_PX, top + (TEXT_PX + 5) * len(lines) + 8), "white")
    if picture:
        paper.paste(picture, ((WIDTH_PX - picture.width) // 2, 0))
    ink = ImageDraw.Draw(paper)
    for number, (text, colour) in enumerate(lines):
        ink.text((8, top + number * (TEXT_PX + 5)), text, fill=colour, font=font)
    return paper


def _lines(one: Shown) -> list[tuple[str, str]]:
    talk = one.conversation
    parts = [
        (f"{one.index}: {talk.source} {talk.id} {talk.image or ''}", "#666666"),
        *([(one.problem, "#a00000")] if one.problem else []),
    ]
    for question, answer in talk.turns:
        parts += [(f"Human: {question}", "#1a1a1a"), (f"Assistant: {answer}", "#0b5d2a")]
    found: list[tuple[str, str]] = []
    for text, colour in parts:
        short = text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text)} characters)"
        for line in short.splitlines():
            found += [(part, colour) for part in textwrap.wrap(printable(line), 88) or [""]]
    return found


def _with_places(one: Shown, picture: Image) -> Image:
    """Scale the picture to fit and draw its places."""
    from PIL import Image, ImageDraw, ImageFont

    scale = min(WIDTH_PX / picture.width, WIDTH_PX / picture.height)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    drawn = picture.resize(size, Image.Resampling.LANCZOS)
    ink, font = ImageDraw.Draw(drawn), ImageFont.load_default(TEXT_PX)
    for label, colour, pixels in one.places:
        x, y, *rest = (value * scale for value in pixels)
        if rest:
            ink.rectangle((x, y, max(rest[0], x), max(rest[1], y)), outline=colour, width=3)
        else:
            ink.ellipse((x - 5, y - 5, x + 5, y + 5), fill=colour, outline="white")
        place = (x + 3, max(y - TEXT_PX - 4, 0))
        ink.text(place, printable(label[:40]), fill=colour, font=font, stroke_width=2, stroke_fill="white")
    return drawn
