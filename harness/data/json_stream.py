"""Walks one JSON document value by value, so that a file of many records is never held whole.

Not here: files and records (`harness.data.tables`). The standard decoder is asked for one value at a time from a window of the
text, which grows until the value is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from harness.errors import DatasetError

CHUNK = 1 << 16
"""Characters that are read at least at a time."""


class JsonStream:
    """Walks one JSON document value by value, holding only the text of the value at hand."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._buffer = ""
        self._at = 0
        self._done = False
        self._decoder = json.JSONDecoder()

    def _fill(self) -> None:
        more = self._file.read(max(CHUNK, len(self._buffer) - self._at))
        self._done = not more
        self._buffer, self._at = self._buffer[self._at :] + more, 0

    def peek(self) -> str:
        """Return the next character that is not white space, without taking it; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                if not self._buffer[self._at].isspace():
                    return self._buffer[self._at]
                self._at += 1
            if self._done:
                return ""
            self._fill()

    def _take(self, wanted: str) -> None:
        if (found := self.peek()) != wanted:
            raise DatasetError(f"{self._path}: {wanted!r} expected, found {found or 'the end of the file'!r}")
        self._at += 1

    def value(self) -> Any:
        """Take one whole value. Raises `DatasetError` if the document is cut short or broken."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or self._done:  # else a number may go on in the next block
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                if self._done:
                    raise DatasetError(f"{self._path}: not JSON, or cut short ({error.msg})") from error
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, or lists in lists in lists
                raise DatasetError(f"{self._path}: not JSON that can be read ({error})") from error
            self._fill()

    def items(self) -> Iterator[Any]:
        """Walk a list."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self.peek() != ",":
                self._take("]")
                return
            self._at += 1

    def members(self) -> Iterator[tuple[str, Any]]:
        """Walk an object."""
        for name in self._names():
            yield name, self.value()

    def enter_member(self, key: str) -> None:
        """Skip to the value of ``key``."""
        seen = []
        for name in self._names():
            if name == key:
                return
            seen.append(name)
            self.skip()
        raise DatasetError(f"{self._path}: no member {key!r} (found: {', '.join(seen) or 'nothing'})")

    def skip(self) -> None:
        """Pass over one value; a list item by item, so that a file of several long lists is not held whole either."""
        if self.peek() != "[":
            self.value()
            return
        for _ in self.items():
            pass

    def _names(self) -> Iterator[str]:
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            name = self.value()
            self._take(":")
            yield name
            if self.peek() != ",":
                self._take("}")
                return
            self._at += 1
