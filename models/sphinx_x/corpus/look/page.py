"""One self-contained page of conversations: pictures inside, boxes as an SVG over them, every text escaped, no scripts."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from models.sphinx_x.corpus.look import Shown

if TYPE_CHECKING:
    from PIL.Image import Image

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.45 system-ui, sans-serif; max-width: 72rem;
  margin: 1rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }}
article {{ display: flex; flex-wrap: wrap; gap: 1rem; border-top: 1px solid #bbb; padding: 1rem 0 }}
.picture {{ position: relative; flex: 0 1 32rem; align-self: flex-start }}
.picture img, .picture svg {{ display: block; width: 100%; height: auto }}
.picture svg {{ position: absolute; inset: 0; overflow: visible }}
.said {{ flex: 1 1 20rem; min-width: 0; overflow-wrap: anywhere }}
.said p {{ white-space: pre-wrap; margin: .4rem 0; padding: .4rem .6rem; border-radius: .4rem }}
.human {{ background: #eef2f7 }} .gpt {{ background: #eaf6ec }} .problem {{ color: #a00000 }}
h2 {{ font-size: 1rem; flex-basis: 100%; margin: 0 }}
</style></head><body><h1>{title}</h1>
"""


def page(shown: Sequence[Shown], title: str) -> str:
    """Return the page; ``title`` and everything that comes from the data is escaped."""
    articles = "".join(map(_article, shown))
    return f"{_HEAD.format(title=html.escape(title))}{articles}</body></html>\n"


def _article(one: Shown) -> str:
    talk = one.conversation
    head = html.escape(f"{one.index}: {talk.source} {talk.id}" + (f" ({talk.image})" if talk.image else ""))
    said = "".join(
        f'<p class="{role}"><b>{name}</b> {html.escape(text)}</p>'
        for turn in talk.turns
        for role, name, text in zip(("human", "gpt"), ("Human:", "Assistant:"), turn, strict=True)
    )
    problem = f'<p class="problem">{html.escape(one.problem)}</p>' if one.problem else ""
    picture = _picture(one, one.picture) if one.picture else ""
    return f'<article><h2>{head}</h2>{picture}<div class="said">{problem}{said}</div></article>\n'


def _picture(one: Shown, picture: Image) -> str:
    """Return the picture, encoded anew so that nothing but pixels comes from the file, under its places."""
    encoded = BytesIO()
    picture.save(encoded, "PNG")
    data = base64.b64encode(encoded.getvalue()).decode()
    width, height = picture.size
    shapes = "".join(_shape(label, colour, pixels, max(width, height)) for label, colour, pixels in one.places)
    overlay = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="places">{shapes}</svg>'
    return f'<div class="picture"><img alt="" src="data:image/png;base64,{data}">{overlay}</div>'


def _shape(label: str, colour: str, pixels: tuple[float, ...], side: int) -> str:
    line, text = side / 250, side / 32
    x, y = pixels[:2]
    if len(pixels) == 2:
        shape = f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{2 * line:.2f}" fill="{colour}"/>'
    else:
        size = f'width="{max(pixels[2] - x, 0):.2f}" height="{max(pixels[3] - y, 0):.2f}"'
        shape = f'<rect x="{x:.2f}" y="{y:.2f}" {size} fill="none" stroke="{colour}" stroke-width="{line:.2f}"/>'
    name = html.escape(label[:40])
    style = f'font-size="{text:.2f}" fill="{colour}" stroke="#fff" stroke-width="{line / 2:.2f}" paint-order="stroke"'
    words = f'<text x="{x + line:.2f}" y="{max(y - line, text):.2f}" {style}>{name}</text>' if name else ""
    return f"<g><title>{html.escape(label)}</title>{shape}{words}</g>"
