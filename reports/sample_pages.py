"""Writes the pages of samples of a whole board: which page has which models beside it, and what cannot be read.

Not here: what stands on a page (`reports.samples`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ResultError
from reports.load import Run
from reports.pictures import Thumbnails
from reports.samples import Other, Pictured, page_name, write_samples
from reports.stored import score_columns
from reports.tables import Board, Row

Key = tuple[Path, str]
"""What names a run in a report: its folder and the convention it was scored by."""


def run_key(run: Run) -> Key:
    """Name a run."""
    return run.folder, run.convention


@dataclass(kw_only=True)
class Pages:
    """What was written: pages by run, the reasons where there is none, by section and model the pictures with their scores."""

    names: dict[Key, str] = field(default_factory=dict)
    unreadable: dict[Key, str] = field(default_factory=dict)
    pictured: dict[str, dict[Row, list[Pictured]]] = field(default_factory=dict)


def write_pages(board: Board, out: Path, baseline: Row | None, picture_bytes: int) -> Pages:
    """Write a page a shown run into ``out/samples``; the pictures of models (not of baselines or controls) are kept."""
    thumbnails, pages = Thumbnails(), Pages()
    for section, runs in _columns(board):
        others = _others(runs)
        for row, run in runs.items():
            page = page_path(run)
            try:
                pictured = _write(run, out / page, runs, others, baseline, thumbnails, picture_bytes)
            except ResultError as error:
                (out / page).unlink(missing_ok=True)
                pages.unreadable[run_key(run)] = str(error)
                continue
            pages.names[run_key(run)] = page
            if not row.reference:
                pages.pictured.setdefault(section, {}).setdefault(row, []).extend(pictured)
    return pages


def write_page(board: Board, page: str, out: Path, baseline: Row | None, picture_bytes: int) -> bool:
    """Write one page of `page_path` into ``out``; False if no shown run has it. Raises `ResultError` if it cannot be made."""
    for _, runs in _columns(board):
        for run in runs.values():
            if page_path(run) == page:
                _write(run, out / page, runs, _others(runs), baseline, Thumbnails(), picture_bytes)
                return True
    return False


def page_path(run: Run) -> str:
    """Where a run's page is in a report."""
    return f"samples/{page_name(run)}"


def _others(runs: Mapping[Row, Run]) -> Mapping[Key, Other]:
    return {run_key(run): Other(label=_label(row), page=page_name(run), verdicts=_verdicts(run)) for row, run in runs.items()}


def _write(
    run: Run,
    path: Path,
    runs: Mapping[Row, Run],
    others: Mapping[Key, Other],
    baseline: Row | None,
    thumbnails: Thumbnails,
    picture_bytes: int,
) -> list[Pictured]:
    beside = runs.get(baseline) if baseline is not None else None
    rest = [other for key, other in others.items() if key != run_key(run)]
    against = beside if beside is not run else None
    return write_samples(run, path, thumbnails, picture_bytes=picture_bytes, home="../index.html", beside=against, others=rest)


def _label(row: Row) -> str:
    return row.label if row.control == "none" else f"{row.label} ({row.control})"


def _columns(board: Board) -> Iterator[tuple[str, Mapping[Row, Run]]]:
    for section in board.sections:
        for column in section.columns:
            yield section.name, {row: cell.run for row in section.rows if (cell := section.cell(row, column)) is not None}


def _verdicts(run: Run) -> Mapping[str, str]:
    """By sample id, how a run did: ``r``, ``p`` or ``w``, ``-`` if not scored; nothing where its scores cannot be read."""
    try:
        columns = score_columns(run)
    except ResultError:
        return {}
    return dict(zip(columns.ids, map(_letter, _firsts(list(columns.scores.values()), len(columns.ids))), strict=True))


def _firsts(scores: Sequence[Sequence[float]], n: int) -> list[float]:
    """By sample, the first score that is a number; NaN where there is none."""
    return [next((column[place] for column in scores if column[place] == column[place]), math.nan) for place in range(n)]


def _letter(score: float) -> str:
    return "-" if math.isnan(score) else "r" if score >= 1 else "p" if score > 0 else "w"
