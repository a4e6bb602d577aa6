"""Finds benchmarks, models and suites by name: no central list, so adding one means adding a file.

Tasks are the ``TASKS`` of every file in ``tasks/``, of the files in the user's ``task_dirs`` and of the packages named in
``plugins``. Models and suites are the YAML files of ``conf/model`` and ``conf/suite``, and of a plugin's own ``conf``.

The tasks of other harnesses are asked for as ``harness/name`` (``lm_eval/arc_easy``). They are not listed: the module of that
name in ``tasks/bridges`` makes them when they are named.

Listing names imports the task files. That is affordable because a task file imports nothing heavy (a test pins this), and it
is simpler than reading names out of source text. Looking a name up imports only the files whose stem it begins with.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.names import unknown

if TYPE_CHECKING:
    from harness.task import Task


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One task with the file it stands in; ``stem`` names the group of all tasks of that file."""

    task: Task
    stem: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """Everything that has a name, for one choice of places to look.

    Attributes:
        task_dirs: folders of the user's own task files.
        plugins: importable packages of the user's own, with ``TASKS`` in the package or in any of its modules, and
            optionally a ``conf`` folder with ``model/*.yaml`` and ``suite/*.yaml``.
        conf_dirs: further configuration folders (``--config-dir``).
    """

    task_dirs: tuple[Path, ...] = ()
    plugins: tuple[str, ...] = ()
    conf_dirs: tuple[Path, ...] = ()

    def entries(self, names: Sequence[str] = ()) -> dict[str, Entry]:
        """Return all tasks by name, or only those of the files whose stem one of ``names`` begins with.

        Raises:
            ConfigError: two files define one name, or a file of the user's cannot be imported.
        """
        found: dict[str, Entry] = {}
        for module in self._modules(names):
            for task in _tasks_of(module):
                if task.name in found:
                    raise ConfigError(
                        f"two tasks are named {task.name!r}: in {found[task.name].origin} and in {_origin(module)}; rename one"
                    )
                stem = module.__name__.rpartition(".")[2]
                found[task.name] = Entry(task=task, stem=stem, origin=_origin(module))
        return dict(sorted(found.items()))

    def task_names(self) -> tuple[str, ...]:
        """Return the names of all tasks, sorted."""
        return tuple(self.entries())

    def find_task(self, name: str) -> Task:
        """Return the task of that name.

        Raises:
            ConfigError: no such task; the message names the nearest ones.
        """
        return self.find_tasks([name], groups=False)[0]

    def find_tasks(self, names: Iterable[str], *, groups: bool = True) -> tuple[Task, ...]:
        """Return the named tasks in order, each once; a file's stem stands for all its tasks if ``groups``.

        Raises:
            ConfigError: names all unknown tasks together.
        """
        wanted = list(names)
        if any("/" in name for name in wanted):
            return tuple({task.name: task for name in wanted for task in self._named(name, groups)}.values())
        chosen, missing = _chosen(wanted, self.entries(wanted) if wanted else {}, groups)
        if missing:  # a name may also stand in a file of quite another name
            entries = self.entries()
            chosen, missing = _chosen(wanted, entries, groups)
            if missing:
                raise ConfigError("\n".join(unknown("task", name, entries) for name in missing))
        return tuple(chosen.values())

    def _named(self, name: str, groups: bool) -> tuple[Task, ...]:
        """The tasks of one name: a bridge's where it begins with a bridge and a slash."""
        bridge, slash, rest = name.partition("/")
        if not slash:
            return self.find_tasks([name], groups=groups)
        bridges = _stems(package_folder("tasks.bridges"))
        if bridge not in bridges:
            raise ConfigError(unknown("bridge", bridge, bridges))
        found: tuple[Task, ...] = importlib.import_module(f"tasks.bridges.{bridge}").tasks_of(rest, self.task_dirs)
        return found

    def choices(self, group: str) -> dict[str, Path]:
        """Return the YAML files of one configuration group (``model``, ``suite``) by name."""
        files = (file for folder in self._conf_folders() for file in sorted((folder / group).glob("*.yaml")))
        found: dict[str, Path] = {}
        for file in files:
            found.setdefault(file.stem, file)
        return dict(sorted(found.items()))

    def has_group(self, group: str) -> bool:
        """Return whether ``group`` is a folder of configurations to choose from, rather than a single setting."""
        return any((folder / group).is_dir() for folder in self._conf_folders())

    def _conf_folders(self) -> Iterator[Path]:
        yield from self.conf_dirs
        yield package_folder("conf")
        for plugin in self.plugins:
            folder = package_folder(plugin) / "conf"
            if folder.is_dir():
                yield folder

    def _modules(self, names: Sequence[str]) -> Iterator[ModuleType]:
        yield from (importlib.import_module(f"tasks.{stem}") for stem in _stems(package_folder("tasks"), names))
        for folder in self.task_dirs:
            if not folder.is_dir():
                raise ConfigError(f"task_dirs={folder}: no such folder")
            yield from (_import_file(folder / f"{stem}.py") for stem in _stems(folder, names))
        for plugin in self.plugins:
            yield from _plugin_modules(plugin)


