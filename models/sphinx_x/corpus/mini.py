"""Training conversations from the mini world: which pictures, which questions, in which proportion.

``converse`` turns any world of the training split into turns; a `Mixture` says how often each kind of picture and each family
is drawn at a moment of training. Everything follows from one seed and a running number, so a resumed run goes on with the
same data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.world import Chart, Clip, Digits, Page, Scene, Sign, Table, World, draw
from models.sphinx_x.corpus.printed import CHART_FAMILIES, DIGIT_FAMILIES, PAGE_FAMILIES, SIGN_FAMILIES, TABLE_FAMILIES
from models.sphinx_x.corpus.scenes import CLIP_FAMILIES, SCENE_FAMILIES
from models.sphinx_x.corpus.turns import Turn

Maker = Callable[[Any, random.Random], Turn | None]
"""Makes one turn about a picture, or None where the picture does not allow the question."""

FAMILIES: Mapping[type[World], Mapping[str, Maker]] = {
    Scene: SCENE_FAMILIES,
    Clip: CLIP_FAMILIES,
    Sign: SIGN_FAMILIES,
    Page: PAGE_FAMILIES,
    Chart: CHART_FAMILIES,
    Table: TABLE_FAMILIES,
    Digits: DIGIT_FAMILIES,
}
LONG = frozenset(
    {
        "caption",
        "list",
        "read_page",
        "read_chart",
        "read_table",
        "addends",
        "line",
        "field_names",
        "field_line",
        "bar_line",
        "row_line",
    }
)
"""Families whose answers tell everything: the densest teachers, so they come first."""


def is_closed(family: str) -> bool:
    """Whether the answer is a yes, a no or a letter."""
    return family.endswith("yes_no") or family.startswith("choice_") or family in ("exists", "letter_form")


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How often what is drawn: weights of kinds of pictures, and of families within their kind (1 where not named)."""

    kinds: Mapping[str, float]
    families: Mapping[str, float]

    def weight(self, family: str) -> float:
        """Weight of a family among those of its kind of picture."""
        return self.families.get(family, 1.0)


def blend(early: Mixture, late: Mixture, share: float) -> Mixture:
    """A mixture ``share`` of the way from one to another, with linear weights."""
    share = min(max(share, 0.0), 1.0)
    kinds = {k: (1 - share) * early.kinds.get(k, 0.0) + share * late.kinds.get(k, 0.0) for k in {**early.kinds, **late.kinds}}
    names = {name for families in FAMILIES.values() for name in families}
    return Mixture(kinds=kinds, families={n: (1 - share) * early.weight(n) + share * late.weight(n) for n in names})


_KINDS = {"scene": 0.35, "page": 0.25, "chart": 0.14, "digits": 0.11, "sign": 0.05, "table": 0.04, "clip": 0.06}
_NAMES = sorted({name for families in FAMILIES.values() for name in families})
EARLY = Mixture(kinds=_KINDS, families={name: 3.0 if name in LONG else 0.1 if is_closed(name) else 1.0 for name in _NAMES})
_RARER = (
    *("size_yes_no", "shape_yes_no", "letter_at", "bar_yes_no", "field_yes_no", "motion_yes_no", "bars", "title", "field_names"),
    *("read_page", "line", "read_chart", "read_table", "what_at", "letter_form", "list", "size_of"),
)
_LATE = {
    **dict.fromkeys(_NAMES, 1.0),
    **dict.fromkeys(_RARER, 0.4),
    "grounding": 4.0,
    "exists": 5.0,
    "where": 2.0,
    "relation": 2.0,
    "relation_yes_no": 4.0,
    "choice_place": 2.0,
    "count_yes_no": 2.0,
    "side_yes_no": 1.5,
    "field": 8.0,
    "field_of": 3.0,
    "letter_where": 5.0,
    "letter_after": 5.0,
    "field_line": 3.0,
    "line_number": 2.0,
    "read_word": 1.5,
    "word_yes_no": 3.0,
    "choice_word": 1.5,
    "bar": 5.0,
    "bar_line": 3.0,
    "bar_colour": 3.0,
    "extreme": 3.0,
    "row_line": 2.0,
    "cell": 4.0,
    "digits": 4.0,
    "digits_yes_no": 2.0,
    "addends": 2.0,
    "motion": 1.5,
    "choice_motion": 2.0,
}
LATE = Mixture(kinds=_KINDS, families=_LATE)
"""Long and open answers first; closed ones, boxes and what benchmarks ask most later."""


def pick_kind(mixture: Mixture, rng: random.Random) -> str:
    """One kind of picture."""
    kinds = sorted(mixture.kinds)
    return rng.choices(kinds, [mixture.kinds[kind] for kind in kinds])[0]


def draw_training_world(kind: str, number: int, seed: int) -> World:
    """World ``number`` of the stream of pictures that belongs to ``seed``, from the training split."""
    return draw(kind, seed * 1_000_000_000 + number, "train")


def converse(world: World, rng: random.Random, mixture: Mixture, turns: int) -> list[Turn]:
    """Up to ``turns`` different questions with their answers about one picture of the training split."""
    makers = FAMILIES[type(world)]
    names = list(makers)
    weights = [mixture.weight(name) for name in names]
    found: dict[str, Turn] = {}
    for name in rng.choices(names, weights, k=turns):
        turn = makers[name](world, rng)
        if turn is not None:
            found.setdefault(turn.question, turn)
    return list(found.values())


def texts(turns: Sequence[Turn]) -> str:
    """Everything said, as a tokenizer is trained on it."""
    return "\n".join(f" {turn.question}\n {turn.answer}" for turn in turns)
