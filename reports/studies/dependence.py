"""How much the choice of experts depends on a label, tested by permutation; and intervals by resampling clusters.

The unit is what labels may be exchanged between: a cluster of samples (or one sample). Each unit has its share of tokens by
expert in every layer, so that long prompts weigh no more than short ones.

    I(expert; label) = sum_l w_l KL(p_l || p),   p_l the mean share of the units of label l, w_l their part, p = sum_l w_l p_l

in bits, by layer, and within strata (categories within a benchmark) as the mean weighted by units. Labels are exchanged
between the units of a stratum; tokens of one unit stay together, because they are not independent. p = (1 + hits) / (1 +
draws) (Phipson and Smyth, 2010). Not here: where the numbers come from (``routing``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

FLOOR = 0.01
"""Added to both shares of a ratio, so that experts that are hardly used are no specialists."""


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """What permutation says of one label.

    Attributes:
        information: bits by layer, float[layers]; null: their mean under permutation; high: their 95 % quantile under it.
        p: of each layer, float[layers]; p_all: of the sum over layers.
        ratio: of each label, layer and expert: use for the label over use for the rest, float[labels, layers, experts].
        p_ratio: of the largest ratio, over all labels, layers and experts together (max-T: family-wise).
    """

    information: Floats
    null: Floats
    high: Floats
    p: Floats
    p_all: float
    ratio: Floats
    p_ratio: float


def depend(shares: Floats, labels: Ints, strata: Ints, draws: int, seed: int) -> Dependence:
    """Test the dependence of shares (float[units, layers, experts]) on labels (int[units]) within strata (int[units])."""
    random = np.random.default_rng(seed)
    observed, ratio = _statistics(shares, labels, strata)
    informations, peaks = np.empty((draws, shares.shape[1])), np.empty(draws)
    places = [np.flatnonzero(strata == one) for one in np.unique(strata)]
    for draw in range(draws):
        shuffled = labels.copy()
        for place in places:
            shuffled[place] = labels[random.permutation(place)]
        informations[draw], ratios = _statistics(shares, shuffled, strata)
        peaks[draw] = ratios.max(initial=0.0)
    return _dependence(observed, ratio, informations, peaks)


def depend_within(first: Floats, second: Floats, draws: int, seed: int) -> Dependence:
    """Test two kinds of tokens of the same units (each float[units, layers, experts]): kinds are exchanged within a unit."""
    random = np.random.default_rng(seed)
    units = len(first)
    labels, strata = np.repeat([0, 1], units), np.zeros(2 * units, dtype=np.int64)
    observed, ratio = _statistics(np.concatenate([first, second]), labels, strata)
    informations, peaks = np.empty((draws, first.shape[1])), np.empty(draws)
    half = (first - second) / 2
    middle = ((first + second) / 2).mean(axis=0)
    for draw in range(draws):
        signs = random.choice([-1.0, 1.0], size=units)
        away = np.tensordot(signs, half, axes=1) / units
        pair = np.stack([middle + away, middle - away])
        informations[draw] = _information(pair, np.array([0.5, 0.5]))
        peaks[draw] = _ratios(pair, np.array([0.5, 0.5])).max(initial=0.0)
    return _dependence(observed, ratio, informations, peaks)


def _dependence(observed: Floats, ratio: Floats, informations: Floats, peaks: Floats) -> Dependence:
    draws = len(peaks)
    tiny = 1e-12
    return Dependence(
        information=observed,
        null=informations.mean(axis=0),
        high=np.quantile(informations, 0.95, axis=0),
        p=(1 + (informations >= observed - tiny).sum(axis=0)) / (1 + draws),
        p_all=float((1 + (informations.sum(axis=1) >= observed.sum() - tiny).sum()) / (1 + draws)),
        ratio=ratio,
        p_ratio=float((1 + (peaks >= ratio.max(initial=0.0) - tiny).sum()) / (1 + draws)),
    )


def _statistics(shares: Floats, labels: Ints, strata: Ints) -> tuple[Floats, Floats]:
    """Information by layer, and ratios of all labels that have a rest to be compared with."""
    flat = shares.reshape(len(shares), -1)
    total, ratios = np.zeros(shares.shape[1]), []
    for one in np.unique(strata):
        inside = strata == one
        names, codes = np.unique(labels[inside], return_inverse=True)
        if len(names) < 2:
            continue
        member = np.zeros((len(names), int(inside.sum())))
        member[codes, np.arange(len(codes))] = 1.0
        counts = member.sum(axis=1)
        means = (member @ flat[inside] / counts[:, None]).reshape(len(names), *shares.shape[1:])
        weights = counts / counts.sum()
        total += inside.mean() * _information(means, weights)
        ratios.append(_ratios(means, weights))
    empty = np.zeros((0, *shares.shape[1:]))
    return total, np.concatenate([empty, *ratios])


def _information(means: Floats, weights: Floats) -> Floats:
    """Sum of w KL(p_l || p) in bits by layer, of means [labels, layers, experts]."""
    middle = np.tensordot(weights, means, axes=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(means > 0, np.log2(means / middle), 0.0)
    found: Floats = np.tensordot(weights, (means * logs).sum(axis=-1), axes=1)
    return found


def _ratios(means: Floats, weights: Floats) -> Floats:
    """Use for a label over mean use for the rest, [labels, layers, experts]."""
    middle = np.tensordot(weights, means, axes=1)
    share = weights[:, None, None]
    rest = (middle - share * means) / (1 - share)
    found: Floats = (means + FLOOR) / (rest + FLOOR)
    return found


def resampled(units: int, draws: int, seed: int) -> Floats:
    """Weights of units in bootstrap resamples: float[draws, units], each row sums to the number of units."""
    random = np.random.default_rng(seed)
    found: Floats = random.multinomial(units, np.full(units, 1 / units), size=draws).astype(np.float64)
    return found


def reflected(value: Floats, drawn: Floats, confidence: float) -> tuple[Floats, Floats]:
    """The basic bootstrap interval of values [...] from resamples [draws, ...]: 2 value - quantiles.

    Entropy falls and maxima rise when units are resampled; reflecting the quantiles puts that bias on the right side.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return 2 * value - high, 2 * value - low


def ratio_bound(shares: Floats, labels: Ints, draws: int, seed: int, confidence: float) -> tuple[float, float]:
    """The largest ratio of any label, layer and expert, and the bootstrap upper bound of the largest (one-sided).

    Units are resampled within their label, so that no label is empty. The bound is biased upward, because the maximum of noisy
    ratios is: it claims "no specialist" too seldom, never too often.
    """
    random = np.random.default_rng(seed)
    strata = np.zeros(len(labels), dtype=np.int64)
    peak = _statistics(shares, labels, strata)[1].max(initial=0.0)
    places = [np.flatnonzero(labels == one) for one in np.unique(labels)]
    peaks = []
    for _ in range(draws):
        picked = np.concatenate([random.choice(place, len(place)) for place in places])
        peaks.append(_statistics(shares[picked], labels[picked], strata)[1].max(initial=0.0))
    return float(peak), float(np.quantile(peaks, confidence))


def entropy(loads: Floats) -> Floats:
    """Entropy of loads [..., experts] over its largest value log(experts): 1 is even, 0 is one expert; NaN without load."""
    total = loads.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = loads / total
        logs = np.where(shares > 0, np.log(shares), 0.0)
        found: Any = -(shares * logs).sum(axis=-1) / np.log(loads.shape[-1])
    return found  # type: ignore[no-any-return]
