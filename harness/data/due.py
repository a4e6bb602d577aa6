"""Documents in the form of the DUE benchmark (du-schema): a line a document, with keys and their values.

    {"name": "0001", "annotations": [{"key": "advertiser", "values": [{"value": "A & B", "value_variants": ["A and B"]}]}]}

Annotations and answers to be scored have the same form, in which a key is a property or a question. Not here: how values are
compared (`harness.metrics.pairs`), and their reading from a reply (`harness.parsers.values`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.data.sources import Row, Step, images, layout, whole_json
from harness.data.steps import columns, media
from harness.task import Layout
from harness.types import Record, Sample

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


def property_files(*known: str) -> Layout:
    """Describe documents of which known properties are asked for, each of all; a document's picture is ``pngs/NAME.png``."""
    return _files(per_key(*known))


def statement_files() -> Layout:
    """Describe tables with statements about them; a table's picture is ``pngs/NAME.png``."""
    return _files(per_key())


def _files(step: Step) -> Layout:
    path = columns(path="pngs/{name}.png")
    return layout("official", "document.jsonl|test/document.jsonl", steps=(step, path, media(path="path")))


def labelled_statements(pattern: str) -> Layout:
    """Describe a JSON object of table to lists of statements and of labels, as TabFact's authors have them."""

    def read(path: Path) -> Iterator[Row]:
        for name, (statements, labels, *_) in whole_json(path).items():
            stated = [{"key": key, "values": [{"value": str(label)}]} for key, label in zip(statements, labels, strict=True)]
            yield Row({"name": name, "annotations": stated}, f"{path} record {name!r}")

    steps = (per_key(), columns(path="pngs/{name}.png"), media(path="path"))
    return layout("table_fact_checking", pattern, steps=steps, reader=read)


def property_sample(record: Record) -> Sample:
    """Map a property of a document, which is the cluster; where it has no value the reference is ``None``."""
    values = accepted(record["values"])
    return Sample(
        id=f"{record['name']}/{record['key']}",
        parts=images(record),
        question=str(record["key"]),
        references=tuple(text for texts in values for text in texts) or (NONE,),
        cluster=str(record["name"]),
        groups={"property": str(record["key"])},
        fields={"values": values},
    )


def statement_sample(record: Record) -> Sample:
    """Map a statement about a table, which is the cluster."""
    return replace(property_sample(record), groups={"label": str(record["values"][0]["value"]) if record["values"] else ""})


def property_value(sample: Sample) -> str:
    """The reply that has all values of a property, and no other."""
    return as_reply([texts[0] for texts in sample.fields["values"]]) if sample.fields["values"] else NONE


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
