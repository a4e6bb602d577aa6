"""Where a benchmark's data lie for a value of ``data``: mini (drawn when missing), official, or a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.commands.rooms import MINI, function
from harness.config import MiniConfig, PathsConfig
from harness.errors import DatasetError
from harness.task import Task


@dataclass(frozen=True, kw_only=True)
class Place:
    """Data of one task: ``name`` stands in the run's folder (``pope@mini``), ``where`` holds the folder or the files."""

    name: str
    where: tuple[Path, ...]


def place_of(task: Task, data: str, paths: PathsConfig, mini: MiniConfig) -> Place:
    """Return where a task's data lie; draws the mini version if it is asked for and not there.

    Raises:
        ConfigError: there is no mini version of this task.
        DatasetError: the named folder or file does not exist.
    """
    if data == "mini":
        root = mini_root(paths, mini)
        (folder,) = function(MINI)(root, [task.name], seed=mini.seed, n=mini.n)
        return Place(name=root.name, where=(folder,))
    if data == "official":
        return Place(name="official", where=(_existing(official_folder(task, paths.data), data, task),))
    path = Path(data)
    return Place(name=path.name or "data", where=(_existing(path, data, task),))


def mini_root(paths: PathsConfig, mini: MiniConfig) -> Path:
    """Return the folder of the mini world; worlds of another seed or size than the default lie beside it, not over it."""
    plain = MiniConfig()
    suffix = "" if mini == plain else f"-seed{mini.seed}-n{mini.n}"
    return paths.data / f"mini{suffix}"


def official_folder(task: Task, data: Path) -> Path:
    """Return the folder of a task's official data: that of its name, or of the family before the first split mark."""
    families = [task.name, task.name.partition("_")[0], task.name.partition("_")[0].rstrip("+g")]
    return next((data / name for name in families if (data / name).is_dir()), data / task.name)


def _existing(path: Path, data: str, task: Task) -> Path:
    if path.exists():
        return path
    layouts = "; ".join(f"{layout.name}: {', '.join(layout.files)}" for layout in task.layouts)
    raise DatasetError(
        f"data={data}: {path} does not exist. Put the files of {task.name} there in one of the layouts ({layouts}), "
        f"name another place with data=PATH, or use data=mini. They come from {task.card.data}"
    )

