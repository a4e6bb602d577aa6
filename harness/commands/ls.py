"""``riddle ls``: what there is, and what one of them is. Reads files and names only, so that it answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import Catalog, admit
from harness.commands.listing import task_row, task_rows
from harness.commands.outcome import Outcome
from harness.commands.overrides import items
from harness.commands.tables import entries, table
from harness.errors import ConfigError
from harness.names import suggestion, unknown

if TYPE_CHECKING:
    from harness.task import Task

HELP = """\
  riddle ls                 everything there is
  riddle ls tasks           the benchmarks (also: models, suites)
  riddle ls task NAME       one benchmark: what it asks, how it is scored, where its data come from (also: model, suite)

settings:
  plugins=[PACKAGE]         list those of your own packages too
  task_dirs=[DIR]           list the tasks in your own folders too
  output=json               print one JSON document"""

KINDS = ("task", "model", "suite")
SETTINGS = ("plugins", "task_dirs", "output", "debug")


def run(words: Sequence[str]) -> Outcome:
    """List a kind of thing, or show one thing; the results hold a ``kind`` and a ``name`` each.

    Raises:
        ConfigError: the words name nothing that can be listed, or an unknown name.
    """
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    for key in settings:
        if key not in SETTINGS:
            raise ConfigError(f"{key}: unknown setting of riddle ls{suggestion(key, SETTINGS)}; known: {', '.join(SETTINGS)}")
    if (output := settings.get("output", "text")) not in ("text", "json"):
        raise ConfigError(f"output={output}: must be one of text, json{suggestion(output, ('text', 'json'))}")
    plugins = items(settings.get("plugins", ""))
    admit(plugins)
    catalog = Catalog(plugins=plugins, task_dirs=tuple(map(Path, items(settings.get("task_dirs", "")))))
    kind, *names = [word for word in words if "=" not in word] or ["everything"]
    listings: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "tasks": lambda: task_rows(catalog),
        "models": lambda: [_file_row("model", name, file) for name, file in catalog.choices("model").items()],
        "suites": lambda: [_file_row("suite", name, file) for name, file in catalog.choices("suite").items()],
    }
    if kind == "everything":
        return Outcome(tuple(row for listing in listings.values() for row in listing()))
    if kind in listings and not names:
        return Outcome(tuple(listings[kind]()))
    singular = kind.removesuffix("s") if kind in listings else kind
    if singular not in KINDS:
        raise ConfigError(f"riddle ls {kind}: no such listing{suggestion(kind, [*listings, *KINDS])}; see riddle ls --help")
    if not names:
        raise ConfigError(f"riddle ls {kind} needs a name; riddle ls {kind}s lists them")
    return Outcome(tuple(detail for name in names for detail in _details(singular, name, catalog)))


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return results as text: full descriptions if there are any, else one table a kind."""
    details = [result for result in results if "detail" in result]
    if details:
        return "\n\n".join(_shown(result) for result in details)
    parts = []
    for kind in KINDS:
        rows = [result for result in results if result["kind"] == kind]
        columns = ["name", "title", "n", "split", "metric"] if kind == "task" else ["name", "about"]
        if rows:
            head = [f"{kind}s", *columns[1:]]
            parts.append(table(head, [[str(row[column]) for column in columns] for row in rows], right=("n",)))
    return "\n\n".join(parts)


def _details(kind: str, name: str, catalog: Catalog) -> list[dict[str, Any]]:
    if kind == "task":
        return [{**task_row(task, ""), "detail": dict(_card(task))} for task in catalog.find_tasks([name])]
    files = catalog.choices(kind)
    if name not in files:
        raise ConfigError(unknown(kind, name, files))
    row = _file_row(kind, name, files[name])
    if kind == "model":
        from harness.commands.model_card import model_card

        return [{**row, **model_card(files[name])}]
    return [{**row, "detail": {"settings": files[name].read_text(encoding="utf-8").strip()}}]


def _card(task: Task) -> Iterable[tuple[str, Any]]:
    """Yield the lines of a task's card."""
    card = task.card
    official = task.conventions[task.convention_named("official")]
    yield "asks", card.asks
    yield "samples", f"{card.n} ({card.split})"
    yield "metric", f"{official.primary}, {'higher' if task.higher_is_better else 'lower'} is better, in {task.unit}"
    yield "all metrics", ", ".join(metric.name for metric in official.metrics)
    yield "needs", ", ".join(sorted(task.needs)).replace("_", " ") or "text only"
    yield "scorer", card.scorer
    yield "paper", card.paper
    yield "data", card.data
    yield "licence", card.licence
    yield "layouts", {layout.name: ", ".join(layout.files) for layout in task.layouts}
    if task.sources:
        yield "can be fetched", {one.layout: one.note or "complete" for one in task.sources}
    yield "conventions", {name: convention.note or "as the authors score" for name, convention in task.conventions.items()}
    yield "prompts", ["default", *task.prompts]
    if measured := _controls(task):
        yield "mini controls", measured
    if card.differences:
        yield "differences", card.differences
    yield "version", task.version


def _controls(task: Task) -> dict[str, str]:
    """Return what the mini version gives with and without its pictures, as far as it was measured (``riddle controls``)."""
    from harness.commands.controls import cells
    from harness.commands.rooms import LEVELS, function

    kept = function(LEVELS)(task.name)
    if kept is None:
        return {}
    data, model = kept["data"], kept["model"]
    stale = "" if kept["version"] == task.version else f", of version {kept['version']}: give riddle controls again"
    n = kept["levels"]["blind"]["n"]
    how = (
        f"{kept['metric']} ({kept['convention']}), n {n}, {data['name']}, model {model['name']} {model['fingerprint'][:8]}{stale}"
    )
    return {"measured": how, **cells(kept)}


def _shown(result: Mapping[str, Any]) -> str:
    title = result.get("title") or result.get("about") or ""
    lines: list[tuple[str, str]] = []
    for label, value in result["detail"].items():
        if isinstance(value, Mapping):
            labels = [label, *[""] * (len(value) - 1)]
            lines += [(first, f"{name}: {text}") for first, (name, text) in zip(labels, value.items(), strict=True)]
        else:
            lines.append((label, ", ".join(value) if isinstance(value, list) else str(value)))
    return f"{result['name']} · {title}\n{entries(lines)}"


def _file_row(kind: str, name: str, file: Path) -> dict[str, Any]:
    """Describe a YAML file by its first comment line."""
    lines = file.read_text(encoding="utf-8").splitlines()
    first = next((line for line in lines if line.startswith("# ") and "@package" not in line), "")
    return {"kind": kind, "name": name, "about": first.removeprefix("# "), "origin": str(file)}
