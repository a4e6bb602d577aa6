"""Two models, or two methods with several checkpoints each, compared benchmark by benchmark, and the verdict over all of them.

Values only, for any page: differences with clustered intervals and p, what flipped, by category, what could have been detected.
Not here: how anything is computed (`reports.paired`, `reports.crossed`, `reports.composite`), which runs are meant
(`reports.sides`), and words on a terminal (`harness.commands.compare`, `reports.compared_text`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import ResultError
from harness.names import unknown
from reports.aligned import Aligned, align
from reports.comparable import Difference, check_allowed, check_comparable
from reports.composite import Composite, Part, composite, media_of
from reports.crossed import Crossed, crossed
from reports.effects import Effect, Flip, effects, flips
from reports.paired import Paired, benjamini_hochberg, holm, paired
from reports.samples import page_name
from reports.sides import Match, match
from reports.visible import anchor

if TYPE_CHECKING:
    from reports.paired import Floats, Ints

Correction = Literal["holm", "bh"]
Verdict = Literal["better", "worse", "no difference shown", "not compared"]

CORRECTIONS: Mapping[str, Callable[[Sequence[float]], list[float]]] = {"holm": holm, "bh": benjamini_hochberg}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One benchmark. Numbers are in the metric's own unit (``percent``: fractions).

    Attributes:
        value_a, value_b: means over the checkpoints of a side.
        result: of the sides' means, on the same samples.
        methods: over training seeds too, where a side has several checkpoints; its p counts then.
        p: what the verdict is about; p_adjusted: over all benchmarks.
        lost, won: units right in the baseline only, and in the candidate only; empty with several checkpoints a side.
        differences: what else is not alike in the two runs, and was allowed.
        absent_a, absent_b: samples only the other side has; silent: failed or without reply. All are wrong there.
    """

    task: str
    title: str
    data: str
    convention: str
    metric: str
    unit: str
    higher_is_better: bool
    counted: str
    folders_a: tuple[str, ...]
    folders_b: tuple[str, ...]
    value_a: float
    value_b: float
    result: Paired
    methods: Crossed | None
    p: float
    p_adjusted: float
    verdict: Verdict
    lost: tuple[Flip, ...]
    won: tuple[Flip, ...]
    effects: tuple[Effect, ...]
    differences: tuple[Difference, ...]
    absent_a: tuple[str, ...]
    absent_b: tuple[str, ...]
    silent_a: int
    silent_b: int


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All benchmarks of two sides.

    Attributes:
        correction: of p over benchmarks: ``holm`` (no false one) or ``bh`` (share of false ones).
        overall: mean difference over the benchmarks in percent, clustered by the media they share; None with fewer than two.
        verdict: over all benchmarks.
        says: what the verdict rests on, and what it is not about.
        only_a, only_b: benchmarks that one side alone has finished; they are part of no verdict.
        refused: benchmarks that could not be compared, with the reason; they are part of no verdict either.
    """

    name_a: str
    name_b: str
    comparisons: tuple[Comparison, ...]
    correction: Correction
    confidence: float
    overall: Composite | None
    verdict: str
    says: tuple[str, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class How:
    """What a comparison is told: metric (each benchmark's primary unless given), allowed differences, and so on."""

    metric: str | None = None
    allow: tuple[str, ...] = ()
    confidence: float = 0.95
    margin: float | None = None
    seed: int = 0
    leaderboard: Path | None = None


def compare(
    a: Sequence[str],
    b: Sequence[str],
    runs: Path = Path("runs"),
    *,
    convention: str | None = None,
    correction: Correction = "holm",
    how: How | None = None,
) -> Compared:
    """Compare a baseline with a candidate on every benchmark that both have finished.

    Args:
        a: the baseline: run folders, folders of runs, or names of models below ``runs``; several are checkpoints of one method.
        b: the candidate, likewise.
        runs: where models are looked for by name.
        convention: how replies are scored; each run's own unless given.
        correction: of p over benchmarks.
        how: everything else.

    Raises:
        ResultError: nothing is found, nothing is shared, or no benchmark can be compared.
    """
    how = how or How()
    check_allowed(how.allow)
    if correction not in CORRECTIONS:
        raise ResultError(unknown("correction", correction, CORRECTIONS))
    found = match(a, b, runs, convention)
    made, refused = _made(found.pairs, how)
    adjusted = CORRECTIONS[correction]([one.p for one, _ in made])
    level = 1 - how.confidence
    comparisons = tuple(
        replace(one, p_adjusted=p, verdict=_verdict(one, p, level)) for (one, _), p in zip(made, adjusted, strict=True)
    )
    parts = [part for one, part in made if one.unit == "percent"]
    overall = None
    if len(parts) > 1:
        overall = composite([replace(part, weight=part.weight / len(parts)) for part in parts], confidence=how.confidence)
    return Compared(
        name_a=found.name_a, name_b=found.name_b, comparisons=comparisons, correction=correction, confidence=how.confidence,
        overall=overall, verdict=_combined(comparisons), says=tuple(_says(comparisons, correction, level)),
        only_a=found.only_a, only_b=found.only_b, refused=refused,
    )  # fmt: skip


def _made(pairs: Sequence[Match], how: How) -> tuple[list[tuple[Comparison, Part]], tuple[tuple[str, str], ...]]:
    """Compare every benchmark; what cannot be compared is kept with its reason, and raised if it is all there is."""
    made, refused = [], []
    for pair in pairs:
        try:
            made.append(_compared(pair, how))
        except ResultError as error:
            refused.append((pair.a[0].task, str(error)))
    if not made:
        raise ResultError("\n".join(reason for _, reason in refused))
    return made, tuple(refused)


def _compared(pair: Match, how: How) -> tuple[Comparison, Part]:
    """One benchmark, its verdict still open; and its differences as a part of the mean over benchmarks."""
    first = pair.a[0]
    others = [*pair.a[1:], *pair.b]
    allowed = {str(one): one for run in others for one in check_comparable(first, run, how.allow)}
    aligned = [align(first, run, how.metric) for run in others]
    scores_a, scores_b = _scores(aligned, len(pair.a))
    units = aligned[-1]
    mean_a, mean_b = scores_a.mean(0), scores_b.mean(0)
    result = paired(mean_a, mean_b, units.cluster, confidence=how.confidence, margin=how.margin, seed=how.seed)
    several = max(len(scores_a), len(scores_b)) > 1
    methods = crossed(scores_a, scores_b, _codes(units.cluster), confidence=how.confidence) if several else None
    page = _pages(pair, how.leaderboard)
    lost, won = ((), ()) if several else flips(units, page)
    parts = () if several else tuple(effects(first, pair.b[0], units, how.confidence, how.seed))
    comparison = Comparison(
        task=first.task, title=first.title, data=first.data, convention=first.convention, metric=units.metric, unit=units.unit,
        higher_is_better=units.higher_is_better, counted=units.counted, folders_a=tuple(str(run.folder) for run in pair.a),
        folders_b=tuple(str(run.folder) for run in pair.b), value_a=float(mean_a.mean()), value_b=float(mean_b.mean()),
        result=result, methods=methods, p=methods.p if methods and not math.isnan(methods.p) else result.p, p_adjusted=math.nan,
        verdict="not compared", lost=lost, won=won, effects=parts,
        differences=tuple(allowed.values()), absent_a=units.absent_a, absent_b=units.absent_b,
        silent_a=len(units.silent_a), silent_b=len(units.silent_b),
    )  # fmt: skip
    media = media_of(first, units.sample_ids, units.rows_a.cluster)
    sign = 1.0 if units.higher_is_better else -1.0
    return comparison, Part(weight=sign, values=mean_b - mean_a, cluster=units.cluster, media=media)


def _scores(aligned: Sequence[Aligned], count_a: int) -> tuple[Floats, Floats]:
    """The scores of all checkpoints of both sides on the same units, float[k, n] each; the first of the baseline is in all."""
    import numpy as np

    first = aligned[-1]
    for one in aligned:
        if not np.array_equal(one.places, first.places) or not np.array_equal(one.a, first.a):
            raise ResultError(f"{one.metric}: the checkpoints have not scored the same samples; evaluate all on the same ones")
    rest_a = [one.b for one in aligned[: count_a - 1]]
    return np.array([first.a, *rest_a]), np.array([one.b for one in aligned[count_a - 1 :]])


def _codes(cluster: Ints) -> Ints:
    import numpy as np

    return np.unique(cluster, return_inverse=True)[1].astype(np.int64)


def _pages(pair: Match, leaderboard: Path | None) -> Callable[[str], str | None]:
    """Where a sample of the candidate is shown, if a leaderboard with its page was written."""
    page = None if leaderboard is None else leaderboard / "samples" / page_name(pair.b[0])
    if page is None or not page.is_file():
        return lambda sample: None
    return lambda sample: f"{page}#s-{anchor(sample)}"


def _verdict(one: Comparison, p: float, level: float) -> Verdict:
    difference = one.result.difference if one.higher_is_better else -one.result.difference
    if p > level:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def _combined(comparisons: Sequence[Comparison]) -> str:
    better, worse = (sum(one.verdict == verdict for one in comparisons) for verdict in ("better", "worse"))
    if better and worse:
        return f"mixed: better on {better}, worse on {worse} of {len(comparisons)}"
    if better or worse:
        seen, other = ("better", "worse") if better else ("worse", "better")
        return f"{seen} on {better or worse} of {len(comparisons)}, {other} on none"
    return f"no difference shown on any of {len(comparisons)}"


def _says(comparisons: Sequence[Comparison], correction: Correction, level: float) -> Iterator[str]:
    """What the verdict rests on."""
    if len(comparisons) > 1 and correction == "holm":
        yield f"Holm over {len(comparisons)} benchmarks: the chance of any false finding among them is at most {100 * level:g} %."
    elif len(comparisons) > 1:
        yield (
            f"Benjamini-Hochberg over {len(comparisons)} benchmarks: of the findings about {100 * level:g} % are expected to be "
            "false; another question than whether any is."
        )
    if any(one.verdict == "no difference shown" for one in comparisons):
        yield "No difference shown is not equality; the detectable difference says what could have been missed."
    yield from dict.fromkeys(f"{one.methods.says.capitalize()}." for one in comparisons if one.methods)
    if any(one.methods is None for one in comparisons):
        yield "One checkpoint a side: this is about these checkpoints; one seed says nothing about the method."
