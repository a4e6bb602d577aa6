"""VLMEvalKit: any of its picture and text data sets, with its own prompts and scores, asked by this harness.

Paper: Duan et al., VLMEvalKit: An Open-Source Toolkit for Evaluating Large Multi-Modality Models, arXiv 2407.11691.
Data: a TSV file in VLMEvalKit's columns.
Licence: of each data set.
Official scorer: the data set class's evaluate(), called with model="exact_matching", not copied.
Differences: replies are scored without a judge; a model's own prompts for a benchmark (use_custom_prompt) are not used.

``task=vlmeval/NAME data=FILE.tsv``, where NAME is one of its data sets or, for a TSV file of one's own, one of its classes
(``ImageMCQDataset``). Its package runs in a process of its own (`tasks/bridges/_vlmeval_data.py`), by the interpreter that the
environment variable RIDDLE_VLMEVAL_PYTHON names. What VLMEvalKit states of all replies is stated here as it is (``overall``,
``stated/...``); an interval is given where that is a mean of the scores it writes of the samples. The stated values stand in the
scores of the first sample, so that reports and comparisons need no VLMEvalKit. Not here: clips, dialogues of several turns.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from harness.errors import ConfigError, DatasetError
from harness.foreign.client import Foreign, ForeignError, python_of, shared
from harness.task import Card, Convention, Layout, Task
from harness.types import FileSource, Generation, Image, Parsed, Part, Record, Sample, Text
from tasks.bridges._stated import SCORE, STATED, metrics

PYTHON = "RIDDLE_VLMEVAL_PYTHON"
AT_ONCE = 64
"""Rows that are fetched at a time."""

GROUPS = ("category", "l2-category", "split")
REFUSED = {"VIDEO": "it shows clips", "MT": "it asks in several turns"}


def tasks_of(name: str, task_dirs: Sequence[Path] = ()) -> tuple[Task, ...]:
    """Return the task of a data set or class of VLMEvalKit's.

    Raises:
        ConfigError: VLMEvalKit is not installed where it is looked for, has no such data set, or one that cannot be asked here.
    """
    from harness.names import nearest

    program = shared(python_of(PYTHON), Path(__file__).with_name("_vlmeval_data.py"))
    about = _asked(program, name, "describe")
    if "known" in about:
        near = " or ".join(map(repr, nearest(name, about["known"]))) or "none near it"
        raise ConfigError(f"unknown data set of VLMEvalKit {name!r} (did you mean {near}?); for a TSV file of your own, a class")
    for what in (about["modality"], about["type"]):
        if what in REFUSED:
            raise ConfigError(f"vlmeval/{name}: {REFUSED[what]}, which this bridge does not")
    return (_Bridged(name=name, about=about, program=program).as_task(),)


def _asked(program: Foreign, name: str, command: str, **arguments: Any) -> Any:
    """Ask the program, and say in the user's terms what went wrong."""
    try:
        return program.ask(command, name=name, **arguments)
    except ForeignError as error:
        if error.kind == "ModuleNotFoundError" and error.name and error.name.partition(".")[0] == "vlmeval":
            where = f"which {program.python} does not have ({error.name} is missing)"
            cure = f"install ms-vlmeval into an environment of its own and set {PYTHON} to its interpreter"
            raise ConfigError(f"vlmeval/{name}: needs VLMEvalKit, {where}; {cure}") from error
        raise ConfigError(f"vlmeval/{name}: VLMEvalKit fails at it ({error})") from error


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bridged:
    """One data set; ``about`` is what VLMEvalKit says of it."""

    name: str
    about: Mapping[str, Any]
    program: Foreign
    kept: dict[str, Any] = field(default_factory=dict)
    """The last evaluation under a digest of what was evaluated: rows are scored again where a column is new."""

    def as_task(self) -> Task:
        """Compose the task."""
        card = Card.of(__doc__, split="of the file", n=0)
        fetch = f" Published: {self.about['url']}" if self.about["url"] else ""
        by = f"VLMEvalKit {self.about['version']}, {self.about['class']}.evaluate, exact matching"
        return Task(
            name=f"vlmeval/{self.name}",
            card=replace(card, title=self.name, data=card.data + fetch),
            layouts=(Layout(name="vlmevalkit_tsv", files=("*.tsv",), read=self.records),),
            to_sample=to_sample,
            prompt=lambda sample: sample.question,
            conventions={
                "vlmeval": Convention(
                    parse=lambda reply, sample: Parsed(reply),
                    score=lambda parsed, sample: {SCORE: math.nan},  # one sample alone says nothing
                    score_many=self.score_many,
                    whole=True,
                    metrics=metrics(),
                    primary="overall",
                    note=by,
                )
            },
            ideal=lambda sample: sample.references[0],
            choices=lambda sample: tuple(ascii_uppercase[: len(sample.options)]),
            generation=Generation(max_new_tokens=512),
            needs=frozenset() if self.about["modality"] == "TEXT" else frozenset({"images"}),
            unit="points",
        )

    def records(self, where: Sequence[Path]) -> Iterator[Record]:
        """Yield rows with the message that VLMEvalKit makes of each."""
        place = located(where, self.name)
        start = 0
        while True:
            found = _asked(self.program, self.name, "rows", **place, start=start, count=AT_ONCE)
            for row in found["rows"]:
                yield {**row, "from": place}
            start += AT_ONCE
            if start >= found["n"]:
                return

    def score_many(self, parsed: Sequence[Parsed], samples: Sequence[Sample]) -> Sequence[Mapping[str, float]]:
        """Have VLMEvalKit evaluate the whole file of replies; what failed is what it calls failed."""
        place = samples[0].fields["from"]
        replies = [[sample.fields["place"], one.answer] for one, sample in zip(parsed, samples, strict=True)]
        mark = hashlib.sha256(repr((sorted(place.items()), replies)).encode()).hexdigest()
        if mark not in self.kept:
            self.kept.clear()
            self.kept[mark] = _asked(self.program, self.name, "evaluate", **place, replies=replies)
        found = self.kept[mark]
        scores = dict(map(tuple, found["scores"]))
        stated = {"overall": found["overall"], **{f"{STATED}{name}": value for name, value in found["stated"].items()}}
        rows: list[dict[str, float]] = [{SCORE: scores.get(sample.fields["place"], math.nan)} for sample in samples]
        rows[0] |= {name: float(value) for name, value in stated.items() if value is not None}
        return rows


