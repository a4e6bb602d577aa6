"""Training conversations from the mini world: which pictures, which questions, in which proportion.

``converse`` turns any world of the training split into turns; a `Mixture` says how often each kind of picture and each family
is drawn at a moment of training. Everything follows from one seed and a running number, so a resumed run goes on with the
same data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.world import Chart, Clip, Digits, Page, Scene, Sign, Table, World, draw
from models.sphinx_x.corpus.clips import CLIP_FAMILIES
from models.sphinx_x.corpus.printed import CHART_FAMILIES, DIGIT_FAMILIES, PAGE_FAMILIES, SIGN_FAMILIES, TABLE_FAMILIES
from models.sphinx_x.corpus.scenes import SCENE_FAMILIES
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


def with_motley(mixture: Mixture, share: float) -> Mixture:
    """The mixture with this share of its scenes replaced by motley ones."""
    if not share:
        return mixture
    scenes = mixture.kinds["scene"]
    return replace(mixture, kinds={**mixture.kinds, "scene": (1 - share) * scenes, "motley": share * scenes})


_KINDS = {"scene": 0.43, "page": 0.17, "chart": 0.13, "digits": 0.10, "sign": 0.08, "table": 0.03, "clip": 0.06}
_NAMES = sorted({name for families in FAMILIES.values() for name in families})
EARLY = Mixture(kinds=_KINDS, families={name: 3.0 if name in LONG else 0.2 if is_closed(name) else 1.0 for name in _NAMES})
_LATE = {
    # scenes
    **{"caption": 4, "list": 3, "what_at": 1, "where": 5, "grounding": 14, "colour_of": 3, "shape_of": 3, "size_of": 1},
    **{"count_all": 2, "count_some": 3, "relation": 6, "exists": 24, "colour_yes_no": 6, "shape_yes_no": 1, "size_yes_no": 0.5},
    **{"count_yes_no": 14, "side_yes_no": 5, "relation_yes_no": 24},
    **{"choice_colour": 3, "choice_shape": 3, "choice_place": 7, "choice_which": 2, "letter_form": 1},
    # counts of scenes and clips, clips
    **{"choice_count": 4, "motion": 2, "moving": 1, "motion_yes_no": 1, "choice_motion": 4, "choice_moving": 2},
    **{"moving_attribute": 2, "clip_count": 1},
    # what is read
    **{"letter_where": 1, "letter_after": 1, "read_word": 2, "letter_at": 0.5, "word_yes_no": 12, "choice_word": 6},
    **{"read_page": 1, "field_names": 0.3, "field": 16, "line": 0.5, "field_line": 2, "line_number": 1, "field_of": 1},
    **{"title": 0.3, "field_yes_no": 1.5, "choice_field": 1},
    **{"read_chart": 0.7, "bar": 6, "bar_line": 1.5, "bar_colour": 3, "bars": 0.5, "extreme": 4, "arithmetic": 0.7},
    **{"bar_yes_no": 1, "choice_bar": 7, "read_table": 1, "row_line": 1, "cell": 6, "choice_cell": 1},
    **{"digits": 4, "addends": 3, "digits_yes_no": 8, "choice_digits": 1},
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
