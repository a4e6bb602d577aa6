"""Writes the leaderboard: one self-contained HTML file, Markdown, CSV, and a page of samples behind each number.

A function of finished runs only: the same runs give the same bytes, and nothing here knows a benchmark or a model.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultError
from reports.load import Run, Value, load_runs
from reports.markdown import as_markdown
from reports.pictures import Thumbnails
from reports.samples import MARK, asset, environment, page_name, policy, write_samples
from reports.tables import Board, Column, Section, arrange
from reports.visible import plain

PICTURE_BYTES = 4_000_000
"""Budget of the thumbnails of one page of samples."""


@dataclass(frozen=True, kw_only=True)
class LeaderboardResult:
    """What was written, the rows of the CSV file as dictionaries, and what could not be shown as a number, in words.

    Attributes:
        left_out: runs that are not finished, which a report may meet at any time.
        broken: runs, or their samples, that cannot be read, so that the report lacks what it should have.
    """

    paths: tuple[Path, ...]
    rows: tuple[Mapping[str, Any], ...]
    left_out: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.paths[0]


Key = tuple[Path, str]
"""What names a run in a report: its folder and the convention it was scored by."""


def run_key(run: Run) -> Key:
    """Name a run."""
    return run.folder, run.convention


@dataclass(frozen=True, kw_only=True)
class Whisker:
    """A value and its interval on an axis from 0 to 100, for drawing."""

    low: float
    high: float
    value: float


def build_leaderboard(
    runs_root: Path,
    out: Path,
    *,
    title: str = "Leaderboard",
    samples: bool = True,
    picture_bytes: int = PICTURE_BYTES,
) -> LeaderboardResult:
    """Write ``index.html``, ``leaderboard.md``, ``leaderboard.csv`` and ``samples/*.html`` for all runs below a folder.

    Args:
        runs_root: searched for run folders at any depth.
        out: made if missing; files of the same names in it are replaced, pages of samples of runs that are gone are removed.
        title: heading of the page.
        samples: whether to write the pages of samples.
        picture_bytes: budget of the thumbnails of one page of samples.

    Raises:
        ResultError: ``runs_root`` is no folder, or holds no run.
    """
    runs = load_runs(runs_root)
    if not runs:
        raise ResultError(f"{runs_root}: no runs in this folder; a run writes run.json there (riddle eval task=pope model=nano)")
    board = arrange(runs)
    out.mkdir(parents=True, exist_ok=True)
    pages, unreadable = _write_pages(board, out, picture_bytes) if samples else ({}, {})
    rows = tuple(_records(board, runs_root))
    index, markdown, table = out / "index.html", out / "leaderboard.md", out / "leaderboard.csv"
    _write(markdown, as_markdown(board, title))
    _write_csv(table, rows)
    _write(index, _html(board, runs_root, title, pages, unreadable))
    left_out = (f"incomplete, no number: {plain(run.model)} on {plain(run.title)} ({run.folder})" for run in board.incomplete)
    broken = (*(f"cannot be read: {plain(run.broken)}" for run in board.broken), *_without_page(unreadable))
    paths = (index, markdown, table, *(out / page for page in pages.values()))
    return LeaderboardResult(paths=paths, rows=rows, left_out=tuple(left_out), broken=broken)


def _write_pages(board: Board, out: Path, picture_bytes: int) -> tuple[dict[Key, str], dict[Key, str]]:
    """Write a page a shown run; return the pages by run folder, and the reasons where there is none."""
    thumbnails = Thumbnails()
    pages: dict[Key, str] = {}
    unreadable: dict[Key, str] = {}
    for run in sorted(board.shown, key=lambda run: (run.task, run.data, str(run.folder))):
        page = f"samples/{page_name(run)}"
        try:
            write_samples(run, out / page, thumbnails, picture_bytes=picture_bytes, home="../index.html")
            pages[run_key(run)] = page
        except ResultError as error:
            (out / page).unlink(missing_ok=True)
            unreadable[run_key(run)] = str(error)
    _remove_stale(out / "samples", pages.values())
    return pages, unreadable


def _without_page(unreadable: Mapping[Key, str]) -> tuple[str, ...]:
    return tuple(f"samples cannot be shown: {plain(reason)}" for _, reason in sorted(unreadable.items()))


def _remove_stale(folder: Path, pages: Iterable[str]) -> None:
    """Remove pages of runs that are no longer shown; a file that is no page of ours stays."""
    kept = {Path(page).name for page in pages}
    for path in folder.glob("*__*__*__*.html"):
        with path.open("rb") as file:
            ours = MARK in file.read(1000)
        if path.name not in kept and ours:
            path.unlink()


def _html(board: Board, root: Path, title: str, pages: Mapping[Key, str], unreadable: Mapping[Key, str]) -> str:
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            board=board,
            title=title,
            pages=pages,
            unreadable=unreadable,
            whisker=whisker,
            run_key=run_key,
            folder=lambda run: _below(run.folder, root),
            without_root=lambda text: text.replace(f"{root}/", ""),
            newest=max((run.started for run in board.shown), default="")[:10],
            models=len({row.name for section in board.sections for row in section.rows if not row.reference}),
            style=asset("style.css"),
            script=asset("index.js"),
            policy=policy("index.js"),
        )
    )


def whisker(section: Section, column: Column, value: Value) -> Whisker | None:
    """Place a value and its interval on the column's axis; None for a value that is undefined."""
    start, end = section.scale(column)
    if math.isnan(value.value):
        return None

    def place(number: float | None) -> float:
        at = value.value if number is None else number
        return round(100 * min(1.0, max(0.0, (at - start) / (end - start))), 2)

    return Whisker(low=place(value.low), high=place(value.high), value=place(None))


def _below(folder: Path, root: Path) -> str:
    """Name a run folder without this machine's part of its path."""
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.name


def _records(board: Board, root: Path) -> Iterator[dict[str, Any]]:
    for section in board.sections:
        for row in section.rows:
            for column in section.columns:
                cell = section.cell(row, column)
                if cell is not None:
                    yield from (_record(cell.run, value, root) for value in cell.run.values)


def _record(run: Run, value: Value, root: Path) -> dict[str, Any]:
    about = {name: getattr(run, name) for name in ("model", "kind", "control", "task", "title", "data", "convention", "prompt")}
    counts = {name: getattr(run, name) for name in ("unparsed", "failed", "missing", "truncated")}
    origin = {name: getattr(run, name) for name in ("model_fingerprint", "data_fingerprint", "seed", "generation", "started")}
    numbers = {name: getattr(value, name) for name in ("unit", "value", "low", "high", "se", "n", "clusters", "method")}
    return {
        **about,
        "judge": run.judge,
        "version": run.version,
        "metric": value.name,
        "primary": "yes" if value.name == run.primary else "no",
        **numbers,
        "samples": run.n,
        "samples_in_data": run.data_n,
        **counts,
        "run": _below(run.folder, root),
        **origin,
    }


def _write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["model"])
        writer.writeheader()
        writer.writerows({name: _csv_cell(value) for name, value in row.items()} for row in rows)


def _csv_cell(value: object) -> object:
    """Keep a spreadsheet from reading a text as a formula."""
    if not isinstance(value, str):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
