"""The content of a board in the forms that other programs and papers take, each written by one function of the same `Content`.

CSV, parquet and the lm-eval-style tables are views of the records (`reports.records`); JSON nests them by run and follows the
schema that ships beside this module; LaTeX and Markdown print the tables. Not here: HTML (`reports.leaderboard`), Markdown
(`reports.markdown`) and LaTeX (`reports.latex`) themselves, and the terminal (`harness.commands.report`).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ResultError
from harness.names import unknown
from reports.board import BoardView
from reports.latex import as_latex
from reports.markdown import as_markdown, escaped, table_line
from reports.pages import below, write
from reports.records import METRIC, Record
from reports.tables import Board
from reports.visible import plain

if TYPE_CHECKING:
    import pyarrow

SCHEMA = Path(__file__).parent / "data" / "leaderboard.schema.json"
"""The JSON Schema (draft 2020-12) of what `write_json` writes."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """What all forms show: the board, its ranks, its records, and the folder that runs are named from."""

    board: Board
    view: BoardView
    records: Sequence[Record]
    root: Path
    title: str


def write_csv(path: Path, content: Content) -> None:
    """Write the records as CSV, such that a spreadsheet reads no text of theirs as a formula."""
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, list(content.records[0]) if content.records else ["model"])
        writer.writeheader()
        writer.writerows({name: _csv_cell(value) for name, value in row.items()} for row in content.records)


def _csv_cell(value: object) -> object:
    """Keep a spreadsheet from reading a text as a formula."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


_COUNTS = ("n", "clusters", "samples", "samples_in_data", "unparsed", "failed", "missing", "truncated")
_NUMBERS = ("value", "low", "high", "se")
_TRUTHS = ("primary", "higher_is_better")


def write_parquet(path: Path, content: Content) -> None:
    """Write the records as a parquet table with the columns of the CSV file, typed; an undefined value is null."""
    import pyarrow
    from pyarrow import parquet

    names = list(content.records[0]) if content.records else ["model", *METRIC]
    arrays = [pyarrow.array([_sound(row[name]) for row in content.records], _type(name)) for name in names]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, names=names), path, compression="zstd")


def _type(name: str) -> pyarrow.DataType:
    import pyarrow

    if name in _TRUTHS:
        return pyarrow.bool_()
    return pyarrow.int64() if name in _COUNTS else pyarrow.float64() if name in _NUMBERS else pyarrow.string()


def _sound(value: Any) -> Any:
    """What JSON and parquet have a form for: no NaN, no lone surrogates."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, content: Content) -> None:
    """Write runs with their metrics, and what has no number, as `SCHEMA` describes it."""
    board, root = content.board, content.root
    document = {
        "schema": 1,
        "kind": "leaderboard",
        "title": content.title,
        "runs": list(_nested(content.records)),
        "incomplete": [
            {**{name: getattr(run, name) for name in ("model", "task", "title", "data", "control", "answered")},
             "samples_in_data": run.data_n, "run": below(run.folder, root)}
            for run in board.incomplete
        ],
        "unreadable": [
            {"run": below(run.folder, root), "reason": plain(run.broken.replace(f"{root}/", ""))} for run in board.broken
        ],
        "notes": list(board.footnotes),
    }  # fmt: skip
    write(path, json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False) + "\n")


def _nested(records: Sequence[Record]) -> Iterator[Record]:
    for _, group in groupby(records, key=_run_of):
        metrics = list(group)
        about = {name: value for name, value in metrics[0].items() if name not in METRIC}
        yield {**about, "metrics": [{name: _sound(row[name]) for name in METRIC} for row in metrics]}


def _run_of(row: Record) -> tuple[str, str, str]:
    return row["run"], row["convention"], row["control"]


def write_lm_eval(path: Path, content: Content) -> None:
    """Write a table a model in the columns that lm-eval prints, for pasting; percentages are fractions there.

    The filter is the scoring convention with a prompt and a judge of its own, if there are any; a run does not record shots.
    """
    write(path, "\n".join(_lm_eval(content.records)))


def _lm_eval(records: Sequence[Record]) -> Iterator[str]:
    models: dict[tuple[str, str], list[Record]] = {}
    for row in records:
        models.setdefault((row["model"], row["control"]), []).append(row)
    for (model, control), rows in models.items():
        about = f"control: {escaped(control)}" if control != "none" else f"{escaped(rows[0]['kind'])}"
        yield f"riddle (model={escaped(model)}), {about}\n"
        yield table_line(["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"])
        yield table_line(["---", "---:", "---", "---:", "---", "---", "---:", "---", "---:"])
        yield from map(_lm_eval_line, sorted(rows, key=lambda row: (row["section"], row["title"], row["convention"])))
        yield ""


def _lm_eval_line(row: Record) -> str:
    name = f"{row['task']}@{row['data']}" if row["primary"] else " - "
    special = [row[what] for what, usual in (("convention", ""), ("prompt", "default"), ("judge", "")) if row[what] != usual]
    arrow = "↑" if row["higher_is_better"] else "↓"
    value, error = (_decimal(row[which]) for which in ("value", "se"))
    words = (name, row["version"], ",".join(special), "", row["metric"])
    return table_line([*map(escaped, words), arrow, value, "±", error])


def _decimal(value: float | None) -> str:
    return "N/A" if value is None or math.isnan(value) else f"{value:.4f}"


Writer = Callable[[Path, Content], None]

WRITERS: Mapping[str, tuple[str, Writer]] = {
    "md": ("leaderboard.md", lambda path, content: write(path, as_markdown(content.board, content.title))),
    "csv": ("leaderboard.csv", write_csv),
    "parquet": ("leaderboard.parquet", write_parquet),
    "latex": ("leaderboard.tex", lambda path, content: write(path, as_latex(content.view, content.title))),
    "json": ("leaderboard.json", write_json),
    "lm_eval": ("leaderboard.lm_eval.md", write_lm_eval),
}
"""By format, its file and what writes it."""

FORMATS = ("html", *WRITERS)

_LABELS = {"md": "Markdown", "csv": "CSV", "parquet": "Parquet", "latex": "LaTeX", "json": "JSON", "lm_eval": "lm-eval table"}
LABELS: Mapping[str, str] = {WRITERS[name][0]: label for name, label in _LABELS.items()}
"""By file, what a page calls it."""


def write_formats(out: Path, content: Content, formats: Sequence[str]) -> list[Path]:
    """Write each of ``formats`` but ``html`` into ``out`` and return the files, in the order of `WRITERS`."""
    chosen = [name for name in WRITERS if name in formats]
    for name in chosen:
        WRITERS[name][1](out / WRITERS[name][0], content)
    return [out / WRITERS[name][0] for name in chosen]


def check_formats(formats: Sequence[str]) -> None:
    """Raise `ResultError` naming a format that there is none of, or that none was asked for."""
    if not formats:
        raise ResultError(f"formats: none given; known: {', '.join(FORMATS)}")
    for name in formats:
        if name not in FORMATS:
            raise ResultError(unknown("format", name, FORMATS))
