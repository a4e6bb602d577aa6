"""A comparison in words and numbers: as Markdown, and as one JSON value with the work done (`riddle compare`).

Not here: what is compared and how (`reports.compare`); the terminal (`harness.commands.compare`); the page
(`reports.compare_page`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from reports.compare import Compared, Comparison, Correction, How, compare
from reports.compare_page import write_page
from reports.effects import Effect, Flip
from reports.pages import write
from reports.visible import plain

MOST_FLIPS = 20
"""Flipped samples listed in Markdown, each way; all of them are in the JSON."""


def compare_runs(
    a: Sequence[str],
    b: Sequence[str],
    runs: Path,
    *,
    metric: str | None = None,
    convention: str | None = None,
    allow: Sequence[str] = (),
    correction: Correction = "holm",
    margin: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    leaderboard: Path | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Compare (`reports.compare.compare`), write it to ``out`` if that is given, and return all of it as JSON has it."""
    how = How(metric=metric, allow=tuple(allow), confidence=confidence, margin=margin, seed=seed, leaderboard=leaderboard)
    compared = compare(a, b, runs, convention=convention, correction=correction, how=how)
    file = None if out is None else _write(compared, out)
    record = dataclasses.asdict(compared)
    for one, found in zip(record["comparisons"], compared.comparisons, strict=True):
        one["differences"] = [str(difference) for difference in found.differences]
    return {"kind": "comparison", **record, "file": None if file is None else str(file)}


def _write(compared: Compared, out: Path) -> Path:
    """Write a Markdown file, or a page with Markdown beside it into a folder; return the file to open."""
    if out.suffix == ".md":
        out.parent.mkdir(parents=True, exist_ok=True)
        write(out, as_markdown(compared))
        return out
    page = write_page(compared, out)
    write(out / "compare.md", as_markdown(compared))
    return page


def as_markdown(compared: Compared) -> str:
    """Write a comparison for a pull request or a notebook."""
    return "\n".join(_lines(compared)) + "\n"


def _lines(compared: Compared) -> Iterator[str]:
    yield f"# {_text(compared.name_b)} against {_text(compared.name_a)}"
    yield f"\n**{compared.verdict}**\n"
    yield from (f"- {line}" for line in compared.says)
    yield "\n| benchmark | metric | baseline | candidate | difference | interval | p | adjusted | detectable | needed | |"
    yield "|---|---|--:|--:|--:|---|--:|--:|--:|--:|---|"
    yield from map(_row, compared.comparisons)
    if overall := compared.overall:
        interval = f"{_shown(overall.low, 'percent', True)} to {_shown(overall.high, 'percent', True)}"
        yield f"\nMean difference over the benchmarks in percent: {_shown(overall.value, 'percent', True)} ({interval}), "
        yield f"clustered by the media they share ({overall.clusters} clusters, {overall.joined} joined)."
    yield from (f"\nNot compared, {_text(task)}: {_text(reason)}" for task, reason in compared.refused)
    for side, names in ((compared.name_a, compared.only_a), (compared.name_b, compared.only_b)):
        if names:
            yield f"\nOnly of {_text(side)}: {', '.join(map(_text, names))}"
    for one in compared.comparisons:
        yield from _details(one)


def _row(one: Comparison) -> str:
    found = one.result if one.methods is None or one.methods.se != one.methods.se else one.methods
    cells = [
        _text(one.title),
        _text(one.metric),
        _shown(one.value_a, one.unit),
        _shown(one.value_b, one.unit),
        _shown(found.difference, one.unit, True),
        f"{_shown(found.low, one.unit, True)} to {_shown(found.high, one.unit, True)}",
        f"{one.p:.3g}",
        f"{one.p_adjusted:.3g}",
        _shown(one.result.mde, one.unit),
        f"{one.result.n_needed or '–'} ({one.result.n})",
        one.verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _details(one: Comparison) -> Iterator[str]:
    yield f"\n## {_text(one.title)}"
    yield f"\n{one.result.method}, {one.result.n} {one.counted}s in {one.result.clusters} clusters."
    yield from (f"\nNot alike: {_text(str(difference))}" for difference in one.differences)
    for side, absent in (("baseline", one.absent_a), ("candidate", one.absent_b)):
        if absent:
            yield f"\nAbsent from the {side}, counted as wrong: {len(absent)} ({', '.join(map(_text, absent[:5]))}, ...)"
    for name, flipped in (("right to wrong", one.lost), ("wrong to right", one.won)):
        if flipped:
            yield f"\n{len(flipped)} {name}: {', '.join(map(_flip, flipped[:MOST_FLIPS]))}" + (
                ", ..." * (len(flipped) > MOST_FLIPS)
            )
    if one.effects:
        yield "\n| category | | n | baseline | candidate | difference | adjusted p |\n|---|---|--:|--:|--:|--:|--:|"
        yield from (_effect(effect, one.unit) for effect in one.effects)


def _effect(effect: Effect, unit: str) -> str:
    scores = (_shown(score, unit) for score in (effect.score_a, effect.score_b))
    difference = _shown(effect.result.difference, unit, True)
    name = f"{_text(effect.group)} | {_text(effect.value)}"
    return f"| {name} | {effect.result.n} | {' | '.join(scores)} | {difference} | {effect.p_adjusted:.3g} |"


def _flip(flip: Flip) -> str:
    name = _text(flip.sample_id)
    return f"[{name}]({flip.page})" if flip.page else name


def _shown(value: float, unit: str, signed: bool = False) -> str:
    if value != value:
        return "–"
    return f"{100 * value if unit == 'percent' else value:{'+' if signed else ''}.2f}"


def _text(text: str) -> str:
    return plain(text).replace("|", "\\|").replace("\n", " ")
