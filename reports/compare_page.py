"""A comparison as one self-contained page: the differences drawn, and each flipped sample with both replies side by side.

The samples look as they do behind a leaderboard (`reports.entries`), and lead there where one was written. Not here: what is
compared (`reports.compare`), the same in words (`reports.compared`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from harness.errors import ResultError
from reports.aligned import finished
from reports.compare import Compared, Comparison
from reports.drawing import Figure, Point, dots, drawn
from reports.effects import Flip
from reports.entries import Drawing, Entry
from reports.load import Run, SampleRow, sample_rows
from reports.pages import environment, write
from reports.pictures import Shelf, Thumbnails
from reports.stored import Asked
from reports.visible import plain

SIDE_BY_SIDE = 40
"""Flipped samples of one benchmark, each way, whose replies are shown; all of them are named."""

PICTURE_BYTES = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Flipped:
    """A flipped sample by name: its place on this page and behind the leaderboard, empty where it is not shown there."""

    id: str
    here: str
    page: str


@dataclass(frozen=True, kw_only=True)
class Way:
    """The flips in one direction."""

    title: str
    flips: tuple[Flipped, ...]
    shown: Markup
    more: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """One benchmark on the page; ``absent`` says why no samples are shown although some flipped."""

    comparison: Comparison
    ways: tuple[Way, ...]
    absent: str = ""


def write_page(compared: Compared, folder: Path) -> Path:
    """Write ``compare.html`` into a folder, made if missing, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    shelf = Shelf(Thumbnails(), _pictures(compared), PICTURE_BYTES, folder)
    parts = [_part(number, one, shelf, folder) for number, one in enumerate(compared.comparisons)]
    template = environment().get_template("compare.html.j2")
    page = template.render(compared=compared, parts=parts, figures=list(_figures(compared)), pictures=shelf.stored)
    write(folder / "compare.html", page)
    return folder / "compare.html"


def _pictures(compared: Compared) -> int:
    """About how many pictures will stand on the page."""
    return sum(min(len(flips), SIDE_BY_SIDE) for one in compared.comparisons for flips in (one.lost, one.won))


def _part(number: int, one: Comparison, shelf: Shelf, folder: Path) -> Part:
    chosen = {flip.sample_id for flips in (one.lost, one.won) for flip in flips[:SIDE_BY_SIDE]}
    absent = ""
    drawn_by_id: Mapping[str, tuple[Entry, Markup]] = {}
    if chosen:
        try:
            drawn_by_id = dict(_articles(number, one, chosen, shelf))
        except ResultError as error:
            absent = plain(str(error), 300)
    ways = (("Right to wrong", one.lost), ("Wrong to right", one.won))
    return Part(comparison=one, ways=tuple(_way(title, flips, drawn_by_id, folder) for title, flips in ways), absent=absent)


def _way(title: str, flips: Sequence[Flip], articles: Mapping[str, tuple[Entry, Markup]], folder: Path) -> Way:
    shown = [flip for flip in flips[:SIDE_BY_SIDE] if flip.sample_id in articles]
    anchors = {flip.sample_id: f"#s-{articles[flip.sample_id][0].anchor}" for flip in shown}
    listed = tuple(
        Flipped(id=flip.sample_id, here=anchors.get(flip.sample_id, ""), page=_relative(flip.page, folder)) for flip in flips
    )
    bodies = Markup("").join(articles[flip.sample_id][1] for flip in shown)
    return Way(title=title, flips=listed, shown=bodies, more=len(flips) - len(shown))


def _relative(page: str | None, folder: Path) -> str:
    """The way from the page to one behind the leaderboard."""
    if page is None:
        return ""
    path, _, anchor = page.partition("#")
    return f"{quote(os.path.relpath(path, folder))}#{anchor}"


def _articles(number: int, one: Comparison, ids: set[str], shelf: Shelf) -> Iterator[tuple[str, tuple[Entry, Markup]]]:
    """Draw samples with the baseline's reply on the left and the candidate's on the right."""
    a, b = (finished(Path(folders[0]), one.convention) for folders in (one.folders_a, one.folders_b))
    beside = {row.sample_id: row for row in _rows(b, ids)}
    template = environment().get_template("sample.html.j2")
    with Asked(a) as asked:
        drawing = Drawing(run=a, asked=asked, shelf=shelf, facets={}, beside=b, others=())
        for row in _rows(a, ids):
            entry = drawing.entry(row, beside.get(row.sample_id))
            entry = replace(entry, anchor=f"{number}-{entry.anchor}")
            module = template.make_module({"run": a, "beside": b})
            yield row.sample_id, (entry, module.article(entry))  # type: ignore[attr-defined]  # a macro


def _rows(run: Run, ids: set[str]) -> Iterator[SampleRow]:
    return (row for row in sample_rows(run) if row.sample_id in ids)


def _figures(compared: Compared) -> Iterator[Figure]:
    """A forest of differences for each unit."""
    for unit in dict.fromkeys(one.unit for one in compared.comparisons):
        chosen = [one for one in compared.comparisons if one.unit == unit]
        points = [_point(place, one) for place, one in enumerate(chosen)]
        labels = [one.title for one in chosen]
        series = {"one benchmark": points}
        if compared.overall is not None and unit == "percent":
            mean = compared.overall
            sure = mean.low > 0 or mean.high < 0
            series["mean, higher is better"] = [_at(len(labels), 100, mean.value, mean.low, mean.high, sure)]
            labels.append("mean of these")
        yield _forest(compared, unit, labels, series)


def _forest(compared: Compared, unit: str, labels: Sequence[str], series: Mapping[str, Sequence[Point]]) -> Figure:
    share = f"{100 * compared.confidence:g} %"
    note = (
        f"Candidate − baseline on the same samples, with {share} intervals. A filled mark is significant ({compared.correction})."
    )
    axis = "points of a percentage" if unit == "percent" else unit
    return drawn(f"forest-{plain(unit, 20)}", "Differences", note, (7.2, 1.2 + 0.34 * len(labels)),
                 lambda axes: dots(axes, labels, series, zero=True, x_label=axis))  # fmt: skip


def _point(place: int, one: Comparison) -> Point:
    found = one.result if one.methods is None or one.methods.se != one.methods.se else one.methods
    scale = 100 if one.unit == "percent" else 1
    return _at(place, scale, found.difference, found.low, found.high, one.verdict in ("better", "worse"))


def _at(place: int, scale: float, value: float, low: float, high: float, sure: bool) -> Point:
    """A difference on its line of the drawing, without an interval where there is none."""
    ends = (None, None) if math.isnan(low) or math.isnan(high) else (scale * low, scale * high)
    return Point(x=scale * value, y=place, low=ends[0], high=ends[1], sure=sure)
