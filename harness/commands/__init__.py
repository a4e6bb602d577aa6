"""The verbs of ``riddle``, one module each, and what they share: overrides, outcomes, plain tables.

A verb's module has ``CONFIG`` (its dataclass), ``run(config) -> Outcome`` and ``show(results) -> str``. This page only lists
them, so that help can be printed without importing any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does, an example, and what its words may stand for.

    Attributes:
        positional: the setting that a first word without ``=`` gives (``riddle data mini`` is ``what=mini``), or several.
        groups: configuration groups, or settings, that have another name here (``riddle train model=nano`` chooses from
            ``conf/train``).
    """

    summary: str
    example: str
    positional: str | tuple[str, ...] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


CONVERT_WORDS: Mapping[str, str] = {"from": "source", "to": "target"}
"""``from`` is no name that a field of a Python class can have."""

VERBS: Mapping[str, Verb] = {
    "eval": Verb("ask a model the questions of benchmarks and score its replies", "riddle eval model=nano task=pope limit=20"),
    "train": Verb("train a variant of the model", "riddle train model=nano", groups={"model": "train", "data": "train/data"}),
    "score": Verb("score replies made elsewhere", "riddle score task=docvqa data=val.json predictions=replies.jsonl"),
    "reproduce": Verb(
        "score published replies, and compare with the official scorers", "riddle reproduce cases=cases out=page.md", "cases"
    ),
    "report": Verb("write the leaderboard of all finished runs", "riddle report runs=runs"),
    "serve": Verb("show the leaderboard in a browser while runs go on", "riddle serve runs=runs port=8080"),
    "compare": Verb("say what two models differ in, and how sure that is", "riddle compare nano nano_moe", ("a", "b")),
    "gate": Verb("block a checkpoint that got worse", "riddle gate policy=gate.yaml candidate=runs", positional="what"),
    "study": Verb("say what several finished runs say together", "riddle study routing runs=study_runs", "study"),
    "data": Verb("fetch benchmarks, draw mini ones, make corpora", "riddle data fetch task=textvqa", "what", CONVERT_WORDS),
    "controls": Verb(
        "measure what mini benchmarks give without their pictures", "riddle controls model=nano suite=mini mini.n=400"
    ),
    "serve-model": Verb("answer OpenAI's chat protocol with a model", "riddle serve-model model=nano port=8000"),
    "bench": Verb("measure riddle itself", "riddle bench startup", positional="bench"),
    "ls": Verb("list tasks, models, suites, or show one of them", "riddle ls task pope"),
}


def module_of(verb: str) -> str:
    """Return the module of a verb, in whose name a dash of the verb is an underscore."""
    return f"harness.commands.{verb.replace('-', '_')}"
