"""Writes the leaderboard: one self-contained HTML file, provenance, a page of samples behind each number, and the other formats.

A function of finished runs only: the same runs give the same bytes, and nothing here knows a benchmark or a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ResultError
from harness.names import suggestion
from reports.board import view_board
from reports.drawing import Figure
from reports.figures import draw_figures
from reports.formats import FORMATS, LABELS, Content, check_formats, write_formats
from reports.load import load_runs
from reports.origin import write_provenance
from reports.pages import FLAGS, below, environment, write
from reports.records import records
from reports.reference import paper, published_tables
from reports.sample_pages import Pages, run_key, write_pages
from reports.samples import MARK
from reports.tables import Board, Row, arrange
from reports.visible import plain

PICTURE_BYTES = 4_000_000
"""Budget of the thumbnails of one page of samples."""


@dataclass(frozen=True, kw_only=True)
class LeaderboardResult:
    """What was written, the board's records (`reports.records`), and what could not be shown as a number, in words.

    Attributes:
        paths: all files, the one to open first.
        left_out: runs that are not finished, which a report may meet at any time.
        broken: runs, or their samples, that cannot be read, so that the report lacks what it should have.
    """

    paths: tuple[Path, ...]
    rows: Sequence[Mapping[str, Any]]
    left_out: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def index(self) -> Path:
        """The page to open."""
        return self.paths[0]


def build_leaderboard(
    runs_root: Path,
    out: Path,
    *,
    title: str = "Leaderboard",
    samples: bool = True,
    figures: bool = True,
    baseline: str | None = None,
    picture_bytes: int = PICTURE_BYTES,
    formats: Sequence[str] = FORMATS,
) -> LeaderboardResult:
    """Write a board of all runs below a folder: ``index.html`` with ``provenance.html`` and ``samples/``, and other formats.

    Args:
        runs_root: searched for run folders at any depth.
        out: made if missing; files of the same names in it are replaced, pages of samples of runs that are gone are removed.
        title: heading of the page.
        samples: whether to write the pages of samples.
        figures: whether to draw figures.
        baseline: a row that the others are compared with from the start, also sample by sample.
        picture_bytes: budget of the thumbnails of one page of samples.
        formats: of `reports.formats.FORMATS`; pages of samples and figures belong to ``html``.

    Raises:
        ResultError: ``runs_root`` is no folder, holds no run, no row is called ``baseline``, or a format is unknown.
    """
    check_formats(formats)
    runs = load_runs(runs_root)
    if not runs:
        raise ResultError(f"{runs_root}: no runs in this folder; a run writes run.json there (riddle eval task=pope model=nano)")
    board = arrange(runs)
    chosen = find_baseline(board, baseline)
    view = view_board(board)
    out.mkdir(parents=True, exist_ok=True)
    content = Content(board=board, view=view, records=tuple(records(board, runs_root)), root=runs_root, title=title)
    written = write_formats(out, content, formats)
    pages = write_pages(board, out, chosen, picture_bytes) if samples and "html" in formats else Pages()
    if "html" in formats:
        if samples:
            _remove_stale(out / "samples", pages.names.values())
        written = _write_html(out, content, pages, chosen, written, figures)
    left_out = (f"incomplete, no number: {plain(run.model)} on {plain(run.title)} ({run.folder})" for run in board.incomplete)
    unseen = (f"samples cannot be shown: {plain(reason)}" for _, reason in sorted(pages.unreadable.items()))
    broken = (*(f"cannot be read: {plain(run.broken)}" for run in board.broken), *unseen)
    return LeaderboardResult(paths=tuple(written), rows=content.records, left_out=tuple(left_out), broken=broken)


def _write_html(
    out: Path, content: Content, pages: Pages, baseline: Row | None, others: Sequence[Path], figures: bool
) -> list[Path]:
    """Write the board and the page of provenance; return all files, the board first."""
    index, origin = out / "index.html", out / "provenance.html"
    drawings = draw_figures(content.view, baseline, pages.pictured) if figures else []
    write_provenance(origin, content.board.shown, content.root, content.title)
    write(index, board_page(content, pages, drawings, baseline, [path.name for path in others]))
    return [index, *others, origin, *(out / page for page in pages.names.values())]


def find_baseline(board: Board, name: str | None) -> Row | None:
    """Find the row that others are compared with. Raises `ResultError` naming those nearest to ``name``."""
    if name is None:
        return None
    rows = {
        row.label if row.control == "none" else f"{row.label}:{row.control}": row for one in board.sections for row in one.rows
    }
    if name not in rows:
        raise ResultError(f"baseline={name}: no row has this name{suggestion(name, list(rows))}")
    return rows[name]


def _remove_stale(folder: Path, pages: Iterable[str]) -> None:
    """Remove pages of runs that are no longer shown; a file that is no page of ours stays."""
    kept = {Path(page).name for page in pages}
    for path in folder.glob("*__*__*__*.html"):
        with path.open("rb") as file:
            ours = MARK in file.read(1000)
        if path.name not in kept and ours:
            path.unlink()


def board_page(
    content: Content, pages: Pages, figures: Sequence[Figure], baseline: Row | None, files: Sequence[str], live: object = None
) -> str:
    """Return the page of the board; ``files`` are its other formats beside it, ``live`` is what a server knows to be running."""
    view, board, root = content.view, content.board, content.root
    return (
        environment()
        .get_template("index.html.j2")
        .render(
            view=view,
            board=board,
            title=content.title,
            files=[(name, LABELS[name]) for name in files],
            live=live,
            pages=pages.names,
            unreadable=pages.unreadable,
            figures=figures,
            baseline=baseline,
            with_metrics=view.with_metrics,
            metrics_of=lambda run: {value.name: value for value in run.values},
            run_key=run_key,
            flag_names=FLAGS,
            published_tables=published_tables(),
            paper=paper(),
            folder=lambda run: below(run.folder, root),
            without_root=lambda text: text.replace(f"{root}/", ""),
            newest=max((run.started for run in board.shown), default="")[:10],
            models=len({row.name for section in board.sections for row in section.rows if not row.reference}),
        )
    )
