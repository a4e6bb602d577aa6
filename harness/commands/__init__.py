"""The verbs of ``riddle``, one module each, and what they share: overrides, outcomes, plain tables.

A verb's module has ``CONFIG`` (its dataclass), ``run(config) -> Outcome`` and ``show(results) -> str``. This page only lists
them, so that help can be printed without importing any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does, an example, and the setting that a first word without ``=`` stands for."""

    summary: str
    example: str
    positional: str | None = None


VERBS: Mapping[str, Verb] = {
    "eval": Verb("ask a model the questions of benchmarks and score its replies", "riddle eval model=nano task=pope limit=20"),
    "train": Verb("train a variant of the model", "riddle train model=nano"),
    "score": Verb("score replies made elsewhere", "riddle score task=docvqa data=val.json predictions=replies.jsonl"),
    "report": Verb("write the leaderboard of all finished runs", "riddle report runs=runs"),
    "data": Verb("draw the mini versions of the benchmarks", "riddle data mini n=100", positional="what"),
    "bench": Verb("measure riddle itself", "riddle bench startup", positional="bench"),
    "ls": Verb("list tasks, models, suites, or show one of them", "riddle ls task pope"),
}
