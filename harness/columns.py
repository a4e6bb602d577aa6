"""Arrow columns from Python lists, made from buffers.

``pyarrow.array`` asks of every list whether it is a pandas object, and imports pandas to find out: 0.2 s and 30 MiB in every
run that is scored. These few kinds of column are all that ``scores.parquet`` has.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow


def strings(values: Sequence[str | None]) -> pyarrow.Array:
    """A column of strings, None as null; half surrogate pairs, which UTF-8 has no form for, become ``?``."""
    import pyarrow as pa

    encoded = [b"" if value is None else value.encode("utf-8", "replace") for value in values]
    return pa.StringArray.from_buffers(len(values), _offsets(map(len, encoded)), pa.py_buffer(b"".join(encoded)), _valid(values))


def floats(values: Sequence[float | None]) -> pyarrow.Array:
    """A column of float64, None as null."""
    import pyarrow as pa

    numbers = array("d", (0.0 if value is None else value for value in values))
    return pa.Array.from_buffers(pa.float64(), len(values), [_valid(values), pa.py_buffer(numbers)])


def booleans(values: Sequence[bool]) -> pyarrow.Array:
    """A column of bool."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def string_lists(values: Sequence[Sequence[str]]) -> pyarrow.Array:
    """A column of lists of strings, without nulls."""
    import pyarrow as pa

    items = strings([item for value in values for item in value])
    return pa.Array.from_buffers(pa.list_(pa.string()), len(values), [None, _offsets(map(len, values))], children=[items])


def _offsets(lengths: Iterable[int]) -> pyarrow.Buffer:
    """Where each value begins and the last ends, int32. Raises `OverflowError` if the values hold 2 GiB or more."""
    import pyarrow as pa

    return pa.py_buffer(array("i", accumulate(lengths, initial=0)))


def _valid(values: Sequence[Any]) -> pyarrow.Buffer | None:
    """One bit a value that is not None; no buffer if all are there."""
    return _bits([value is not None for value in values]) if None in values else None


def _bits(values: Sequence[bool]) -> pyarrow.Buffer:
    """Bits, least significant first."""
    import pyarrow as pa

    packed = bytearray((len(values) + 7) // 8)
    for place, value in enumerate(values):
        if value:
            packed[place >> 3] |= 1 << (place & 7)
    return pa.py_buffer(bytes(packed))
