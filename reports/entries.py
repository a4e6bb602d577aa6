"""One sample as it is drawn: what was shown and asked, and for each model its reply, what was read from it, why it scored so."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports.answers import place_of
from reports.load import Run, SampleRow
from reports.overlay import Place, Places, agreement, is_region, places_of, region_text, regions_of
from reports.pages import FLAGS
from reports.pictures import Shelf, Shown
from reports.stored import Asked
from reports.visible import anchor, visible

VERDICTS = ("right", "partly", "wrong", "unscored")


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of a prompt as it is drawn: a text or a picture with places over it."""

    text: Markup | None = None
    picture: Shown | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one model made of a sample. ``why`` says in words where the score comes from."""

    verdict: str
    flags: tuple[str, ...]
    reply: Markup | None
    answer: Markup
    reason: Markup | None
    failed: Markup | None
    why: str
    scores: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A sample as it is drawn; ``beside`` is the answer of the model compared with, ``shown`` the filters that it passes."""

    id: Markup
    anchor: str
    shown: tuple[str, ...]
    facets: tuple[int, ...]
    others: str
    prompts: tuple[tuple[Piece, ...], ...]
    answer: Answer
    beside: Answer | None
    references: tuple[Markup, ...]
    groups: tuple[tuple[str, str], ...]

    @property
    def has_media(self) -> bool:
        """Whether anything was shown."""
        return any(piece.picture for prompt in self.prompts for piece in prompt)

    @property
    def has_clip(self) -> bool:
        """Whether a strip of frames stands among the pictures."""
        return any(piece.picture and piece.picture.clip for prompt in self.prompts for piece in prompt)


def first_score(row: SampleRow) -> float:
    """The first score that a sample has, 0 without any."""
    return next((value for value in row.scores.values() if not math.isnan(value)), 0.0)


def verdict(row: SampleRow) -> str:
    """``right``, ``partly`` or ``wrong`` by the first score that the sample has; ``unscored`` without any."""
    if all(math.isnan(value) for value in row.scores.values()):
        return "unscored"
    score = first_score(row)
    return "right" if score >= 1 else "partly" if score > 0 else "wrong"


def flags_of(row: SampleRow) -> tuple[str, ...]:
    """Which of `FLAGS` hold for a sample."""
    held = (row.reason is not None, row.failed is not None, row.missing, row.truncated)
    return tuple(name for name, holds in zip(FLAGS, held, strict=True) if holds)


def passes(row: SampleRow, beside: SampleRow | None) -> tuple[str, ...]:
    """The filters that a sample passes: its verdict, its flags, and against another model ``flipped``, ``gained`` or ``lost``."""
    own = (verdict(row), *flags_of(row))
    if beside is None or verdict(beside) == verdict(row):
        return own
    return (*own, "flipped", "gained" if first_score(row) > first_score(beside) else "lost")


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What all samples of a page share while they are drawn."""

    run: Run
    asked: Asked
    shelf: Shelf
    facets: Mapping[tuple[str, str], int]
    beside: Run | None
    others: Sequence[Mapping[str, str]]

    def entry(self, row: SampleRow, other: SampleRow | None) -> Entry:
        """Draw one sample, with the other model's row if there is one."""
        places = places_of(row, _frame(self.run), other, _frame(self.beside) if self.beside else "")
        asked = self.asked.parts(row.keys)
        prompts = tuple(tuple(_pieces(parts, self.shelf, places)) for parts in asked)
        prompt = "\n".join(str(part["text"]) for parts in asked for part in parts if "text" in part)
        drawn = [place for prompt in prompts for piece in prompt for place in piece.places]
        return Entry(
            id=visible(row.sample_id, 200),
            anchor=anchor(row.sample_id),
            shown=passes(row, other),
            facets=tuple(self.facets[group] for group in row.groups.items() if group in self.facets),
            others="".join(one.get(row.sample_id, "-") for one in self.others),
            prompts=prompts,
            answer=_answer(row, drawn, "prediction", prompt),
            beside=None if other is None else _answer(other, drawn, "beside", prompt),
            references=tuple(_references(row)),
            groups=tuple((name, value) for name, value in row.groups.items() if value),
        )


def _frame(run: Run) -> str:
    return run.frames.get(run.convention, "")


def _references(row: SampleRow) -> Iterator[Markup]:
    """The acceptable answers; regions are all to be found, so they stand together."""
    regions = regions_of(row.references)
    texts = ["\n".join(map(region_text, regions))] if regions else row.references
    return (visible(text, 2000 if regions else 500) for text in texts)


def _answer(row: SampleRow, places: Sequence[Place], kind: str, prompt: str) -> Answer:
    return Answer(
        verdict=verdict(row),
        flags=flags_of(row),
        reply=None if row.reply is None else visible(row.reply, mark=place_of(row.prediction, row.reply, prompt)),
        answer=visible(_as_text(row.prediction), 500),
        reason=None if row.reason is None else visible(row.reason, 500),
        failed=None if row.failed is None else visible(row.failed, 500),
        why=_why(row, places, kind),
        scores=tuple((name, f"{value:.4g}") for name, value in row.scores.items() if not math.isnan(value)),
    )


def _why(row: SampleRow, places: Sequence[Place], kind: str) -> str:
    """Where a score comes from, in words, as far as the row tells it."""
    if row.failed is not None or row.missing:
        return "no reply to score; it stays in the number"
    if all(math.isnan(value) for value in row.scores.values()):
        return "not scored: it needs a judge"
    if row.reason is not None:
        return "no answer could be read from the reply"
    if where := agreement(places, kind):
        return where
    same = _as_text(row.prediction).strip().casefold() in {reference.strip().casefold() for reference in row.references}
    if verdict(row) == "wrong":
        return "the answer equals a reference, yet the scorer gives nothing" if same else "the answer is not the reference"
    return "the answer is the reference" if same else "the scorer accepts the answer" if verdict(row) == "right" else "in part"


def _as_text(answer: Any) -> str:
    if isinstance(answer, list) and answer and all(map(is_region, answer)):
        return "\n".join(map(region_text, answer))
    return answer if isinstance(answer, str) else "" if answer is None else json.dumps(answer, ensure_ascii=False)


def _pieces(parts: Sequence[Mapping[str, Any]], shelf: Shelf, places: Places) -> Iterator[Piece]:
    for part in parts:
        if "text" in part:
            yield Piece(text=visible(str(part["text"])))
        else:
            shown = shelf.put(part)
            yield Piece(picture=shown, places=places(shown.width, shown.height) if shown.name and not shown.clip else ())
