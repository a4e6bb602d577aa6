"""The page of reproductions: what riddle, the official scorer and the authors say of the same replies, side by side.

Not here: how cases are scored and matched (`harness.reproduce`).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.matching import Match, agree, digits
from harness.reproduce import Reproduced
from reports.markdown import escaped, table_line

SHOWN = 4
"""Decimals at most."""

INTRODUCTION = """\
Replies that others published, scored by `riddle reproduce` as any replies are, beside what the official scorer gives for exactly
these replies and what its authors printed. A number is *equal* if it is the official scorer's to the last digit that this has;
the 95 % interval says how far another draw of questions might move it.
"""


def write_reproductions(
    cases: Sequence[Reproduced], out: Path, *, title: str = "Reproductions", confidence: float = 0.95
) -> Path:
    """Write the page and return its path."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join([f"# {escaped(title)}", "", INTRODUCTION.replace("95", f"{confidence * 100:g}"), *_page(cases)])
    out.write_text(text.rstrip() + "\n", encoding="utf-8")
    return out


def _page(cases: Sequence[Reproduced]) -> Iterator[str]:
    head = ("benchmark", "model", "number", "metric (convention)", "n", "riddle", "interval", "official scorer", "published")
    yield table_line((*head, "difference"))
    yield table_line(("---", "---", "---", "---", *("---:",) * 6))
    for case in cases:
        yield from (_line(case, one) for one in case.matches if one.headline and one.ours is not None)
    if causes := list(_causes(cases)):
        yield from ("", "## Where numbers differ, and why", "", *causes)
    yield from ("", "## All numbers", "")
    yield from (_account(case) for case in cases)
    if lacking := list(_lacking(cases)):
        yield from ("", "## What could not be scored", "", *lacking)


def _line(case: Reproduced, one: Match) -> str:
    places = min(SHOWN, digits(one.expected))
    bounds = [one.low, one.high]
    interval = " to ".join(_number(bound, max(places, 1)) for bound in bounds) if all(map(_finite, bounds)) else ""
    scored = f"{one.task}, {one.metric} ({one.convention})"
    cells = (case.case.benchmark, case.case.model, one.path, scored, f"{one.n:,}", _number(one.ours, places))
    printed = "" if one.published is None else f"{one.published:.10g}"
    return table_line([*map(escaped, cells), interval, _number(one.expected, places), printed, _difference(one)])


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _difference(one: Match) -> str:
    """How far ours is from the official scorer's; ``none`` if they are equal to the digit."""
    return "none" if one.equal else f"{(one.ours or 0.0) - one.expected:+.4g}"


def _causes(cases: Sequence[Reproduced]) -> Iterator[str]:
    """A sentence for each cause of a difference from the official scorer, and for each printed number that is another."""
    for case in cases:
        label = f"**{escaped(case.case.benchmark)}, {escaped(case.case.model)}**"
        apart = [one for one in case.matches if one.ours is not None and not one.equal]
        for cause, count in Counter(one.cause for one in apart).items():
            named = ", ".join(one.path for one in apart if one.cause == cause)
            shown = named if count <= 4 else f"{count} numbers, {named.split(', ')[0]} among them"
            yield f"- {label}: {escaped(shown)} differ: {escaped(cause or 'the cause is not known')}."
        for one in case.matches:
            if one.headline and one.published is not None and not _as_printed(one.expected, one.published):
                why = _said(case.case.notes, one.published) or "the cause is not known"
                yield f"- {label}: {one.published:g} was printed, the scorer gives {one.expected:.6g}: {escaped(why)}"


def _as_printed(expected: float, published: float) -> bool:
    """Whether a number was printed rounded, perhaps in percent."""
    return any(agree(expected * by, float(published)) for by in (1, 100))


def _said(notes: Sequence[str], number: float) -> str:
    """The sentence of a case's notes that speaks of a number."""
    sentences = (one for note in notes for one in re.split(r"(?<=\.)\s+(?=[A-Z])", note))
    pattern = rf"(?<![\d.]){re.escape(f'{number:.10g}')}(?!\d|\.\d)"
    return next((one.strip() for one in sentences if re.search(pattern, one)), "")


def _account(case: Reproduced) -> str:
    """How many numbers are equal, and how the replies were joined."""
    equal = sum(one.equal for one in case.matches)
    matched = sum(one.ours is not None for one in case.matches)
    joined = "; ".join(
        f"{name}: {account['n']:,} replies ({account['layout']}), joined by {account['joined_by']}"
        for name, account in case.account.items()
    )
    counts = f"{equal} of {matched} numbers that riddle has too are equal, {len(case.matches) - matched} have no counterpart"
    return f"- **{escaped(case.case.benchmark)}, {escaped(case.case.model)}**: {counts if case.matches else 'not scored'}" + (
        f". {escaped(joined)}" if joined else ""
    )


def _lacking(cases: Sequence[Reproduced]) -> Iterator[str]:
    """Cases without numbers, conventions that could not be used, and expected numbers that no metric of ours is."""
    for case in cases:
        label = f"**{escaped(case.case.benchmark)}, {escaped(case.case.model)}**"
        if case.problem:
            yield f"- {label}: {escaped(_here(case, case.problem))}"
        if alone := [one for one in case.matches if one.ours is None]:
            named = ", ".join(f"{one.path} {one.expected:.6g}" for one in alone[:8])
            more = f" and {len(alone) - 8} more" if len(alone) > 8 else ""
            yield f"- {label}: no metric of riddle is {escaped(named)}{more}"


def _here(case: Reproduced, text: str) -> str:
    """A message without the place of the cases on this machine."""
    return text.replace(f"{case.case.root.resolve()}/", "").replace(f"{case.case.root}/", "")
