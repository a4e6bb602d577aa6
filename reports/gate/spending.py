"""Group-sequential boundaries by alpha spending: how strong evidence must be at each look so that all together err at alpha.

Looks are fixed in advance by the share of clusters that has been seen. A spending function says how much of alpha may be used up
by then (Lan and DeMets, Biometrika 70 (1983) 659-663):

    O'Brien-Fleming type    2 - 2 Phi(z_{1-alpha/2} / sqrt(t))        nearly nothing early, nearly all of alpha at the end
    Pocock type             alpha ln(1 + (e - 1) t)                   much the same at each look

The boundary at look k solves P(not crossed before, crossed at k) = spent(t_k) - spent(t_{k-1}) for the sums of a Brownian motion
at the looks, by numerical integration over its density (Armitage, McPherson and Rowe, JRSS A 132 (1969) 235-244).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

Spending = Literal["obrien_fleming", "pocock"]

_POINTS = 601
_DEVIATIONS = 9.0


def spent(alpha: float, share: float, spending: Spending) -> float:
    """The part of ``alpha`` (one-sided) that may be used up when ``share`` of the information is there."""
    from scipy.special import ndtr, ndtri

    if spending == "pocock":
        return alpha * math.log1p((math.e - 1) * share)
    return float(2 * ndtr(-float(ndtri(1 - alpha / 2)) / math.sqrt(share)))


@lru_cache(64)
def boundaries(alpha: float, shares: tuple[float, ...], spending: Spending = "obrien_fleming") -> tuple[float, ...]:
    """The standard normal value to be exceeded at each look; one-sided, one look gives the usual quantile.

    Args:
        alpha: of all looks together.
        shares: of the information at each look, rising, the last one 1.
        spending: how alpha is dealt out.

    Raises:
        ValueError: the shares do not rise to 1.
    """
    if not shares or shares[-1] != 1 or any(b <= a for a, b in zip((0.0, *shares), shares, strict=False)):
        raise ValueError(f"looks at {shares}: shares must rise to 1")
    found: list[float] = []
    state: tuple[Sequence[float], Sequence[float]] | None = None
    before = used = 0.0
    for share in shares:
        allowed = spent(alpha, share, spending)
        bound = _bound(state, share - before, allowed - used)
        state = _carried(state, share, share - before, bound)
        found.append(bound / math.sqrt(share))
        before, used = share, allowed
    return tuple(found)


def _bound(state: tuple[Sequence[float], Sequence[float]] | None, step: float, allowed: float) -> float:
    """The value that the sum exceeds with probability ``allowed``, not having crossed before."""
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if state is None:
        return float(-ndtri(allowed)) * math.sqrt(step)
    places, mass = np.asarray(state[0]), np.asarray(state[1])

    def excess(bound: float) -> float:
        return float((mass * ndtr((places - bound) / math.sqrt(step))).sum()) - allowed

    return float(brentq(excess, -_DEVIATIONS, _DEVIATIONS, xtol=1e-10))


def _carried(
    state: tuple[Sequence[float], Sequence[float]] | None, share: float, step: float, bound: float
) -> tuple[Sequence[float], Sequence[float]]:
    """Places and masses of the sums that have not crossed, by the trapezoidal rule."""
    import numpy as np

    places = np.linspace(-_DEVIATIONS * math.sqrt(share), bound, _POINTS)
    width = np.full(_POINTS, places[1] - places[0])
    width[[0, -1]] /= 2
    old, mass = (np.zeros(1), np.ones(1)) if state is None else (np.asarray(state[0]), np.asarray(state[1]))
    apart = (places[:, None] - old[None, :]) / math.sqrt(step)
    density = np.exp(-(apart**2) / 2) / math.sqrt(2 * math.pi * step) @ mass
    return places, density * width  # type: ignore[return-value]
