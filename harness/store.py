"""A run's ``responses.sqlite``: which sample asks what, every request as it was sent, every response as it arrived.

One process writes (`RunLock`), each response committed before the next is asked for: in WAL mode without a sync that costs
about 30 microseconds, and what is committed survives a kill of the process. (A power cut may lose the last commits, never
the file: ``synchronous=NORMAL``.) Others read at any time without locking (`Reader`), also while the writer is at work.

Tables: ``requests(key, sample_id, parts, generation)`` with the prompt's texts and media (label, digest, locator) as JSON;
``responses(key, text, finish_reason, prompt_tokens, completion_tokens, seconds, logprobs, failure, reused)``;
``plan(position, sample_id, key)``, the samples of the run in order, so that re-scoring opens no media;
``traces(key, name, data)``, the side records that came with a response (`harness.traces`), gone when it is replaced.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from harness.errors import DatasetError, InUse, ResultError
from harness.types import Failure, Generation, Response

FILE = "responses.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (key TEXT PRIMARY KEY, sample_id TEXT, parts TEXT, generation TEXT);
CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, text TEXT, finish_reason TEXT, prompt_tokens INTEGER,
    completion_tokens INTEGER, seconds REAL, logprobs TEXT, failure TEXT, reused INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS plan (position INTEGER PRIMARY KEY, sample_id TEXT UNIQUE, key TEXT);
CREATE TABLE IF NOT EXISTS traces (key TEXT, name TEXT, data BLOB, PRIMARY KEY (key, name)) WITHOUT ROWID;
"""

_ABSORB = (
    "CREATE TEMP TABLE taken AS SELECT p.key FROM part.responses p LEFT JOIN main.responses r USING (key) WHERE r.key IS NULL"
    " OR r.failure IS NOT NULL"
    " OR (p.key IN (SELECT key FROM part.traces) AND p.key NOT IN (SELECT key FROM main.traces))",
    "INSERT OR IGNORE INTO main.requests SELECT * FROM part.requests",
    "DELETE FROM main.traces WHERE key IN (SELECT key FROM temp.taken)",
    "INSERT OR REPLACE INTO main.responses SELECT * FROM part.responses WHERE key IN (SELECT key FROM temp.taken)",
    "INSERT INTO main.traces SELECT * FROM part.traces WHERE key IN (SELECT key FROM temp.taken)",
    "DROP TABLE temp.taken",
)

_COLUMNS = "r.key, r.text, r.finish_reason, r.prompt_tokens, r.completion_tokens, r.seconds, r.logprobs, r.failure, r.reused"


@dataclass(frozen=True, slots=True)
class Stored:
    """A response with whether it was copied from another run."""

    response: Response
    reused: bool = False


