"""Laws of scaling, fitted to models of several sizes, data and seeds, and how well they foretell what they have not seen.

With y the sum of scores, F the full marks and x parameters, pictures or computation (relative to the geometric mean):

    power        F - y = a x^-alpha            (a straight line in logarithms)
    saturating   F - y = c + a x^-alpha        (Kaplan et al. 2020, Hoffmann et al. 2022)

The measure of a law is its error on the largest x, fitted without it; which of two is ahead is a difference of such errors. Along
parameters and pictures the other one is held at its largest value. Bands and intervals resample seeds within a cell and add the
samples' error. Nothing here draws or words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reports.studies.study import Options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AXES = {"parameters": "parameters", "active_parameters": "active parameters", "pictures": "data", "compute": "computation"}
POINTS = {"power": 3, "saturating": 4}
"""How many different x a law needs after the largest is left out: one more than it has parameters."""

BAND_POINTS = 40

LEAD_DRAWS = 200
"""Resamplings for the interval of a lead, at most: the saturating law is fitted by a search each time."""


def fits(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Fit both laws along every axis, for dense and sparse models apart.

    Returns:
        A row a kind, axis and law: ``left_out_error`` in points; of the power law the ``exponent`` with its interval, of the
        saturating law the points of its ``lead`` over the power law with their interval; ``refused`` (why there is no fit, else
        empty).
    """
    import pandas as pd

    rows = [
        {"kind": kind, "axis": axis, "law": law, **_fit(along(group, axis), axis, law, options)}
        for kind, group in models.groupby("kind", sort=True)
        for axis in AXES
        if kind == "sparse" or axis != "active_parameters"
        for law in POINTS
    ]
    return pd.DataFrame(rows)


def missed_by(law: str, x: Floats, distance: Floats) -> float:
    """Points by which a law that is fitted without the largest x misses the mean there."""
    rest = x < x.max()
    foretold = (_saturating if law == "saturating" else _power)(x[rest], distance[rest])
    return abs(float(foretold(x[~rest])[0]) - float(distance[~rest].mean()))


