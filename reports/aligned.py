"""Two finished runs, sample by sample: what a metric is made of in both, in one order.

The unit is what the metric counts: a sample; a group where all of its samples must be right (CircularEval, acc+, pairs); a
cluster where the metric is no mean at all (F1, sums of MME, weighted composites). For the last, each cluster gets the value
that it would need for the mean over clusters to be the metric, theta + sqrt(G (G-1)) psi_g (psi: `harness.metrics.aggregate`),
so that differences and their standard errors come out as by the delta method.

A sample that one run lacks counts as wrong there and is listed; samples are never intersected silently. Not here: whether the
runs may be compared (`reports.comparable`), and the comparison (`reports.paired`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.catalog import find_task
from harness.errors import ConfigError, ResultError
from harness.metrics.aggregate import Metric, Moment, Rows, mean
from reports.load import Run, load_run

if TYPE_CHECKING:
    from reports.paired import Floats, Ints

Unit = Literal["sample", "group", "cluster"]
_SAME = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Aligned:
    """A metric of two runs on the same units.

    Attributes:
        metric: its name; unit: what a number counts, such as ``percent`` or ``points``.
        counted: what one entry of the arrays is.
        ids: sample id of each unit (the first of a group or cluster), str[n].
        a, b: the units' scores, float[n]; their means are ``value_a`` and ``value_b``, which are those of the runs where no
            sample is absent.
        cluster: what units share, int[n].
        clusters: the names of the clusters.
        rows_a, rows_b: all samples of both runs in one order (``sample_ids``), to look further.
        absent_a, absent_b: samples that only the other run has; counted as wrong.
        silent_a, silent_b: samples that failed or had no reply; they are wrong in the run itself.
    """

    metric: str
    unit: str
    higher_is_better: bool
    counted: Unit
    ids: tuple[str, ...]
    a: Floats
    b: Floats
    cluster: Ints
    clusters: tuple[str, ...]
    value_a: float
    value_b: float
    rows_a: Rows
    rows_b: Rows
    sample_ids: tuple[str, ...]
    absent_a: tuple[str, ...]
    absent_b: tuple[str, ...]
    silent_a: tuple[str, ...]
    silent_b: tuple[str, ...]
    places: Ints
    """Row of each unit in ``rows_a`` and ``rows_b``, int[n]."""


def finished(folder: Path, convention: str | None = None) -> Run:
    """Read one finished run under a convention, its own unless given.

    Raises:
        ResultError: it is no run, is incomplete or broken, or was not scored by that convention.
    """
    if not (folder / "run.json").is_file():
        raise ResultError(f"{folder}: no run there (it holds no run.json)")
    runs = load_run(folder)
    found = [run for run in runs if convention in (None, run.convention)]
    if not found:
        known = ", ".join(run.convention for run in runs)
        raise ResultError(f"{folder}: not scored by {convention!r} but by {known}; convention={convention} adds it")
    if found[0].broken or not found[0].complete:
        raise ResultError(found[0].broken or f"{folder}: the run is incomplete; give its command again")
    return found[0]


def align(run_a: Run, run_b: Run, metric: str | None = None) -> Aligned:
    """Read two finished runs (`finished`) and put a metric of theirs in one order.

    Args:
        run_a: the baseline; its convention says how the metric is computed.
        run_b: the candidate.
        metric: its name in ``result.json``; the primary one unless given.

    Raises:
        ResultError: a run's scores cannot be read, the metric is unknown, undefined, or does not come out as the run says; a
            sample's cluster differs between the runs; or samples are absent and the metric is no mean of them.
    """
    name = metric or run_a.primary
    ids, first, second, clusters = _joined(_table(run_a), _table(run_b), run_a)
    absent_a, absent_b = (tuple(ids[i] for i in table.gap.tolist()) for table in (first, second))
    moments = []
    for run, table in ((run_a, first), (run_b, second)):
        moment = _moment(run, table.rows, name, checked=not len(table.gap))
        if len(table.gap) and moment.units is None:
            raise ResultError(
                f"{run.folder}: lacks {len(table.gap)} samples of the other run, first {ids[int(table.gap[0])]}; {name} is no "
                "mean that they could count in as wrong; evaluate both on the same samples"
            )
        moments.append(moment)
    places, a, b, cluster, counted = _units(moments[0], moments[1], first.rows)
    return Aligned(
        metric=name, unit=_unit(run_a, name), higher_is_better=run_a.higher_is_better, counted=counted,
        ids=tuple(ids[i] for i in places.tolist()), a=a, b=b, cluster=cluster, clusters=clusters,
        value_a=moments[0].value, value_b=moments[1].value, rows_a=first.rows, rows_b=second.rows, sample_ids=tuple(ids),
        absent_a=absent_a, absent_b=absent_b, silent_a=_silent(first, ids), silent_b=_silent(second, ids), places=places,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Rows of a run; ``gap``: places that it has no row for."""

    rows: Rows
    ids: Sequence[str]
    clusters: Sequence[str]
    gap: Ints


