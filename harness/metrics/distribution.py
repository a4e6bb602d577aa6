"""How far the distribution of a model's answers is from that of the references: GQA's chi-square.

Not here: whether single answers are right. Texts travel to the metric as codes in two scores, because a table of scores holds
numbers only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

from harness.metrics.aggregate import Estimator, Moment, Rows
from harness.types import Parsed, Sample

NO_ANSWER = 0.0
_BITS = 52


def answer_code(text: str | None) -> float:
    """A number in (0, 1] that stands for a text (52 bits of its hash), or `NO_ANSWER`."""
    if text is None:
        return NO_ANSWER
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return ((int.from_bytes(digest) >> (64 - _BITS)) + 1) / (1 << _BITS)


def answer_codes(parsed: Parsed, sample: Sample) -> Mapping[str, float]:
    """The scores ``said`` and ``truth``: codes of the answer and of the first reference."""
    return {"said": answer_code(parsed.answer), "truth": answer_code(sample.references[0])}


def chi_square(by: str) -> Estimator:
    """Chi-square of the answers said against the references, a hundredth of its mean over groups; 0 is best.

        1/100 sum_G N_G X_G / sum_G N_G,    X_G = sum over the references a of G of (said_a - true_a)^2 / true_a

    N_G counts the samples of group G, ``said_a`` and ``true_a`` those with answer or reference a. Answers that are no reference
    in their group do not count themselves; samples without a group (``""``) are left out. It grows with the number of samples.

    Args:
        by: the group.

    Source: the distribution score of GQA's eval.py (Hudson and Manning, CVPR 2019), which needs `answer_codes`.
    """

    def estimate(rows: Rows) -> Moment:
        import numpy as np

        chosen = rows.narrow({by: set(rows.group(by)) - {""}})
        if not chosen.n:
            return _moment(chosen, math.nan, np.zeros(0))
        value, slope = 0.0, np.zeros(chosen.n)
        groups = chosen.group(by)
        for group in sorted(set(groups)):
            place = np.flatnonzero(groups == group)
            said, truth = chosen.score("said")[place], chosen.score("truth")[place]
            own, slopes = _one_group(said.tolist(), truth.tolist())
            value += len(place) * own
            slope[place] = own + len(place) * np.array(slopes)
        value /= chosen.n
        return _moment(chosen, value / 100, (slope - value) / chosen.n / 100)

    return estimate


def _one_group(said: list[float], truth: list[float]) -> tuple[float, list[float]]:
    """Chi-square of a group, and how it changes with the weight of each of its samples."""
    expected, observed = Counter(truth), Counter(said)
    value = sum((observed[a] - n) ** 2 / n for a, n in expected.items())
    by_said = {a: 2 * (observed[a] - n) / n for a, n in expected.items()}
    by_truth = {a: 1 - (observed[a] / n) ** 2 for a, n in expected.items()}
    return value, [by_said.get(a, 0.0) + by_truth[b] for a, b in zip(said, truth, strict=True)]


def _moment(rows: Rows, value: float, slope: object) -> Moment:
    """Sum the slopes by cluster and centre them: chi-square grows with the weights, of which only the shares vary."""
    import numpy as np

    clusters = np.zeros(rows.cluster_count, dtype=bool)
    clusters[rows.cluster] = True
    count = int(clusters.sum())
    influence = np.bincount(rows.cluster, weights=slope, minlength=rows.cluster_count).astype(np.float64)  # type: ignore[arg-type]
    if count:
        centred = influence[clusters] - influence[clusters].mean()
        influence[clusters] = centred * (math.sqrt(count / (count - 1)) if count > 1 else math.nan)
    reason = "no samples" if math.isnan(value) else None
    return Moment(
        value=value, influence=influence, samples=rows.position, clusters=clusters, bounds=(0.0, math.inf), reason=reason
    )
