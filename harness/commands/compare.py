"""``riddle compare A B``: what two models, or two methods with several checkpoints each, differ in, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.commands.eval import number
from harness.commands.outcome import Outcome, Problem
from harness.commands.rooms import COMPARE, function
from harness.commands.tables import printable, table
from harness.config import CompareConfig
from harness.remote import is_url, local_runs

CONFIG = CompareConfig

LISTED = 8
"""Flipped samples and categories named on the terminal, each; ``out`` and ``output=json`` have all of them."""


def run(config: CompareConfig) -> Outcome:
    """Compare; a benchmark that cannot be compared is named and makes the outcome incomplete."""
    board = config.paths.leaderboard
    a, b = ([_local(word, config) for word in words] for words in (config.a, config.b))
    result: dict[str, Any] = function(COMPARE)(
        a, b, local_runs(config.runs, config.paths.remote), metric=config.metric, convention=config.convention,
        allow=config.allow, correction=config.correction, margin=config.margin, confidence=config.confidence, seed=config.seed,
        leaderboard=board if board.is_dir() else None, out=config.out,
    )  # fmt: skip
    return Outcome((result,), tuple(Problem("ResultError", reason, task) for task, reason in result["refused"]))


def _local(word: str, config: CompareConfig) -> str:
    """A word for one side; a URL in it becomes the folder to which its runs are fetched."""
    return str(local_runs(word, config.paths.remote)) if is_url(word) else word


def show(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the verdict, a line a benchmark, and for a single benchmark what flipped and where."""
    return "\n\n".join("\n".join(_lines(result)) for result in results)


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    made = result["comparisons"]
    yield printable(f"{result['name_b']} against {result['name_a']}: {result['verdict']}")
    yield ""
    head = [
        "benchmark",
        "metric",
        "baseline",
        "candidate",
        "difference",
        "p",
        "adjusted",
        "detectable",
        "n",
        "needed",
        "lost",
        "won",
        "",
    ]
    yield table(head, [_row(one) for one in made], right=head[2:4] + head[5:12])
    if overall := result["overall"]:
        mean = _between(overall, "value", "percent")
        yield f"mean difference over benchmarks in percent: {mean}, {overall['clusters']} clusters"
    yield ""
    yield from result["says"]
    for side in "ab":
        if result[f"only_{side}"]:
            yield printable(f"only of {result[f'name_{side}']}: {', '.join(result[f'only_{side}'])}")
    for one in made:
        yield from _notes(one)
    if len(made) == 1:
        yield from _inside(made[0])
    if result["file"]:
        yield f"written: {result['file']}"


def _row(one: Mapping[str, Any]) -> list[str]:
    found, unit = one["result"], one["unit"]
    methods = one["methods"]
    shown = methods if methods and methods["se"] == methods["se"] else found
    flips = [str(len(one[side])) if methods is None else "" for side in ("lost", "won")]
    values = [number(one[side], unit) for side in ("value_a", "value_b")]
    chances = [f"{one[name]:.3g}" for name in ("p", "p_adjusted")]
    needed = "" if found["n_needed"] is None else str(found["n_needed"])
    size = [number(found["mde"], unit), str(found["n"]), needed]
    return [one["title"], one["metric"], *values, _between(shown, "difference", unit), *chances, *size, *flips, one["verdict"]]


def _between(found: Mapping[str, Any], name: str, unit: str) -> str:
    value, low, high = (_signed(found[key], unit) for key in (name, "low", "high"))
    return f"{value} [{low}, {high}]"


def _signed(value: float | None, unit: str) -> str:
    return ("+" if value is not None and value > 0 else "") + number(value, unit)


def _notes(one: Mapping[str, Any]) -> Iterator[str]:
    """What else differs, and whose samples are absent."""
    for difference in one["differences"]:
        yield printable(f"{one['title']}: not alike: {difference}")
    for side, name in (("a", "baseline"), ("b", "candidate")):
        absent = one[f"absent_{side}"]
        if absent:
            yield printable(
                f"{one['title']}: {len(absent)} samples absent from the {name} count as wrong: {', '.join(absent[:LISTED])}"
            )


def _inside(one: Mapping[str, Any]) -> Iterator[str]:
    """Which samples flipped, and the categories that changed most."""
    yield f"{one['result']['method']}, {one['result']['n']} {one['counted']}s in {one['result']['clusters']} clusters"
    for name, flipped in (("right to wrong", one["lost"]), ("wrong to right", one["won"])):
        if flipped:
            yield f"\n{len(flipped)} {name}:"
            yield from (printable(f"  {flip['sample_id']}  {flip['page'] or ''}".rstrip()) for flip in flipped[:LISTED])
    effects = sorted(one["effects"], key=lambda effect: effect["p_adjusted"])[:LISTED]
    if effects:
        unit = one["unit"]
        rows = [
            [e["group"], e["value"], str(e["result"]["n"]), _between(e["result"], "difference", unit), f"{e['p_adjusted']:.3g}"]
            for e in effects
        ]
        yield "\n" + table(["group", "category", "n", "difference", "adjusted p"], rows, right=("n", "adjusted p"))
