"""Reading the values of a key: a reply is one value, or none; DUE's own list of values in its place is taken at its word.

    [{"value": "A & B"}, {"value": "None"}]    two values, as a file of answers in DUE's form has them

Not here: files in that form (`harness.data.due`).
"""

from __future__ import annotations

import json
import re

from harness.data.due import NONE
from harness.types import Parsed, Sample

_BETWEEN = re.compile(r"[\t\n|]|,(?![0-9]{3}\b)")
_WORD = re.compile(r"[A-Za-z]+|(?<![0-9.,])[01](?![0-9]|[.,][0-9])")


def value_or_none(reply: str, sample: Sample) -> Parsed:
    """The reply as it stands; an empty one, or ``None``, says that the document has no value."""
    return _read(reply, () if reply.strip() in ("", NONE) else (reply,))


def value_as_given(reply: str, sample: Sample) -> Parsed:
    """The reply as it stands, be it empty."""
    return _read(reply, (reply,))


def value_without_line_breaks(reply: str, sample: Sample) -> Parsed:
    """UReader's: line breaks are deleted, and exactly ``None`` is no value (X-PLUG/mPLUG-DocOwl, eval_utils/tools.py)."""
    text = reply.replace("\n", "")
    return _read(reply, () if text == NONE else (text,))


def true_or_false(reply: str, sample: Sample) -> Parsed:
    """UReader's: ``true`` is 1 and ``false`` 0 in any case, line breaks deleted; it stops at anything else, which is unparsed."""
    label = {"true": "1", "false": "0"}.get(reply.replace("\n", "").lower())
    return Parsed((), "neither true nor false") if label is None else Parsed((label,))


_VERDICTS = {
    **dict.fromkeys(("1", "true", "yes", "entailed", "entails", "supported", "supports", "correct"), "1"),
    **dict.fromkeys(("0", "false", "no", "not", "refuted", "refutes", "incorrect", "unsupported"), "0"),
}


def verdict(reply: str, sample: Sample) -> Parsed:
    """The first word of the reply that says whether a statement holds."""
    words = (word[0].lower() for word in _WORD.finditer(reply))
    label = next((_VERDICTS[word] for word in words if word in _VERDICTS), None)
    return Parsed((), "says neither yes nor no") if label is None else Parsed((label,))


def items(reply: str, sample: Sample) -> Parsed:
    """The reply parted by tabs, as the lines of WikiTableQuestions' prediction files are."""
    return _read(reply, tuple(reply.split("\t")))


def items_by_comma(reply: str, sample: Sample) -> Parsed:
    """The reply parted by a comma and a blank, as wenhuchen/TableCoT wikitableqa/compute_score.py parts it."""
    return _read(reply, tuple(reply.split(", ")))


def parted(reply: str, sample: Sample) -> Parsed:
    """The reply parted by tabs, line breaks, bars, and commas other than those before thousands."""
    return _read(reply, tuple(filter(None, map(str.strip, _BETWEEN.split(reply)))))


def one_line(reply: str, sample: Sample) -> Parsed:
    """The whole reply as one value, its line breaks deleted."""
    return _read(reply, (reply.replace("\n", ""),))


def _read(reply: str, otherwise: tuple[str, ...]) -> Parsed:
    listed = _listed(reply)
    if listed is not None:
        return Parsed(listed)
    return Parsed(otherwise, None if reply.strip() else "empty reply")


def _listed(reply: str) -> tuple[str, ...] | None:
    """The values of DUE's list; None if the reply is none."""
    if not reply.startswith(("[{", "[]")):
        return None
    try:
        values = json.loads(reply)
    except (ValueError, RecursionError):
        return None
    plain = isinstance(values, list) and all(isinstance(one, dict) and isinstance(one.get("value"), str) for one in values)
    return tuple(one["value"] for one in values) if plain else None
