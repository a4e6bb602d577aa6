"""Nearest names for a name that is not known, in the one wording that all errors use; and names that files may bear.

Not here: the names themselves; the catalog and the configuration schema hold those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.keys import hash_of

LONGEST_NAME = 120
"""Bytes of the name of a model's or task's folder; file systems take 255, and reports add to the names."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Return up to ``limit`` known names that the writer of ``name`` may have meant, likeliest first.

    Names that begin with ``name`` (or that ``name`` begins with) come before names that merely look alike, because people
    shorten more often than they misspell: ``mmbench`` is ``mmbench_en`` before it is ``mme``.
    """
    import difflib

    lowered = {candidate.lower(): candidate for candidate in sorted(known)}
    wanted = name.lower()
    extended = [key for key in lowered if wanted and (key.startswith(wanted) or wanted.startswith(key))]
    alike = difflib.get_close_matches(wanted, lowered, n=limit, cutoff=0.6)
    return tuple(lowered[key] for key in dict.fromkeys([*extended, *alike]))[:limit]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'a' or 'b'?)`` with a leading space, or an empty string if nothing is near."""
    near = nearest(name, known)
    return f" (did you mean {' or '.join(repr(candidate) for candidate in near)}?)" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not known: what it is, what may have been meant, what there is."""
    names = sorted(known)
    listing = ", ".join(names) if names else "none"
    return f"unknown {kind} {name!r}{suggestion(name, names)}; known: {listing}"


def as_name(text: str) -> str:
    """Make a name safe for a folder; a long one is cut and ends in a hash of the whole."""
    name = re.sub(r"[^\w.+@-]+", "_", text).strip(".") or "_"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    return f"{name.encode()[: LONGEST_NAME - 9].decode(errors='ignore')}~{hash_of(text, 4)}"
