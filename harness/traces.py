"""Side records of a model: small tables that come with its responses, and the files of a run folder that hold them.

A model that emits side records names them in ``traces`` (``("routing",)``), and each of its responses carries a table under each
of these names, packed by `packed`. They are stored with the response, in one commit, so that a kill loses none; when all is
answered, `write_traces` puts the tables of all samples behind one another into ``traces/<name>.parquet``, with the columns
``sample_id`` and ``key`` in front, in the order of the samples: the rows join ``scores.parquet`` by ``sample_id``.

A trace is no part of the fingerprint, because it changes no answer. A stored response without the traces that are wanted counts
as not answered: it is asked for again, and replaced. Not here: what the tables mean, which is between the model that writes and
the report that reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ResultError
from harness.results import whole

if TYPE_CHECKING:
    import pyarrow

    from harness.store import Reader

FOLDER = "traces"

ROWS_A_GROUP = 1 << 18
"""Rows of the samples that share a row group, about."""


def packed(columns: Mapping[str, Any]) -> bytes:
    """Return named columns of equal length (sequences or arrays) as compressed bytes. Raises `ValueError` if they are none."""
    import pyarrow as pa

    table = pa.table(dict(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked(trace: bytes) -> pyarrow.Table:
    """Return the table that `packed` made bytes of. Raises `ValueError` for other bytes."""
    import pyarrow as pa

    with pa.ipc.open_stream(trace) as stream:
        return stream.read_all()


def checked_traces(traces: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the traces of a response if all are tables under plain names. Raises `ValueError` saying which is none."""
    import pyarrow as pa

    for name, trace in traces.items():
        if not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"trace {name!r:.40}: a name is letters, digits and underscores")
        try:
            pa.ipc.open_stream(trace).close()  # reads the schema alone
        except (ValueError, TypeError, OSError) as error:
            raise ValueError(f"trace {name!r}: no table packed by harness.traces ({error})") from error
    return dict(traces)


def traces_path(folder: Path, name: str) -> Path:
    """Where a run keeps its traces of this name."""
    return folder / FOLDER / f"{name}.parquet"


def write_traces(folder: Path, store: Reader) -> list[Path]:
    """Write a file for each kind of trace that the run's responses have; return them, and remove files of other kinds."""
    names = store.trace_names()
    for path in (folder / FOLDER).glob("*.parquet"):
        if path.stem not in names:
            path.unlink()
    for name in names:
        (folder / FOLDER).mkdir(exist_ok=True)
        _write(traces_path(folder, name), _tables(folder, store, name))
    return [traces_path(folder, name) for name in names]


def _tables(folder: Path, store: Reader, name: str) -> Iterator[pyarrow.Table]:
    """The tables of the planned samples, each with its sample's id and key in front."""
    import pyarrow as pa

    for sample_id, key, trace in store.planned_traces(name):
        try:
            table = unpacked(trace)
        except (ValueError, OSError) as error:
            raise ResultError(f"{folder}: the trace {name!r} of sample {sample_id} is damaged ({error})") from error
        for place, (column, value) in enumerate((("sample_id", sample_id), ("key", key))):
            codes = pa.array([0], pa.int32()).take(pa.nulls(len(table), pa.int32()).fill_null(0))
            table = table.add_column(place, column, pa.DictionaryArray.from_arrays(codes, [value]))
        yield table


def _write(path: Path, tables: Iterator[pyarrow.Table]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    writer: parquet.ParquetWriter | None = None
    with whole(path) as temporary:
        try:
            for several in _gathered(tables):
                table = pa.concat_tables(several).unify_dictionaries()
                writer = writer or parquet.ParquetWriter(temporary, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def _gathered(tables: Iterator[pyarrow.Table]) -> Iterator[list[pyarrow.Table]]:
    held: list[pyarrow.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += len(table)
        if rows >= ROWS_A_GROUP:
            yield held
            held, rows = [], 0
    if held:
        yield held
