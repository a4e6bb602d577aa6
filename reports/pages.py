"""What all pages share: the templates' environment, style sheets and scripts of this room, and the policy that forbids the rest.

A page is one file: styles and scripts stand in it, nothing is loaded, and no other script than ours runs.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports.tables import coverage, flaws, interval, show
from reports.visible import anchor, visible

FLAGS = ("unparsed", "failed", "missing", "truncated")
"""What stands between samples and their score, in the order of the page."""


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
    made.globals |= {
        "interval": interval,
        "flaws": flaws,
        "coverage": coverage,
        "style": style,
        "script": script,
        "policy": policy,
    }
    return made


@cache
def _asset(name: str) -> str:
    source, _, _ = PackageLoader("reports", "templates").get_source(Environment(autoescape=True), name)
    return source


@cache
def style(*names: str) -> Markup:
    """Style sheets of this room, one after the other."""
    return Markup("\n".join(_asset(f"{name}.css") for name in names))


@cache
def script(*names: str) -> Markup:
    """Scripts of this room, one after the other; each keeps its names to itself."""
    return Markup('"use strict";\n' + "\n".join(_asset(f"{name}.js") for name in names))


@cache
def policy(*names: str) -> str:
    """The content security policy of a page with one `script`: nothing is loaded, and no other script runs.

    A page with the script ``live`` may ask the server that it came from.
    """
    digest = base64.b64encode(hashlib.sha256(script(*names).encode()).digest()).decode()
    rules: tuple[str, ...] = ("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'")
    rules += ("connect-src 'self'",) if "live" in names else ()
    return "; ".join((*rules, "base-uri 'none'", "form-action 'none'"))


def write(path: Path, text: str) -> None:
    """Write a page; lone surrogates, which UTF-8 has no form for, become escapes."""
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def below(folder: Path, root: Path) -> str:
    """Name a run folder without this machine's part of its path."""
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.name
