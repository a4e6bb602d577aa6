"""Laws of scaling, fitted to models of several sizes, data and seeds, and how well they foretell what they have not seen.

With y the sum of scores, F the full marks and x parameters, pictures or computation (relative to the geometric mean):

    power        F - y = a x^-alpha            (a straight line in logarithms)
    saturating   F - y = c + a x^-alpha        (Kaplan et al. 2020, Hoffmann et al. 2022)

The measure of a law is its error on the largest x, fitted without it. Along parameters and pictures the other one is held at its
largest value. Bands and intervals resample seeds within a cell and add the samples' error. Nothing here draws or words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from reports.studies.study import Options

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Law = Callable[[Floats, Floats], tuple[Callable[[Floats], Floats], float]]

AXES = {"parameters": "parameters", "active_parameters": "active parameters", "pictures": "data", "compute": "computation"}
POINTS = {"power": 3, "saturating": 4}
"""How many different x a law needs after the largest is left out: one more than it has parameters."""

BAND_POINTS = 40
REFITS = 400
"""How often a law is fitted again for its band; the fit is iterative."""


def fits(models: pd.DataFrame, options: Options) -> pd.DataFrame:
    """Fit both laws along every axis, for dense and sparse models apart.

    Returns:
        A row a kind, axis and law: ``left_out_error`` in points, ``exponent`` with its interval, ``refused`` (why there is no
        fit, else empty).
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


def along(models: pd.DataFrame, axis: str) -> pd.DataFrame:
    """The models that differ along an axis only: of the most data along sizes, of the largest size along data; all else."""
    held = {"parameters": "pictures", "active_parameters": "pictures", "pictures": "parameters"}.get(axis)
    return models if held is None else models.loc[models[held] == models[held].max()]


def _fit(models: pd.DataFrame, axis: str, law: str, options: Options) -> dict[str, Any]:
    import numpy as np

    x, y = models[axis].to_numpy(float), models["total"].to_numpy(float)
    nothing = {"left_out_error": math.nan, "exponent": math.nan, "low": math.nan, "high": math.nan, "points": len(set(x))}
    if len(set(x)) - 1 < POINTS[law]:
        need = f"needs {POINTS[law] + 1} different values to leave the largest out, there are {len(set(x))}"
        return {**nothing, "refused": need}
    full = 100.0 * float(models["benchmarks"].iloc[0])
    rest = x < x.max()
    foretold, _ = _laws()[law](x[rest], full - y[rest])
    error = abs(float(foretold(x[~rest])[0]) - (full - float(y[~rest].mean())))
    _, exponent = _laws()[law](x, full - y)
    again = [_laws()[law](x, full - drawn)[1] for drawn in resampled(models, options, min(options.draws, REFITS))]
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(again, [tail, 1 - tail])
    found = {"left_out_error": error, "exponent": exponent, "low": float(low), "high": float(high)}
    return {**nothing, **found, "refused": ""}


def resampled(models: pd.DataFrame, options: Options, draws: int) -> Iterator[Floats]:
    """Yield sums as other seeds and other samples might have given them: float[models] in the order of the table.

    Within a cell (size and data) the seeds' sums are drawn with replacement, and each gets a normal error of its samples.
    """
    import numpy as np

    rng = np.random.default_rng(options.seed)
    y, se = models["total"].to_numpy(float), models["se"].fillna(0).to_numpy(float)
    cells = [np.flatnonzero(places) for places in _cells(models)]
    for _ in range(draws):
        drawn = np.empty_like(y)
        for places in cells:
            drawn[places] = y[rng.choice(places, len(places))]
        yield drawn + rng.normal(0.0, 1.0, len(y)) * se


def _cells(models: pd.DataFrame) -> list[NDArray[np.bool_]]:
    keys = models["variant"] + "/" + models["pictures"].astype(str)
    return [(keys == key).to_numpy() for key in dict.fromkeys(keys)]


def band(models: pd.DataFrame, axis: str, options: Options) -> tuple[Floats, Floats, Floats, Floats] | None:
    """The power law's curve with its band: x, the sum, low and high; None where there are too few points."""
    import numpy as np

    x, y = models[axis].to_numpy(float), models["total"].to_numpy(float)
    if len(set(x)) < POINTS["power"]:
        return None
    full = 100.0 * float(models["benchmarks"].iloc[0])
    grid = np.geomspace(x.min(), x.max(), BAND_POINTS)
    curve, _ = _power(x, full - y)
    curves = [full - _power(x, full - drawn)[0](grid) for drawn in resampled(models, options, min(options.draws, REFITS))]
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    return grid, full - curve(grid), low, high


def _laws() -> dict[str, Law]:
    return {"power": _power, "saturating": _saturating}


def _power(x: Floats, distance: Floats) -> tuple[Callable[[Floats], Floats], float]:
    """Least squares in logarithms; distances are floored at a hundredth of a point, where full marks are reached."""
    import numpy as np

    slope, start = np.polyfit(np.log(x), np.log(np.maximum(distance, 0.01)), 1)
    return lambda at: np.exp(start + slope * np.log(at)), -float(slope)


def _saturating(x: Floats, distance: Floats) -> tuple[Callable[[Floats], Floats], float]:
    """Least squares over c, a >= 0 for each exponent of a grid, which is convex, so that no start decides the result."""
    import numpy as np
    from scipy.optimize import minimize_scalar, nnls

    middle = float(np.exp(np.log(x).mean()))

    def solved(alpha: float) -> tuple[Floats, float]:
        design = np.column_stack([np.ones_like(x), (x / middle) ** -alpha])
        weights, error = nnls(design, distance)
        return weights, float(error)

    best = minimize_scalar(lambda alpha: solved(alpha)[1], bounds=(0.01, 3.0), method="bounded")
    alpha = float(best.x)
    floor, scale = solved(alpha)[0]
    return lambda at: floor + scale * (at / middle) ** -alpha, alpha


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
    drawn = np.array([solve @ y for y in resampled(models, options, options.draws)])
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    counts = {"cells": len(_cells(models)), "seeds": models["seed"].nunique()}
    return pd.DataFrame(
        [
            {"axis": axis, "slope": found[place], "low": low[place], "high": high[place], **counts}
            for place, axis in enumerate(axes, start=1)
        ]
    )