def find_task(name: str, task_dirs: Sequence[Path] = (), plugins: Sequence[str] = ()) -> Task:
    """Return the task of that name; raises `ConfigError` naming the nearest ones if there is none."""
    return Catalog(task_dirs=tuple(task_dirs), plugins=tuple(plugins)).find_task(name)


def task_names(task_dirs: Sequence[Path] = (), plugins: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return Catalog(task_dirs=tuple(task_dirs), plugins=tuple(plugins)).task_names()


def package_folder(package: str) -> Path:
    """Return the folder of an importable package; raises `ConfigError` if there is none of that name."""
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise ConfigError(f"package {package!r} cannot be imported; install it, or run riddle from the folder that holds it")
    if not spec.submodule_search_locations:
        raise ConfigError(f"{package!r} is a module, not a package; name the package that holds it")
    return Path(next(iter(spec.submodule_search_locations)))


def admit(plugins: Sequence[str]) -> None:
    """Make packages in the current folder importable once the user has named one in ``plugins``.

    The folder goes to the end of the path, so that nothing in it can take the place of an installed package.
    """
    here = str(Path.cwd())
    if plugins and here not in sys.path:
        sys.path.append(here)


def _stems(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Return the stems of a folder's modules, or of those that one of ``names`` begins with."""
    stems = sorted(file.stem for file in folder.glob("*.py") if not file.name.startswith("_"))
    return [stem for stem in stems if not names or any(name.startswith(stem) for name in names)]


def _chosen(names: Sequence[str], entries: Mapping[str, Entry], groups: bool) -> tuple[dict[str, Task], list[str]]:
    """Return the tasks that names and stems stand for, and the names that stand for none."""
    chosen: dict[str, Task] = {}
    missing = []
    for name in names:
        members = [name] if name in entries else [key for key, entry in entries.items() if groups and entry.stem == name]
        chosen.update({member: entries[member].task for member in members})
        if not members:
            missing.append(name)
    return chosen, missing


def _tasks_of(module: ModuleType) -> Iterable[Task]:
    from harness.task import Task

    tasks: object = getattr(module, "TASKS", ())
    values = tasks.values() if isinstance(tasks, Mapping) else tasks
    if not isinstance(values, Iterable):
        raise ConfigError(f"{_origin(module)}: TASKS is {type(tasks).__name__}, expected a list of Task")
    for value in values:
        if not isinstance(value, Task):
            raise ConfigError(f"{_origin(module)}: TASKS holds {value!r:.80}, expected Task values")
        yield value


def _origin(module: ModuleType) -> str:
    return module.__file__ or module.__name__


def _import_file(file: Path) -> ModuleType:
    """Import a task file that is in no package. The module's name holds the folder, so equal stems do not collide."""
    name = f"riddle_task_dir_{file.resolve().parent.as_posix().replace('/', '_').replace('.', '_')}.{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file}: cannot be imported as a task file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (ImportError, SyntaxError, AttributeError, NameError, TypeError, ValueError) as error:
        del sys.modules[name]
        raise ConfigError(f"{file}: cannot be imported as a task file ({type(error).__name__}: {error})") from error
    return module


def _plugin_modules(plugin: str) -> Iterator[ModuleType]:
    """Import a plugin package, and those of its modules and of its ``tasks`` subpackage that can hold tasks.

    Only modules whose text mentions ``TASKS`` are imported: a plugin's model files may import torch.
    """
    folder = package_folder(plugin)
    yield importlib.import_module(plugin)
    for prefix, place in ((plugin, folder), (f"{plugin}.tasks", folder / "tasks")):
        for stem in _stems(place):
            if "TASKS" in (place / f"{stem}.py").read_text(encoding="utf-8"):
                yield importlib.import_module(f"{prefix}.{stem}")
