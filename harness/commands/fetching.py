"""``riddle data fetch``: takes up what a task file offers of its benchmark's files, or says what that would be (``dry=true``)."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import Catalog
from harness.commands.outcome import Outcome, Problem
from harness.commands.places import official_folder
from harness.commands.tables import printable, table
from harness.config import DataConfig
from harness.errors import ConfigError, DatasetError, HarnessError
from harness.fetch.sources import HubFiles, Offer, by_layout
from harness.task import Task

if TYPE_CHECKING:
    from harness.fetch.offers import Item

PATIENCE_DRY = 1
"""How often a plan asks again; it fetches nothing that would be lost."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Order:
    """An offer to take up, for the tasks that it serves."""

    tasks: tuple[Task, ...]
    offer: Offer
    folder: Path

    @property
    def name(self) -> str:
        return ", ".join(task.name for task in self.tasks)


def fetched(config: DataConfig) -> Outcome:
    """Fetch the files of each benchmark asked for; one that fails does not keep the others from being fetched.

    Raises:
        ConfigError: no such benchmark or layout, nothing is declared, or terms are not accepted yet; all named together.
    """
    orders = _orders(config)
    unaccepted = [f"{order.name}: {order.offer.terms}" for order in orders if order.offer.terms]
    if unaccepted and not config.accept and not config.dry:
        raise ConfigError("\n".join([*unaccepted, "once you have done so, say accept=true"]))
    results, problems = [], []
    for order in orders:
        try:
            results.append(_row(order, _done(order, config.dry), config.dry))
        except (HarnessError, OSError) as error:
            problems.append(Problem.of(error, order.name))
            if config.dry and isinstance(error, DatasetError):
                results.append(_row(order, [], config.dry))
    return Outcome(tuple(results), tuple(problems))


def _orders(config: DataConfig) -> list[_Order]:
    """Return what is to be taken up; an offer that serves several tasks once."""
    catalog = Catalog(task_dirs=config.task_dirs, plugins=config.plugins)
    tasks = catalog.find_tasks(config.task)
    stems = _stems(catalog, [task.name for task in tasks])
    chosen: dict[tuple[Path, Offer], list[Task]] = {}
    problems = []
    for task in tasks:
        offer = by_layout(task.sources, config.layout)
        if offer is None:
            problems.append(_not_offered(task, config.layout))
        else:
            chosen.setdefault((config.target or _home(task, stems[task.name], config.paths.data), offer), []).append(task)
    if config.target and len({stems[task.name] for tasks in chosen.values() for task in tasks}) > 1:
        problems.append(f"to={config.target}: a folder holds one benchmark; fetch one at a time, or leave it out")
    if problems:
        raise ConfigError("\n".join(problems))
    return [_Order(tasks=tuple(tasks), offer=offer, folder=folder) for (folder, offer), tasks in chosen.items()]


def _stems(catalog: Catalog, names: Sequence[str]) -> dict[str, str]:
    """Return the stem of the file that each task stands in; files of quite another name are looked through only if need be."""
    found = catalog.entries(names)
    entries = found if set(names) <= set(found) else catalog.entries()
    return {name: entries[name].stem for name in names}


def _not_offered(task: Task, layout: str | None) -> str:
    if known := ", ".join(one.layout for one in task.sources):
        return f"layout={layout}: nothing of {task.name} is offered so (known: {known})"
    return f"task={task.name}: no source is declared that could be fetched; its data come from {task.card.data}"


def _home(task: Task, stem: str, data: Path) -> Path:
    """Return the folder that ``data=official`` finds: the one that is there, or that of the task's file."""
    found = official_folder(task, data)
    return found if found.is_dir() else data / stem


def _done(order: _Order, dry: bool) -> list[Item]:
    """Take up an order, or only look."""
    from harness.engine.retry import Backoff
    from harness.fetch import offers
    from harness.fetch.progress import Transfer
    from harness.fetch.web import Patience

    def say(message: str) -> None:
        sys.stderr.write(f"{order.name}: {printable(message)}\n")
        sys.stderr.flush()

    backoff = Backoff(retries=PATIENCE_DRY) if dry else Backoff()
    patience = Patience(backoff=backoff, say=say)
    files = offers.files_of(order.offer, patience)
    if dry:
        return offers.plan(files, order.folder)
    progress = Transfer(title=order.name, stream=sys.stderr)
    with progress:
        return offers.take_up(files, order.folder, patience, progress)


def _row(order: _Order, items: Sequence[Item], dry: bool) -> dict[str, Any]:
    """Return what the JSON document holds of an order; of a plan that could not be made, the patterns instead of files."""
    from harness.fetch.offers import Item

    if not items:
        parts = order.offer.parts
        paths = [f"{one.repo}: {name}" for one in parts if isinstance(one, HubFiles) for name in one.files]
        paths += [one.path for one in parts if not isinstance(one, HubFiles)]
        items = [Item(path=path, size=None, state="unknown", checked="unknown") for path in paths]
    return {
        "kind": "fetch",
        "benchmark": order.name,
        "tasks": [task.name for task in order.tasks],
        "folder": str(order.folder),
        "layout": order.offer.layout,
        "licence": order.tasks[0].card.licence,
        "terms": order.offer.terms,
        "note": order.offer.note,
        "dry": dry,
        "files": [dataclasses.asdict(item) for item in items],
    }


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of files for each order, with licence and what is to be known of it."""
    return "\n\n".join("\n".join(_shown(result)) for result in results)


def _shown(result: Mapping[str, Any]) -> Iterator[str]:
    from harness.fetch.progress import in_bytes

    yield f"{result['benchmark']}: {result['layout']} to {result['folder']}"
    rows = [
        [
            f"{one['path']} (unpacked to {one['unpacked']})" if one["unpacked"] else one["path"],
            "unknown" if one["size"] is None else in_bytes(one["size"]),
            one["state"],
            one["checked"],
        ]
        for one in result["files"]
    ]
    yield table(["file", "size", "state", "checked by"], rows, right=("size",))
    for name in ("licence", "terms", "note"):
        if result[name]:
            yield f"{name}: {result[name]}"
    if result["dry"]:
        known = [one["size"] for one in result["files"] if one["state"] != "there"]
        total = in_bytes(sum(size or 0 for size in known)) + (" and what is unknown" if None in known else "")
        yield f"to fetch: {total}; nothing was fetched"
    else:
        yield f"ready: data={result['folder']}"
