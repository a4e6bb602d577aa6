"""The program that runs in the other environment: answers lines of JSON on stdin by lines of JSON on stdout.

It is started by its path (``python loop.py COMMANDS.py``), needs nothing but the standard library, and must stay so. The file of
commands offers ``commands(load)``, which returns functions by name; ``load`` is `load` below. A request is
``{"ask": NAME, "with": {...}}``, its answer ``{"said": ...}`` or ``{"error": {"kind", "message", "name", "trace"}}``. Whatever a
toolkit writes to stdout, also from C or a child process, goes to stderr, so the lines stay whole. Nothing is unpickled here.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Commands = Mapping[str, Callable[..., Any]]
Load = Callable[[str, Collection[str], Collection[str]], ModuleType]

MOST_PLACEHOLDERS = 30
NOTE = "riddle: "
"""How lines of stderr begin that the user should see (`harness.foreign.client` logs them as warnings)."""


def main(file: str) -> None:
    """Load a file of commands and answer until stdin ends."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    spec = importlib.util.spec_from_file_location("riddle_commands", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file}: no file of commands")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stream = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8")
    known: Commands = module.commands(load)
    for line in stream:
        ours.write(json.dumps(answer(known, json.loads(line))) + "\n")
        ours.flush()


def answer(known: Commands, request: Mapping[str, Any]) -> dict[str, Any]:
    """Call what is asked for; whatever it raises is an answer too, as code of others may raise anything."""
    try:
        said = known[request["ask"]](**request["with"])
        json.dumps(said)
        return {"said": said}
    except Exception as error:
        name = getattr(error, "name", None)
        trace = traceback.format_exc().strip().splitlines()[-6:]
        about = {"kind": type(error).__name__, "message": str(error), "name": name if isinstance(name, str) else None}
        return {"error": {**about, "trace": trace}}


def load(name: str, optional: Collection[str], needed: Collection[str]) -> ModuleType:
    """Import a module whose own imports may miss packages that are not needed here.

    A missing package gets a placeholder, which can be imported and named but raises `RuntimeError` once it is called; so does one
    of ``optional`` that is there and broken. Each is noted on stderr. What is in ``needed``, and the module's own package, never
    do.

    Raises:
        ImportError: a needed package is missing.
    """
    keep = {name.partition(".")[0], *needed}
    for one in optional:
        try:
            importlib.import_module(one)
        except Exception as error:  # broken packages raise anything: a library that does not fit, a missing operator
            _stand_in(one, error)
    for _ in range(MOST_PLACEHOLDERS):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if not missing or missing in keep or missing in _FINDER.names:
                raise
            _forget(name.partition(".")[0])
            _stand_in(missing, error)
    raise ImportError(f"{name}: over {MOST_PLACEHOLDERS} of the packages that it imports are missing", name=name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds placeholders for everything below the named packages."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top = fullname.partition(".")[0]
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True) if top in self.names else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty."""


_FINDER = _Finder()


class _Absent(ModuleType):
    """A module that is not there: every public name in it is a class that cannot be called."""

    def __getattr__(self, name: str) -> Any:
        return _absent(self.__name__, name)


class _AbsentClass(type):
    """Lets names below a name be named; calling any of them says what is missing."""

    where = ""

    def __getattr__(cls, name: str) -> Any:
        return _absent(cls.where, name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        package = cls.where.partition(".")[0]
        raise RuntimeError(f"{cls.where} was called, but {package} is missing or broken here; install a {package} that fits")


def _absent(where: str, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _AbsentClass(name, (), {"where": f"{where}.{name}"})


def _stand_in(package: str, error: Exception) -> None:
    why = f"{type(error).__name__}: {error}".replace("\n", " ")
    sys.stderr.write(f"{NOTE}{package} cannot be imported ({why}); a placeholder stands in its place\n")
    _forget(package)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _FINDER.names.add(package)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


if __name__ == "__main__":
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [one for one in sys.path if one != here]
    main(sys.argv[1])
