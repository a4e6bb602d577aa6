"""Makes text that nobody vouches for (replies, questions, names) safe and legible: what cannot be seen is named.

HTML escaping alone lets a reply turn the page's reading direction around, hide characters, or bring terminal codes to the
console of whoever pastes it. Here control characters, direction marks, invisible characters and lone surrogates become
visible names, and very long texts are cut with a note of their length.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markupsafe import Markup, escape

SHOWN = 4_000
"""Characters of one text that a page shows."""

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str, limit: int = SHOWN, mark: tuple[int, int] | None = None) -> Markup:
    """Return ``text`` as HTML: escaped, hidden characters named, cut after ``limit`` characters with a note.

    Args:
        text: anything.
        limit: characters shown.
        mark: first character and the one behind the last of what is marked in it; left out if it is not within the limit.

    >>> str(visible("<b>" + chr(0x202e)))
    '&lt;b&gt;<span class="hidden-char">⟨U+202E⟩</span>'
    >>> str(visible("so B.", mark=(3, 4)))
    'so <mark>B</mark>.'
    """
    start, end = mark if mark is not None and mark[1] <= min(limit, len(text)) else (0, 0)
    shown = _named(text[:start])
    if end > start:
        shown += Markup("<mark>{}</mark>").format(_named(text[start:end]))
    shown += _named(text[end:limit])
    if len(text) > limit:
        shown += Markup('<span class="cut">… cut: {:,} of {:,} characters shown</span>').format(limit, len(text))
    return shown


def _named(text: str) -> Markup:
    if not _HIDDEN.search(text):
        return escape(text)
    return _spans(text.replace("\r\n", "\n"), lambda name: Markup('<span class="hidden-char">{}</span>').format(name))


def plain(text: str, limit: int = SHOWN) -> str:
    """Return ``text`` on one line without hidden characters, for Markdown, CSV and the terminal.

    >>> plain("a" + chr(10) + "b" + chr(27) + "[31m")
    'a b⟨ESC⟩[31m'
    """
    line = _HIDDEN.sub(lambda match: _name(match[0]), re.sub(r"[ \t\r\n]+", " ", text[:limit]))
    return line if len(text) <= limit else f"{line}… ({len(text):,} characters)"


def anchor(name: str) -> str:
    """Return a name that can stand in a file name, an HTML id and a link; distinct for distinct input.

    >>> anchor("existence/0001.png 2"), anchor("a_b")
    ('existence~2F~0001.png~20~2', 'a_b')
    """
    return "".join(char if re.match(r"[A-Za-z0-9._-]", char) else f"~{ord(char):X}~" for char in name)


def _spans(text: str, wrap: Callable[[str], Markup]) -> Markup:
    pieces: list[Markup] = []
    start = 0
    for match in _HIDDEN.finditer(text):
        pieces += [escape(text[start : match.start()]), wrap(_name(match[0]))]
        start = match.end()
    return Markup("").join([*pieces, escape(text[start:])])


def _name(char: str) -> str:
    known = {"\x1b": "ESC", "\x00": "NUL", "\x07": "BEL", "\x08": "BS", "\r": "CR"}
    return f"⟨{known.get(char) or f'U+{ord(char):04X}'}⟩"