def _table(run: Run) -> _Table:
    import numpy as np
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(run.scores) as file:
            names = file.read(columns=["sample_id", "cluster"], use_threads=False).to_pydict()
        rows = Rows.read(run.scores)
    except (OSError, pyarrow.ArrowException, KeyError, TypeError) as error:
        raise ResultError(f"{run.scores}: cannot be read ({error})") from error
    ids: list[str] = names["sample_id"]
    if len(set(ids)) < len(ids):
        raise ResultError(f"{run.scores}: {len(ids) - len(set(ids))} sample ids occur more than once; they cannot be paired")
    own = [cluster or f"sample {name}" for cluster, name in zip(names["cluster"], ids, strict=True)]
    return _Table(rows=rows, ids=ids, clusters=own, gap=np.zeros(0, dtype=np.int64))


def _joined(a: _Table, b: _Table, run: Run) -> tuple[list[str], _Table, _Table, tuple[str, ...]]:
    """Both tables over the samples of either, in the order of the first, with common codes of clusters."""
    import numpy as np

    cluster_of = dict(zip(b.ids, b.clusters, strict=True))
    for name, own in zip(a.ids, a.clusters, strict=True):
        if cluster_of.setdefault(name, own) != own:
            raise ResultError(f"sample {name!r} shares {own!r} in {run.folder} and {cluster_of[name]!r} in the other run")
    ids = list(dict.fromkeys([*a.ids, *b.ids]))
    codes: dict[str, int] = {}
    cluster = np.array([codes.setdefault(cluster_of[name], len(codes)) for name in ids], dtype=np.int64)
    wrong = 0.0 if run.higher_is_better else 1.0
    first, second = (_spread(one, other, ids, cluster, len(codes), wrong) for one, other in ((a, b), (b, a)))
    return ids, first, second, tuple(codes)


def _spread(table: _Table, other: _Table, ids: Sequence[str], cluster: Ints, count: int, wrong: float) -> _Table:
    """The table's rows in the order of ``ids``; where it has none, a wrong answer with the other's groups."""
    import numpy as np

    own, theirs = ({name: i for i, name in enumerate(one.ids)} for one in (table, other))
    place = np.array([own.get(name, -1) for name in ids], dtype=np.int64)
    gap = np.flatnonzero(place < 0)
    scores = {name: column[place] for name, column in table.rows.scores.items()}
    groups = {name: column[place] for name, column in table.rows.groups.items()}
    flags = {name: column[place] for name, column in table.rows.flags.items()}
    for column in scores.values():
        column[gap] = wrong
    for name, labels in groups.items():
        labels[gap] = [other.rows.groups[name][theirs[ids[i]]] if name in other.rows.groups else "" for i in gap.tolist()]
    for name, flag in flags.items():
        flag[gap] = name == "missing"
    position = np.arange(len(ids), dtype=np.int64)
    rows = replace(table.rows, position=position, cluster=cluster, cluster_count=count, scores=scores, groups=groups, flags=flags)
    return _Table(rows=rows, ids=ids, clusters=(), gap=gap)


def _silent(table: _Table, ids: Sequence[str]) -> tuple[str, ...]:
    quiet = table.rows.flags["failed"] | table.rows.flags["missing"]
    quiet[table.gap] = False
    return tuple(name for name, flag in zip(ids, quiet, strict=True) if flag)


def _unit(run: Run, name: str) -> str:
    return next((value.unit for value in run.values if value.name == name), run.unit)


def _moment(run: Run, rows: Rows, name: str, checked: bool) -> Moment:
    """Compute a metric of a run; ``checked`` holds it to the value that the run has recorded."""
    recorded = next((value.value for value in run.values if value.name == name), None)
    if recorded is None:
        raise ResultError(f"{run.folder}: no metric {name!r} (known: {', '.join(value.name for value in run.values)})")
    for moment in (found for metric in _metrics(run, name) for own, found in _moments(metric, rows) if own == name):
        if math.isnan(moment.value):
            raise ResultError(f"{run.folder}: {name} is undefined there: {moment.reason}")
        if not checked or math.isclose(moment.value, recorded, rel_tol=_SAME, abs_tol=_SAME):
            return moment
    raise ResultError(
        f"{run.folder}: {name} is {recorded:g} in its result, which version {run.version} of {run.task} does not make of "
        f"{run.scores.name} as it is installed here; score the run again"
    )


def _moments(metric: Metric, rows: Rows) -> list[tuple[str, Moment]]:
    try:
        return list(metric.moments(rows))
    except KeyError:
        return []


def _metrics(run: Run, name: str) -> list[Metric]:
    """The metrics that may go by the name: the task's own; else the mean of the score of that name."""
    plain = Metric(name=name, estimator=mean(name))
    try:
        convention = find_task(run.task).conventions[run.convention.partition("@")[0]]
    except (ConfigError, KeyError):
        return [plain]
    return [*(metric for metric in convention.metrics if metric.name == name.partition("/")[0] or metric.name == name), plain]


def _units(a: Moment, b: Moment, rows: Rows) -> tuple[Ints, Floats, Floats, Ints, Unit]:
    import numpy as np

    if a.units is not None and b.units is not None and np.array_equal(a.samples, b.samples):
        return a.samples, a.units, b.units, rows.cluster[a.samples], "group" if a.grouped else "sample"
    both = np.flatnonzero(a.clusters | b.clusters)
    if len(both) < 2:
        raise ResultError("one cluster (picture, document) is all there is; its metric is no mean, so nothing can be compared")
    scale = math.sqrt(len(both) * (len(both) - 1))
    _, first = np.unique(rows.cluster, return_index=True)
    return first[both], a.value + scale * a.influence[both], b.value + scale * b.influence[both], both, "cluster"