def located(where: Sequence[Path], name: str) -> dict[str, str]:
    """Return the TSV file and the folder for its pictures: one for each content, as VLMEvalKit keeps the pictures it has.

    Raises:
        DatasetError: there is not just one file.
    """
    from harness.data.sources import find_files

    files = list(find_files(where, "*.tsv"))
    if len(files) != 1:
        raise DatasetError(f"vlmeval/{name} reads one TSV file, found {len(files)}; name the file: data=FILE.tsv")
    path = files[0].resolve()
    state = path.stat()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "riddle" / "vlmeval"
    return {"tsv": str(path), "root": str(cache / _digest(path, state.st_size, state.st_mtime_ns))}


@lru_cache(maxsize=8)
def _digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:24]


def to_sample(record: Record) -> Sample:
    """Map a row; the message's last text is the question, and what stands before it the parts."""
    columns, message = record["columns"], list(map(_part, record["message"]))
    last = message.pop() if message and isinstance(message[-1], Text) else Text("")
    answer = columns.get("answer")
    return Sample(
        id=str(columns["index"]),
        parts=tuple(message),
        question=last.text if isinstance(last, Text) else "",
        options=tuple(str(columns[one]) for one in ascii_uppercase if columns.get(one) is not None),
        references=() if answer is None else (str(answer),),
        cluster=record["cluster"],
        groups={name: str(columns[name]) for name in GROUPS if columns.get(name) is not None},
        fields={"place": record["place"], "from": dict(record["from"])},
    )


def _part(one: Mapping[str, str]) -> Part:
    if one["type"] == "image":
        return Image(FileSource(Path(one["value"])))
    if one["type"] != "text":
        raise ValueError(f"a message holds {one['type']!r}, which this bridge does not know")
    return Text(one["value"], role="system" if one.get("role") == "system" else "user")
