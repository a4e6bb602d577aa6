"""Documents in the form of the DUE benchmark (du-schema): a line a document, with keys and their values.

    {"name": "0001", "annotations": [{"key": "advertiser", "values": [{"value": "A & B", "value_variants": ["A and B"]}]}]}

Annotations and answers to be scored have the same form, in which a key is a property or a question. Not here: how values are
compared (`harness.metrics.pairs`), and their reading from a reply (`harness.parsers.values`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data.sources import Row, Step

NONE = "None"
"""What people and models write where a document has no value for a key."""


def per_key(*known: str) -> Step:
    """Make a record of each key of a document, with ``key`` and ``values``; what an annotation has besides is kept.

    Args:
        known: keys that are asked about in any case, in order; those that a document lacks have no values.
    """

    def each(row: Row, root: Path) -> Iterator[Row]:
        found = by_key(row["annotations"])
        for key in dict.fromkeys((*known, *found)):
            yield row.but(**{"values": [], **found.get(key, {}), "key": key})

    return each


def by_key(annotations: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Gather annotations by key; those that share one are joined, since their values count together.

    >>> by_key([{"key": "a", "values": [{"value": "1"}]}, {"key": "a", "values": [{"value": "2"}]}])
    {'a': {'key': 'a', 'values': [{'value': '1'}, {'value': '2'}]}}
    """
    found: dict[str, dict[str, Any]] = {}
    for one in annotations:
        held = found.setdefault(one["key"], {**one, "values": []})
        held["values"] = [*held["values"], *one["values"]]
    return found


def answers(row: Row, root: Path) -> Row:
    """A step: list all values and variants of a key as ``answers``."""
    return row.but(answers=list(dict.fromkeys(text for one in accepted(row["values"]) for text in one)))


def accepted(values: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    """The texts that stand for each value: the value itself first, then its variants."""
    return tuple(tuple(dict.fromkeys((one["value"], *(one.get("value_variants") or ())))) for one in values)


def as_reply(values: Sequence[str]) -> str:
    """Write the values of an answer as one text: a single one as it is, unless it could be mistaken, others as DUE's list."""
    if len(values) == 1 and values[0].strip() not in ("", NONE) and not values[0].startswith("["):
        return values[0]
    return json.dumps([{"value": one} for one in values], ensure_ascii=False)


def replies_of(document: Any) -> dict[str, str] | None:
    """The replies that a line of an answers file holds, by document and key (``0001/advertiser``); None if it is no such line."""
    if not isinstance(document, dict) or "name" not in document or not isinstance(document.get("annotations"), list):
        return None
    listed = document["annotations"]
    if not all(isinstance(one, dict) and isinstance(one.get("key"), str) and _are_values(one.get("values")) for one in listed):
        return None
    found = by_key(listed).items()
    return {f"{document['name']}/{key}": as_reply([str(one["value"]) for one in held["values"]]) for key, held in found}


def _are_values(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(one, dict) and "value" in one for one in values)
