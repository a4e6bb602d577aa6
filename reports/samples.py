"""Writes the page behind a number: every sample with what was shown, asked, replied, read from it, and given for it.

One HTML file a run, without network or further files; with another run beside it, both replies stand next to one another. All
samples stand in it as finished HTML, those beyond the first page inside a ``<template>``, which a browser parses but neither lays
out nor paints; the script only moves articles in and out. So there is one way in which a sample is drawn, and no data in scripts.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from reports.entries import VERDICTS, Drawing, Entry, first_score, passes
from reports.load import Run, SampleRow, sample_rows
from reports.origin import origin_anchor
from reports.pages import FLAGS, environment
from reports.pictures import Shelf, Thumbnails
from reports.stored import Asked, media_name
from reports.visible import anchor

PAGE = 40
"""Samples on one page."""

FACETS = 60
"""A group with more values than this is no filter."""

MARK = b'<meta name="generator" content="riddle samples">'
"""Stands in the head of every page, so that a later report knows a page as one of its own."""


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another run of the same benchmark: its label, its page, and by sample id ``r``, ``p`` or ``w`` (right, partly, wrong)."""

    label: str
    page: str
    verdicts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """The size in pixels of the one picture of a sample, and the sample's score."""

    width: int
    height: int
    score: float


@dataclass(kw_only=True)
class _Survey:
    """What a page must know before its first sample: counts, how many pictures there are, which groups make filters."""

    counts: Counter[str] = field(default_factory=Counter)
    media: set[str] = field(default_factory=set)
    groups: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    prompts: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def facets(self) -> dict[tuple[str, str], int]:
        """The filters by group, numbered: every value of groups that have a few."""
        kept = [(name, values) for name, values in self.groups.items() if 1 < len([value for value in values if value]) <= FACETS]
        pairs = [(name, value) for name, values in kept for value in sorted(values) if value]
        return {pair: number for number, pair in enumerate(pairs)}


class _Beside:
    """The rows of another run, taken out by sample id; in the same order they are never held in memory."""

    def __init__(self, run: Run | None) -> None:
        self._rows = iter(sample_rows(run)) if run is not None else iter(())
        self._waiting: dict[str, SampleRow] = {}

    def take(self, sample_id: str) -> SampleRow | None:
        """Return the other run's row of a sample, None if it has none."""
        if sample_id in self._waiting:
            return self._waiting.pop(sample_id)
        for row in self._rows:
            if row.sample_id == sample_id:
                return row
            self._waiting[row.sample_id] = row
        return None


def page_name(run: Run) -> str:
    """The name of a run's page, which stays the same as long as the run does."""
    names = (run.model, f"{run.task}@{run.data}", run.folder.name[:24], run.convention)
    return "__".join(map(_short, names)) + ".html"


def _short(name: str) -> str:
    """A name that keeps a file name under the 255 bytes that file systems allow, still distinct for distinct input."""
    whole = anchor(name)
    digest = hashlib.blake2b(name.encode(errors="replace"), digest_size=6).hexdigest()
    return whole if len(whole) <= 60 else f"{whole[:44]}~{digest}"


def write_samples(
    run: Run,
    path: Path,
    thumbnails: Thumbnails,
    *,
    picture_bytes: int,
    home: str,
    beside: Run | None = None,
    others: Sequence[Other] = (),
) -> list[Pictured]:
    """Write the page of a complete run's samples; return the pictures' sizes with the scores, for figures.

    Args:
        run: the run.
        path: the page; its folder is made if missing.
        thumbnails: shared between pages.
        picture_bytes: budget of all thumbnails together.
        home: link to the board; empty for a page that stands alone.
        beside: another complete run on the same benchmark, whose replies stand beside those of ``run``.
        others: how further models did, shown as marks that lead to their pages.

    Raises:
        ResultError: ``scores.parquet`` is missing or does not fit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Asked(run) as asked:
        survey = _survey(run, beside, asked)
        facets = survey.facets()
        shelf = Shelf(thumbnails, len(survey.media), picture_bytes, path.parent)
        verdicts = [other.verdicts for other in others]
        drawing = Drawing(run=run, asked=asked, shelf=shelf, facets=facets, beside=beside, others=verdicts)
        pictured: list[Pictured] = []
        entries = _entries(drawing, pictured)
        template = environment().get_template("samples.html.j2")
        stream = template.stream(
            run=run,
            beside=beside,
            others=others,
            first=islice(entries, PAGE),
            rest=entries,
            pictures=shelf.stored,
            counts=survey.counts,
            facets=[(name, value, number, survey.groups[name][value]) for (name, value), number in facets.items()],
            filters=(*VERDICTS, *FLAGS, "flipped", "gained", "lost"),
            total=sum(survey.counts[name] for name in VERDICTS),
            prompt_digest=survey.prompts.hexdigest(),
            page=PAGE,
            home=home,
            origin=f"../provenance.html#{origin_anchor(run)}" if home else "",
        )
        stream.enable_buffering(64)
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(stream)
    return pictured


def _survey(run: Run, beside: Run | None, asked: Asked) -> _Survey:
    survey, other = _Survey(), _Beside(beside)
    for row in sample_rows(run):
        survey.counts.update(passes(row, other.take(row.sample_id)))
        for name, value in row.groups.items():
            if len(survey.groups[name]) <= FACETS + 1:
                survey.groups[name][value] += 1
        for part in (part for parts in asked.parts(row.keys) for part in parts):
            if "text" in part:
                survey.prompts.update(json.dumps(part["text"]).encode())
            else:
                survey.media.add(media_name(part))
    return survey


def _entries(drawing: Drawing, pictured: list[Pictured]) -> Iterator[Entry]:
    """Draw the samples in order, and note the size of a sample's picture where it has just one."""
    other = _Beside(drawing.beside)
    for row in sample_rows(drawing.run):
        entry = drawing.entry(row, other.take(row.sample_id))
        shown = [piece.picture for prompt in entry.prompts for piece in prompt if piece.picture]
        if len(shown) == 1 and shown[0].width and not shown[0].clip:
            pictured.append(Pictured(width=shown[0].width, height=shown[0].height, score=first_score(row)))
        yield entry
