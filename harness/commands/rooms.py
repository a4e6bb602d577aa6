"""The functions of other rooms that verbs call, by name: harness imports no benchmark, no model and no report."""

from __future__ import annotations

import importlib
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.schema import read

MINI: Final = "tasks.mini:write"
CONTROLS: Final = "tasks.mini.controls:keep"
LEVELS: Final = "tasks.mini.controls:levels"
CHANCE: Final = "models.chance.Chance"
CONSTANT: Final = "models.constant.Constant"
COMPOSE: Final = "models.sphinx_x.corpus.compose:compose"
LOOK: Final = "models.sphinx_x.corpus.look:look"
CONVERT: Final = "models.sphinx_x.official.convert:convert"
STUDY: Final = "reports.studies.build:build_study"
SERVE_RUNS: Final = "reports.serve:serve"
SERVE: Final = "models.served.app:serve"
LEADERBOARD: Final = "reports.leaderboard:build_leaderboard"
REPRODUCTIONS: Final = "reports.reproductions:write_reproductions"
COMPARE: Final = "reports.compared:compare_runs"

CORPORA: Final[Mapping[str, str]] = {
    "ocr": "models.sphinx_x.corpus.ocr.make:make_ocr",
    "marks": "models.sphinx_x.corpus.marks.make:make_marks",
}
"""What ``riddle data`` makes besides benchmarks, each by a function that takes its own settings and returns rows."""

GATES: Final[Mapping[str, str]] = {
    name: f"reports.gate.work:{made}"
    for name, made in {
        "check": "check_gate",
        "save": "save_baseline",
        "replay": "replay_gate",
        "first_look": "first_look",
        "look": "look_at",
        "simulate": "simulate_gate",
    }.items()
}
"""What ``riddle gate`` is made of."""

BENCHES: Final[Mapping[str, str]] = {
    "startup": "harness.bench.startup:bench_startup",
    "engine": "harness.bench.engine:bench_engine",
    "scale": "harness.bench.scale:bench_scale",
    "scoring": "harness.bench.scoring:bench_scoring",
    "video": "harness.bench.video:bench_video",
    "generate": "models.sphinx_x.bench.generate:bench_generate",
    "views": "models.sphinx_x.bench.views:bench_views",
    "routing": "models.sphinx_x.bench.routing:bench_routing",
    "train": "models.sphinx_x.train.bench:bench_train",
    "coverage": "reports.coverage:bench_coverage",
    "report": "reports.bench:bench_report",
}

ANATOMIES: Final[Mapping[str, str]] = {"models.sphinx_x.plugin": "models.sphinx_x.anatomy:card"}
"""Light functions that say what a model is made of from its settings, by the module of its class."""


def function(name: str) -> Callable[..., Any]:
    """Import the function that ``package.module:function`` names."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def call(made: Callable[..., Any], settings: Mapping[str, Any], group: str) -> Any:
    """Call a function that takes one ``config``, filled from ``settings``; ``group`` names them in messages.

    Raises:
        ConfigError: names every setting that is missing, unknown or ill-formed.
    """
    return made(read(typing.get_type_hints(made)["config"], settings, group))