def along(models: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The models that differ along an axis only: of the most data along sizes, of the largest size along data; all else."""
    held = {"parameters": "pictures", "active_parameters": "pictures", "pictures": "parameters"}.get(axis)
    return models if held is None else models.loc[models[held] == models[held].max()]


def _fit(models: pd.DataFrame, axis: str, law: str, options: Options) -> dict[str, Any]:
    import numpy as np

    x, y = models[axis].to_numpy(float), models["total"].to_numpy(float)
    empty = ("left_out_error", "exponent", "low", "high", "lead", "lead_low", "lead_high")
    nothing: dict[str, Any] = {**dict.fromkeys(empty, math.nan), "points": len(set(x))}
    if len(set(x)) - 1 < POINTS[law]:
        need = f"needs {POINTS[law] + 1} different values to leave the largest out, there are {len(set(x))}"
        return {**nothing, "refused": need}
    distance = _full(models) - y
    found: dict[str, Any] = {"left_out_error": missed_by(law, x, distance), "refused": ""}
    if law == "power":
        _, exponents = _lines(x, (_full(models) - resampled(models, options, options.draws)).T)
        found["exponent"] = float(_lines(x, distance)[1])
        found["low"], found["high"] = map(float, np.quantile(exponents, options.tails))
    else:
        drawn = _full(models) - resampled(models, options, min(options.draws, LEAD_DRAWS))
        leads = [missed_by("power", x, one) - missed_by("saturating", x, one) for one in drawn]
        found["lead"] = missed_by("power", x, distance) - found["left_out_error"]
        found["lead_low"], found["lead_high"] = map(float, np.quantile(leads, options.tails))
    return {**nothing, **found}


def _full(models: pd.DataFrame) -> float:
    """Full marks: a hundred a benchmark."""
    return 100.0 * float(models["benchmarks"].iloc[0])


def resampled(models: pd.DataFrame, options: Options, draws: int) -> Floats:
    """Return sums as other seeds and other samples might have given them: float[draws, models] in the order of the table.

    Within a cell (size and data) the seeds' sums are drawn with replacement, and each gets a normal error of its samples.
    """
    import numpy as np

    rng = np.random.default_rng(options.seed)
    y, se = models["total"].to_numpy(float), models["se"].fillna(0).to_numpy(float)
    drawn: Floats = rng.normal(0.0, 1.0, (draws, len(y))) * se
    for places in (np.flatnonzero(cell) for cell in _cells(models)):
        drawn[:, places] += y[rng.choice(places, (draws, len(places)))]
    return drawn


def _cells(models: pd.DataFrame) -> list[NDArray[np.bool_]]:
    keys = models["variant"] + "/" + models["pictures"].astype(str)
    return [(keys == key).to_numpy() for key in dict.fromkeys(keys)]


def band(models: pd.DataFrame, axis: str, options: Options) -> tuple[Floats, Floats, Floats, Floats] | None:
    """The power law's curve with its band: x, the sum, low and high; None where there are too few points."""
    import numpy as np

    x, y = models[axis].to_numpy(float), models["total"].to_numpy(float)
    if len(set(x)) < POINTS["power"]:
        return None
    full = _full(models)
    grid = np.geomspace(x.min(), x.max(), BAND_POINTS)
    starts, exponents = _lines(x, (full - resampled(models, options, options.draws)).T)
    curves = full - np.exp(starts[:, None] - exponents[:, None] * np.log(grid))
    low, high = np.quantile(curves, options.tails, axis=0)
    return grid, full - _power(x, full - y)(grid), low, high


def _lines(x: Floats, distance: Floats) -> tuple[Floats, Floats]:
    """Least squares in logarithms: log a and alpha for each column of distances, which are floored at a hundredth of a point."""
    import numpy as np

    slope, start = np.polyfit(np.log(x), np.log(np.maximum(distance, 0.01)), 1)
    return start, -slope


def _power(x: Floats, distance: Floats) -> Callable[[Floats], Floats]:
    """The power law that fits."""
    import numpy as np

    start, exponent = _lines(x, distance)
    return lambda at: np.exp(start - exponent * np.log(at))


def _saturating(x: Floats, distance: Floats) -> Callable[[Floats], Floats]:
    """The saturating law: least squares over c, a >= 0, convex for each exponent, so that no start decides the result."""
    import numpy as np
    from scipy.optimize import minimize_scalar, nnls

    middle = float(np.exp(np.log(x).mean()))

    def solved(alpha: float) -> tuple[Floats, float]:
        weights, error = nnls(np.column_stack([np.ones_like(x), (x / middle) ** -alpha]), distance)
        return weights, float(error)

    alpha = float(minimize_scalar(lambda alpha: solved(alpha)[1], bounds=(0.01, 3.0), method="bounded").x)
    floor, scale = solved(alpha)[0]
    return lambda at: floor + scale * (at / middle) ** -alpha


def slopes(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """How many points ten times the parameters or pictures bring, the other held fixed.

    Least squares of the sum on both logarithms and the kind, with the interval of `resampled`. An axis with fewer than two
    values is left out.
    """
    import numpy as np
    import pandas as pd

    axes = [axis for axis in ("parameters", "pictures") if models[axis].nunique() > 1]
    if not axes:
        return pd.DataFrame(columns=["axis", "slope", "low", "high", "cells", "seeds"])
    sparse = (models["kind"] == "sparse").to_numpy(float)
    columns = [np.ones(len(models)), *(np.log10(models[axis].to_numpy(float)) for axis in axes)]
    design = np.column_stack([*columns, *([sparse] if 0 < sparse.mean() < 1 else [])])
    solve = np.linalg.pinv(design)
    found = solve @ models["total"].to_numpy(float)
    low, high = np.quantile(resampled(models, options, options.draws) @ solve.T, options.tails, axis=0)
    counts = {"cells": len(_cells(models)), "seeds": models["seed"].nunique()}
    return pd.DataFrame(
        [
            {"axis": axis, "slope": found[place], "low": low[place], "high": high[place], **counts}
            for place, axis in enumerate(axes, start=1)
        ]
    )
