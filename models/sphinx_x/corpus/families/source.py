"""What converters of data sets share: where files and pictures lie, which records were left out and why, the dice of a record.

A converter is a function of a `Source` and of the settings of its data set that yields conversations. It never stops at a bad
record: it takes each through `Source.attempt`, which counts it and names where it stands. What is wrong with a whole file
(missing, cut short, not JSON) stays an error.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from harness.data.media import read_header
from harness.data.sources import find_files, media_below
from harness.data.tables import Row, read_table
from harness.errors import DatasetError, MediaError
from harness.task import fitting
from models.sphinx_x.corpus.records import Conversation, Mark

NAMED = 20
"""Bad records of one reason that a report names one by one; all are counted."""

P = ParamSpec("P")
T = TypeVar("T")


class BadRecord(DatasetError):
    """One record cannot become a conversation; ``reason`` is the kind of fault, the message names the place."""

    def __init__(self, reason: str, where: str, detail: str = "") -> None:
        super().__init__(f"{where}: {reason}{f' ({detail})' if detail else ''}")
        self.reason = reason


@dataclass
class Skips:
    """Records that were left out: how many a reason, and the first of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    named: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, message: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        named = self.named.setdefault(reason, [])
        if len(named) < NAMED:
            named.append(message)

    def record(self) -> dict[str, Any]:
        """Return the report as JSON holds it."""
        return {reason: {"count": self.counts[reason], "first": self.named[reason]} for reason in sorted(self.counts)}


@dataclass
class Source:
    """One data set on disk.

    Attributes:
        name: of the data set; conversations carry it.
        root: the folder that all paths of the settings, and the pictures of the conversations, are relative to.
        turns: most questions that one conversation asks about one picture.
        skips: what was left out so far.
    """

    name: str
    root: Path
    turns: int = 8
    skips: Skips = field(default_factory=Skips)

    def attempt(self, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Call ``make``; a record that does not fit is counted and None returned. An argument with ``where`` names its place."""
        where = next((str(one.where) for one in args if hasattr(one, "where")), self.name)
        try:
            with fitting(where):
                return make(*args, **kwargs)
        except BadRecord as error:
            self.skips.add(error.reason, str(error))
        except DatasetError as error:
            self.skips.add("does not fit", str(error))
        return None

    def files(self, patterns: str | Sequence[str]) -> list[Path]:
        """Return the files of the data set, in the patterns' order; ``a|b`` takes the first that is there.

        Raises:
            DatasetError: nothing matches a pattern.
        """
        listed = [patterns] if isinstance(patterns, str) else list(patterns)
        found = []
        for pattern in listed:
            here = find_files([self.root], pattern)
            if not here:
                raise DatasetError(f"{self.name}: no file {pattern} below {self.root}")
            found += here
        return found

    def rows(self, patterns: str | Sequence[str], key: str | None = None) -> Iterator[Row]:
        """Stream the records of tables (`harness.data.tables`); paths in messages are relative to the root."""
        for path in self.files(patterns):
            for row in read_table(path, key=key):
                row.where = row.where.replace(str(path), self.relative(path), 1)
                row.file = path
                yield row

    def relative(self, path: Path) -> str:
        """Name a file in messages."""
        return path.relative_to(self.root).as_posix()

    def picture(self, template: str, values: Mapping[str, Any], where: str) -> str:
        """Return the path of the picture that a template such as ``coco/train2014/{file}`` names; of ``a|b`` the first there.

        Raises:
            BadRecord: a column is missing, the path leaves the root, or no such file exists.
        """
        names = []
        for one in template.split("|"):
            try:
                names.append(one.format_map(values))
            except (LookupError, ValueError, TypeError, AttributeError, DatasetError) as error:
                raise BadRecord("picture not named", where, f"{one}: {error}") from error
        for name in names:
            try:
                handle = media_below(self.root, name, where)
            except DatasetError as error:
                raise BadRecord("picture outside of the root", where, name[:200]) from error
            if handle.path.is_file():
                return handle.path.relative_to(self.root).as_posix()
        raise BadRecord("picture missing", where, " or ".join(names)[:200])

    def size(self, image: str, where: str) -> tuple[int, int]:
        """Return width and height of a picture in pixels, from its header. Raises `BadRecord` if it is none."""
        try:
            header = read_header(media_below(self.root, image, where))
        except MediaError as error:
            raise BadRecord("picture unreadable", where, str(error)[:200]) from error
        return header.width, header.height

    def dice(self, name: str) -> random.Random:
        """Return the dice of one record, which decide its wordings: the same in every run, whatever else is converted."""
        return random.Random(f"{self.name}/{name}")

    def conversation(
        self, name: str, turns: Iterable[tuple[str, str]], where: str, image: str | None = None, marks: Iterable[Mark] = ()
    ) -> Conversation:
        """Check what is said and return it.

        Raises:
            BadRecord: there are no turns, or a question or answer is empty.
        """
        said = tuple((question.strip(), answer.strip()) for question, answer in turns)
        if not said:
            raise BadRecord("nothing to say", where)
        for question, answer in said:
            if not question or not answer:
                raise BadRecord("empty answer" if question else "empty question", where, (question or answer)[:80])
        return Conversation(id=str(name), source=self.name, turns=said, image=image, marks=tuple(dict.fromkeys(marks)))


def text_of(row: Mapping[str, Any], column: str, where: str) -> str:
    """Return a column as text: the value itself, the most frequent text of a list, or a dotted column's (``question.text``).

    Raises:
        BadRecord: there is no such column, or it holds neither text nor number.
    """
    value: Any = row
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise BadRecord("field missing", where, column)
        value = value[part]
    if isinstance(value, list | tuple):
        texts = [one["answer"] if isinstance(one, Mapping) and "answer" in one else one for one in value]
        value = Counter(map(str, texts)).most_common(1)[0][0] if texts else ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadRecord("no text", where, f"{column}: {str(value)[:80]}")
    return str(value)
