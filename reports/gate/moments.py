"""Mean and clustered standard error of differences, for many repetitions at once; what one gate and its simulation share.

Besides those of the differences as they are, those after adding one unit that is won and one that is lost (Bonett and Price,
J. Educ. Behav. Stat. 37 (2012) 479-488): that no difference was seen does not mean that there is none. Degrees of freedom are
`harness.metrics.intervals.degrees`: G-1, or fewer where few clusters differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.intervals import degrees

if TYPE_CHECKING:
    from reports.paired import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Mean, standard error and its degrees of freedom in each row, float[rows]; NaN errors with one cluster."""

    mean: Floats
    se: Floats
    freedom: Floats

    def normal(self, shift: float) -> Floats:
        """The mean plus ``shift``, over its standard error, from Student's t to a standard normal value; NaN with one cluster."""
        import numpy as np
        from scipy.special import ndtri, stdtr

        t = (self.mean + shift) / np.maximum(self.se, 1e-300)
        found: Floats = -ndtri(stdtr(self.freedom, -np.abs(t))) * np.sign(t)
        return found

    def bound(self, level: float) -> Floats:
        """The one-sided lower bound of the mean at a level such as 0.95."""
        from scipy.special import stdtrit

        found: Floats = self.mean - stdtrit(self.freedom, level) * self.se
        return found


def moments(sums: Floats, sizes: Ints) -> Moments:
    """Return the moments of the differences as they are.

    Args:
        sums: differences summed by cluster, float[rows, G].
        sizes: units by cluster, int[G].
    """
    import numpy as np

    count, n = sums.shape[1], int(sizes.sum())
    mean = sums.sum(axis=1) / n
    if count < 2:
        nothing = np.full(len(sums), np.nan)
        return Moments(mean=mean, se=nothing, freedom=nothing)
    squares = (sums - mean[:, None] * sizes) ** 2
    second = squares.sum(axis=1)
    se = np.sqrt(count / (count - 1) * second) / n
    return Moments(mean=mean, se=se, freedom=degrees(second, (squares**2).sum(axis=1), count))


def padded(sums: Floats, sizes: Ints, scale: float) -> Moments:
    """Return the moments after adding a unit that is won and one that is lost by ``scale``, the most that one can.

    The degrees of freedom are those of the differences themselves, as far as there are any.
    """
    import numpy as np

    plain = moments(sums, sizes)
    more = np.concatenate([sums, np.tile([scale, -scale], (len(sums), 1))], axis=1)
    both = moments(more, np.append(sizes, [1, 1]))
    if sums.shape[1] < 2:
        return Moments(mean=both.mean, se=plain.se, freedom=plain.freedom)
    return Moments(mean=both.mean, se=both.se, freedom=np.minimum(both.freedom, sums.shape[1] - 1))