class Reader:
    """Reads a run's responses without locking; made for finished runs and for runs that are being written."""

    def __init__(self, folder: Path) -> None:
        """Open the file in ``folder``. Raises `ResultError` if there is none or it is no such file."""
        path = folder / FILE
        if not path.is_file():
            raise ResultError(f"{path}: no such file; the run has no stored responses")
        self.path = path
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            self._db.execute("PRAGMA trusted_schema = OFF")  # a run may come from elsewhere
            self._db.execute("SELECT 1 FROM responses LIMIT 1")
        except sqlite3.Error as error:
            raise ResultError(f"{path}: cannot be read ({error})") from error
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, key: str) -> Stored | None:
        """Return what is stored under a key."""
        with self._lock:
            row = self._db.execute(f"SELECT {_COLUMNS} FROM responses r WHERE key = ?", (key,)).fetchone()
        return None if row is None else _stored(row)

    def request(self, key: str) -> dict[str, Any] | None:
        """Return a request as it was asked: ``{sample_id, parts, generation}``."""
        with self._lock:
            row = self._db.execute("SELECT sample_id, parts, generation FROM requests WHERE key = ?", (key,)).fetchone()
        return None if row is None else {"sample_id": row[0], "parts": json.loads(row[1]), "generation": json.loads(row[2])}

    def planned(self) -> Iterator[tuple[str, str, Stored | None]]:
        """Yield sample id, key and response of each sample of the run, in order."""
        cursor = self._db.cursor()
        cursor.execute(f"SELECT p.sample_id, p.key, {_COLUMNS} FROM plan p LEFT JOIN responses r USING (key) ORDER BY position")
        for sample_id, key, *row in cursor:
            yield sample_id, key, None if row[0] is None else _stored(row)

    def of_sample(self, sample_id: str) -> tuple[str, Stored] | None:
        """Return the key and the response of a sample of the run; None if it is not planned or has none yet."""
        query = f"SELECT {_COLUMNS} FROM plan p JOIN responses r USING (key) WHERE p.sample_id = ?"
        with self._lock:
            row = self._db.execute(query, (sample_id,)).fetchone()
        return None if row is None else (row[0], _stored(row))

    def tokens(self) -> tuple[int, int]:
        """Return the tokens of all prompts and of all replies, as far as they are known."""
        query = "SELECT coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0) FROM responses"
        with self._lock:
            prompt, completion = self._db.execute(query).fetchone()
        return int(prompt), int(completion)

    def count(self, table: str = "responses") -> int:
        """Return how many rows a table has (``plan``, ``requests``, ``responses``)."""
        if table not in ("plan", "requests", "responses"):
            raise ValueError(f"table {table!r} is unknown (known: plan, requests, responses)")
        with self._lock:
            return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def traces(self, key: str) -> dict[str, bytes]:
        """Return the side records that came with a response, by name."""
        return dict(self._traces("SELECT name, data FROM traces WHERE key = ?", key))

    def has_traces(self, key: str, names: Sequence[str]) -> bool:
        """Whether a response has all the side records of these names."""
        return not names or {name for (name,) in self._traces("SELECT name FROM traces WHERE key = ?", key)} >= set(names)

    def trace_names(self) -> list[str]:
        """Return the names of all side records that responses of planned samples have."""
        return [name for (name,) in self._traces("SELECT DISTINCT name FROM traces JOIN plan USING (key) ORDER BY name")]

    def planned_traces(self, name: str) -> Iterator[tuple[str, str, bytes]]:
        """Yield sample id, key and side record of the samples that have one of this name, in order."""
        cursor = self._db.cursor()
        yield from cursor.execute(
            "SELECT sample_id, key, data FROM plan JOIN traces USING (key) WHERE name = ? ORDER BY position", (name,)
        )

    def _traces(self, query: str, *values: str) -> list[Any]:
        """Rows of the side records; none in a file from before there were any."""
        with self._lock:
            if not self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'traces'").fetchone():
                return []
            return self._db.execute(query, values).fetchall()

    def reused(self) -> int:
        """Return how many of the run's requests were answered from other runs."""
        query = "SELECT count(DISTINCT p.key) FROM plan p JOIN responses r USING (key) WHERE r.reused"
        with self._lock:
            return int(self._db.execute(query).fetchone()[0])

    def failed(self) -> Iterator[tuple[str, tuple[str, Failure]]]:
        """Yield the key of every failure that is stored, with the first sample that asked it and the failure."""
        query = f"SELECT q.sample_id, {_COLUMNS} FROM responses r JOIN requests q USING (key) WHERE failure IS NOT NULL"
        with self._lock:
            rows = self._db.execute(query).fetchall()
        for sample_id, key, *row in rows:
            failure = _stored((key, *row)).response.failure
            assert failure is not None, "the query asks for no others"
            yield key, (sample_id, failure)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Store(Reader):
    """The one writer of a run's responses; usable from several threads."""

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        """Open or create the file in ``folder``; ``alone`` keeps readers out, which a file system of several hosts needs.

        Raises:
            ResultError: a file there is something else.
        """
        self.path = folder / FILE
        self._lock = threading.Lock()
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            if alone:  # else WAL keeps its index in memory that is shared between processes, which only one host can do
                self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA cache_size = -4000")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise
            cure = "move it away, or ask everything anew with fresh=true"
            raise ResultError(f"{self.path}: not a file of responses ({error}); {cure}") from error

    def begin_plan(self) -> None:
        """Forget the order of the samples; `plan` writes it anew. Nothing is visible to others before the next commit."""
        with self._lock:
            self._begin()
            self._db.execute("DELETE FROM plan")

    def plan(self, position: int, sample_id: str, key: str) -> None:
        """Note which request a sample asks. Raises `DatasetError` if another sample has the same id."""
        with self._lock:
            self._begin()
            try:
                self._db.execute("INSERT INTO plan VALUES (?, ?, ?)", (position, sample_id, key))
            except sqlite3.IntegrityError as error:
                raise DatasetError(f"sample id {sample_id!r} occurs again at position {position}; ids must differ") from error

    def add_request(self, key: str, sample_id: str, parts: Sequence[Mapping[str, Any]], generation: Generation) -> None:
        """Keep a request as it is sent; committed with the next response."""
        row = (key, sample_id, _json(list(parts)), _json(asdict(generation)))
        with self._lock:
            self._begin()
            self._db.execute("INSERT OR IGNORE INTO requests VALUES (?, ?, ?, ?)", row)

    def put(self, response: Response, *, reused: bool = False) -> None:
        """Store a response with its side records in place of what its key had, and commit."""
        failure = None if response.failure is None else _json(asdict(response.failure))
        row = (
            response.key,
            response.text,
            response.finish_reason,
            response.prompt_tokens,
            response.completion_tokens,
            response.seconds,
            _json(list(response.logprobs)) if response.logprobs else None,
            failure,
            int(reused),
        )
        with self._lock:
            self._begin()
            self._db.execute("INSERT OR REPLACE INTO responses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            self._db.execute("DELETE FROM traces WHERE key = ?", (response.key,))
            rows = [(response.key, name, trace) for name, trace in response.traces.items()]
            self._db.executemany("INSERT INTO traces VALUES (?, ?, ?)", rows)
            self._db.execute("COMMIT")

    def absorb(self, path: Path) -> None:
        """Take over what another file of this run's has and this one lacks, whole or not at all.

        A success stands before a failure, a response with side records before one without; among equals, what is here stays
        unless both are failures.
        """
        with self._lock:
            self._db.execute("ATTACH DATABASE ? AS part", (str(path),))
            try:
                self._db.execute("BEGIN IMMEDIATE")
                for statement in _ABSORB:
                    self._db.execute(statement)
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                self._db.execute("DETACH DATABASE part")

    def commit(self) -> None:
        """Make what was noted since the last response visible and durable."""
        with self._lock:
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Leave one file without a journal beside it, if nobody else reads it just now; what is not committed is dropped."""
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            pass  # somebody reads, or the disk is full: the file stays valid together with its journal
        finally:
            self._db.close()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")


class RunLock:
    """Keeps a run folder to one process (``flock``); freed by the system however the process ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises `InUse` naming the process that has it."""
        import fcntl

        self._file: BinaryIO = (folder / "lock").open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read(200).decode("ascii", "replace").strip() or "another process"
            self._file.close()
            raise InUse(f"{folder}: {holder} is working on this run; wait for it or stop it") from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}".encode("ascii"))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Elsewhere:
    """Replies of other runs under the same root, found by key.

    Only runs of a model with the same fingerprint can hold one, so only their files are opened; a file that cannot be read
    (half written, without rights) is passed over.
    """

    def __init__(self, root: Path, own: Path, model: str, folders: str = "*/*/*") -> None:
        self._readers: list[Reader] = []
        for path in sorted(root.glob(f"{folders}/{FILE}")):
            folder = path.parent
            if folder.resolve() != own.resolve() and _model_of(folder) == model:
                try:
                    self._readers.append(Reader(folder))
                except ResultError:
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()

    def find(self, key: str, traces: Sequence[str] = ()) -> Response | None:
        """Return the reply that another run has under a key, with the side records wanted; failures are not taken over."""
        for reader in list(self._readers):
            try:
                stored = reader.get(key)
                found = reader.traces(key) if stored is not None and traces else {}
            except (sqlite3.Error, ResultError):
                self._readers.remove(reader)
                reader.close()
                continue
            if stored is not None and stored.response.failure is None and found.keys() >= set(traces):
                return replace(stored.response, traces=found)
        return None


def _model_of(folder: Path) -> str | None:
    """Return the fingerprint of a run's model from its ``run.json``, or of a judge from its ``judge.json``."""
    for name in ("run.json", "judge.json"):
        try:
            return str(json.loads((folder / name).read_bytes())["model"]["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _stored(row: Sequence[Any]) -> Stored:
    """Build a stored response. Raises `ResultError` if a field is not what was written there."""
    key, text, finish_reason, prompt_tokens, completion_tokens, seconds, logprobs, failure, reused = row
    try:
        response = Response(
            key=key,
            text=text,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            seconds=seconds,
            logprobs=tuple(json.loads(logprobs)) if logprobs else (),
            failure=None if failure is None else Failure(**json.loads(failure)),
        )
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}")
    except (ValueError, TypeError) as error:
        raise ResultError(f"{FILE}: the response {key} is damaged ({error}); ask everything anew with fresh=true") from error
    return Stored(response, bool(reused))
