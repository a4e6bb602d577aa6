"""Where a benchmark's data lie for a value of ``data``: mini (drawn when missing), official, or a path."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.commands.rooms import MINI, function
from harness.config import MiniConfig, PathsConfig
from harness.errors import ConfigError, DatasetError
from harness.task import Task


@dataclass(frozen=True, kw_only=True)
class Place:
    """Data of one task: ``name`` stands in the run's folder (``pope@mini``), ``where`` holds the folder or the files."""

    name: str
    where: tuple[Path, ...]


def place_of(task: Task, data: Sequence[str], paths: PathsConfig, mini: MiniConfig) -> Place:
    """Return where a task's data lie; draws the mini version if it is asked for and not there.

    Files that the user names count as official data: their fingerprint tells them apart, wherever they lie. Mini data are known
    by the marker in their folder.

    Raises:
        ConfigError: there is no mini version of this task, or nothing is named.
        DatasetError: the named folder or file does not exist.
    """
    if tuple(data) == ("mini",):
        root = mini_root(paths, mini)
        (folder,) = function(MINI)(root, [task.name], **dataclasses.asdict(mini))
        return Place(name=root.name, where=(folder,))
    if not data:
        raise ConfigError("data: names nothing; say mini, official, or a folder or file")
    named = [official_folder(task, paths.data)] if tuple(data) == ("official",) else [Path(one) for one in data]
    where = tuple(_existing(path, task) for path in named)
    is_mini = (where[0] / "mini.json").is_file()
    return Place(name=_mini_name(where[0].resolve().parent) if is_mini else "official", where=where)


def _mini_name(root: Path) -> str:
    return root.name if root.name.startswith("mini") else "mini"


def mini_root(paths: PathsConfig, mini: MiniConfig) -> Path:
    """Return the folder of the mini world; worlds of another seed or size than the default lie beside it, not over it."""
    plain = MiniConfig()
    size = f"n{mini.n}" if mini.each is None else f"each{mini.each}"
    suffix = "" if mini == plain else f"-seed{mini.seed}-{size}"
    return paths.data / f"mini{suffix}"


def official_folder(task: Task, data: Path) -> Path:
    """Return the folder of a task's official data: that of its name, or of the family before the first split mark."""
    families = [task.name, task.name.partition("_")[0], task.name.partition("_")[0].rstrip("+g")]
    return next((data / name for name in families if (data / name).is_dir()), data / task.name)


def _existing(path: Path, task: Task) -> Path:
    if path.exists():
        return path
    layouts = "; ".join(f"{layout.name}: {', '.join(layout.files)}" for layout in task.layouts)
    raise DatasetError(
        f"data of {task.name}: {path} does not exist. Put its files there in one of the layouts ({layouts}), "
        f"name another place with data=PATH, or use data=mini. They come from {task.card.data.rstrip('.')}{task.cure}"
    )
