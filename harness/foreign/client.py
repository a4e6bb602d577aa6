"""A program in another Python environment, asked by lines of JSON (`harness.foreign.loop` is its other end).

It starts when it is first asked and ends with this process. One that has died is an error for whoever was waiting, with the last
lines that it wrote; the next question starts another, so questions must say all that they are about.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, ModelError
from harness.foreign.loop import NOTE

LAST_LINES = 8
"""Lines of a program's stderr that stand in the message of its death."""

_log = logging.getLogger(__name__)


class ForeignError(ModelError):
    """What was asked for failed over there. ``kind`` is the type of the exception, or ``died`` of the program itself.

    ``name`` is the exception's own (the module that is missing, of a `ModuleNotFoundError`).
    """

    def __init__(self, message: str, *, kind: str, name: str | None = None) -> None:
        super().__init__(message)
        self.kind, self.name = kind, name


class Foreign:
    """One program of commands.

    Args:
        python: the interpreter that runs it.
        commands: its file, which that interpreter loads.
        environment: further environment variables.
    """

    def __init__(self, python: str, commands: Path, environment: Mapping[str, str] | None = None) -> None:
        self.python, self.commands = python, commands
        self.environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask(self, command: str, /, **arguments: Any) -> Any:
        """Return what a command of the program returns.

        Raises:
            ConfigError: there is no such interpreter.
            ForeignError: the command raised, or the program died; the next question starts another one.
        """
        with self._lock:
            process = self._process or self._start()
            line = self._exchange(process, json.dumps({"ask": command, "with": arguments}) + "\n")
            if not line.endswith("\n"):
                raise self._died(process, command)
        answer = json.loads(line)
        if "error" not in answer:
            return answer["said"]
        error = answer["error"]
        _log.debug("%s(%s) raised over there:\n%s", command, ", ".join(arguments), "\n".join(error["trace"]))
        raise ForeignError(f"{error['kind']}: {error['message']}", kind=error["kind"], name=error["name"])

    def close(self) -> None:
        """End the program, which a later question starts anew."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None or process.stderr is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join(timeout=5)
        process.stdout.close()
        process.stderr.close()

    def _start(self) -> subprocess.Popen[str]:
        loop = Path(__file__).with_name("loop.py")
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                [self.python, str(loop), str(self.commands)],
                stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment, text=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"{self.python}: cannot be started as a Python ({error.strerror or error})") from error
        self._last.clear()
        self._reader = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        return self._process

    def _listen(self, stderr: Any) -> None:
        """Keep the last lines of stderr, and read the rest, or a full pipe would stop the program."""
        with contextlib.suppress(ValueError):
            for line in stderr:
                self._last.append(line.rstrip())
                level = logging.WARNING if line.startswith(NOTE) else logging.DEBUG
                _log.log(level, "%s: %s", self.python, line.rstrip().removeprefix(NOTE))

    @staticmethod
    def _exchange(process: subprocess.Popen[str], line: str) -> str:
        """Send a line and return the answer; empty, or without its end, where the program is gone."""
        if process.stdin is None or process.stdout is None:
            return ""
        try:
            process.stdin.write(line)
            process.stdin.flush()
            return process.stdout.readline()
        except (BrokenPipeError, ConnectionResetError):
            return ""

    def _died(self, process: subprocess.Popen[str], name: str) -> ForeignError:
        self.close()
        last = "\n".join(f"  {line}" for line in self._last) or "  nothing"
        what = f"{self.python} {self.commands.name} died (exit {process.returncode}) when asked for {name!r}"
        return ForeignError(f"{what}; it last wrote:\n{last}", kind="died")


@cache
def shared(python: str, commands: Path) -> Foreign:
    """Return the program of this process for an interpreter and a file; it is ended with the process."""
    program = Foreign(python, commands)
    atexit.register(program.close)
    return program


def python_of(variable: str) -> str:
    """Return the interpreter that an environment variable names; this process's own unless it is set."""
    return os.environ.get(variable) or sys.executable
