"""How a run ends early, and where its log goes.

Ctrl-C, SIGTERM, a full disk and a damaged file become errors that say how to go on; everything else passes. The log is the run
folder's ``log.txt``.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import Interrupted, RunStopped, Terminated
from harness.store import FILE


@contextmanager
def stopping(folder: Path, advice: str) -> Iterator[None]:
    """Turn Ctrl-C, SIGTERM, a full disk and a damaged file of responses into errors that say how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        terminated = isinstance(error, Terminated)
        what = f"{stopped_by(error)}; every response so far is stored in {folder}. {advice}"
        raise Interrupted(what, terminated=terminated) from error
    except (OSError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.DatabaseError) and _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            cure = "Move it away, or ask everything anew with fresh=true."
            raise RunStopped(f"{folder / FILE}: damaged ({error}). {cure}") from error
        if not _is_full(error):
            raise
        cure = "Name a folder that can be written to with runs=DIR." if _is_read_only(error) else "Make room on the disk."
        raise RunStopped(f"{folder}: nothing more can be written ({error}). {cure} {advice}") from error


def stopped_by(error: KeyboardInterrupt) -> str:
    """Say who ended the run."""
    return "stopped by the system (SIGTERM)" if isinstance(error, Terminated) else "stopped by the user"


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT) or _is_read_only(error)
    return _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or _is_read_only(error)


def _is_read_only(error: Exception) -> bool:
    return error.errno == errno.EROFS if isinstance(error, OSError) else _code(error) == sqlite3.SQLITE_READONLY


def _code(error: Exception) -> int:
    """The primary result code of SQLite, 0 where the error has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class _QuietFile(logging.FileHandler):
    """Writes to ``log.txt``; a full disk stops the run elsewhere, with a message, not here with a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the record."""


@contextmanager
def logging_to(folder: Path) -> Iterator[None]:
    """Send what the harness and models log to the run folder."""
    handler = _QuietFile(folder / "log.txt", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("harness", "models")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()
