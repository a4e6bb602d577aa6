"""The errors people meet, as one short tree.

    HarnessError
    ├── ConfigError      a setting is missing, unknown or contradicts another
    ├── DatasetError     a benchmark's files are missing or a record does not fit
    ├── MediaError       one picture or clip cannot be read (recorded against its sample)
    ├── CapabilityError  the model cannot be asked what the task asks
    ├── ModelError       a backend failed; ``transient`` says whether asking again may help
    ├── ReplyError       a file of replies does not fit the benchmark
    ├── ResultError      a finished run is missing, incomplete or not comparable
    └── RunStopped       a run ended before it was complete; what it stored stays, and the same command goes on
        ├── InUse        another process works on it
        └── Interrupted  the user asked for it (Ctrl-C; the command exits with 130), or the system (SIGTERM; 143)

Each message says what happened, where, and what to do. The command line prints it without a traceback.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Base of all errors that are meant for the user; its text needs no traceback to be understood."""


class ConfigError(HarnessError):
    """A setting is missing, unknown, out of range, or contradicts another one."""


class DatasetError(HarnessError):
    """A benchmark's files are missing on disk, or one of its records does not have the expected form."""


class MediaError(HarnessError):
    """One picture or clip cannot be opened or decoded; the engine records it against its sample."""


class CapabilityError(HarnessError):
    """The model lacks something that the task needs; raised before the first sample is asked."""


class ModelError(HarnessError):
    """A backend failed to answer.

    ``transient`` is true where asking again may help (rate limit, time-out); the engine then retries with back-off, not
    before ``retry_after_s`` (seconds, as a server's Retry-After header says) have passed.
    """

    def __init__(self, message: str, *, transient: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        self.retry_after_s = retry_after_s


class ReplyError(HarnessError):
    """A file of replies made elsewhere has no layout that riddle knows, or does not fit the benchmark."""


class ResultError(HarnessError):
    """A finished run is missing, incomplete, of another version, or not comparable with another one."""


class RunStopped(HarnessError):
    """A run ended before it was complete (too many failures, disk full, folder in use); nothing that was stored is lost."""


class InUse(RunStopped):
    """Another process works on the run."""


class Interrupted(RunStopped):
    """A run was ended by the user, or by the system if ``terminated``; the same command goes on where it stopped."""

    def __init__(self, message: str, *, terminated: bool = False) -> None:
        super().__init__(message)
        self.terminated = terminated


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: no error of its own, but a Ctrl-C that the system gives."""
