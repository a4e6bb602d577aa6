"""How often the intervals hold the truth, and how often the tests see a difference that is not there: ``riddle bench coverage``.

Answers are drawn with a known probability, correlated within clusters as large as those of real benchmarks, and go through the
very functions that results and comparisons use. What is measured stands in ``docs/statistics.md``, which this writes.

Not here: the functions measured (`harness.metrics.intervals`, `reports.paired`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.metrics.intervals import bounded, degrees
from reports.paired import holm, paired, sign_flip

if TYPE_CHECKING:
    import numpy as np

    from reports.paired import Floats

CONFIDENCE, BAND = 0.95, (93.5, 96.5)
LEVEL, REJECTED = 5.0, (4.0, 6.0)
CLUSTERS_NEEDED, MINORITY_NEEDED = 20, 7.0
"""With fewer clusters, or fewer independent answers of the rarer kind, data are too coarse for an interval to hit the band."""
BEGIN, END = "<!-- coverage: riddle bench coverage -->", "<!-- /coverage -->"
FAMILY = 40
_LARGE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Design:
    """Clusters of ``smallest`` to ``largest`` samples, each size as likely."""

    name: str
    smallest: int
    largest: int

    def clusters(self, n: int) -> int:
        """How many clusters hold about n samples."""
        return max(2, round(2 * n / (self.smallest + self.largest)))

    def weighted_size(self) -> float:
        """The size of the cluster of a random sample, E m^2 / E m."""
        sizes = range(self.smallest, self.largest + 1)
        return sum(size * size for size in sizes) / sum(sizes)


DESIGNS = (
    Design(name="one a picture", smallest=1, largest=1),
    Design(name="MME, 2 a picture", smallest=2, largest=2),
    Design(name="MMBench, 1-4 a question", smallest=1, largest=4),
    Design(name="RefCOCO, 1-10 a picture", smallest=1, largest=10),
    Design(name="Video-Bench, 1-30 a clip", smallest=1, largest=30),
)


def bench_coverage(draws: int = 4000, seed: int = 0, page: str | None = None) -> list[dict[str, Any]]:
    """Return a row a situation; ``ok`` is None where there are too few clusters or rare answers for any interval to be exact.

    Args:
        draws: data sets drawn for each situation.
        seed: decides every draw.
        page: Markdown file to write the tables to, between its marks.

    Raises:
        ConfigError: the page has no marks.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    found = (*_accuracies(draws, random), *_others(draws, random), *_tests(draws, random))
    families = max(1, draws // 10)
    rows = [*(_judged(row, draws) for row in found), _judged(_family(families, random), families)]
    if page is not None:
        _write(Path(page), rows, draws)
    return rows


def _row(
    what: str, name: str, n: int, clusters: int, percent: float, aim: tuple[float, float], few: bool, **more: Any
) -> dict[str, Any]:
    return {
        "what": what,
        "name": name,
        "n": n,
        "clusters": clusters,
        "p": None,
        "correlation": None,
        **more,
        "percent": percent,
        "aim": aim,
        "few": few,
    }


def _judged(row: Mapping[str, Any], draws: int) -> dict[str, Any]:
    """Say whether the aim is met, within two standard errors of this measurement itself."""
    percent, aim, few = (row[name] for name in ("percent", "aim", "few"))
    noise = 2 * (LEVEL * (100 - LEVEL) / draws) ** 0.5
    inside = aim[0] - noise <= percent <= aim[1] + noise
    shown = {name: value for name, value in row.items() if name != "few"}
    return {
        **shown,
        "percent": round(percent, 1),
        "aim": f"{aim[0]:g} to {aim[1]:g}",
        "ok": None if few and not inside else inside,
    }


def _accuracies(draws: int, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Intervals of accuracies."""
    for design in DESIGNS:
        for n in (60, 500, 5000):
            for p in (0.02, 0.5, 0.9):
                for correlation in (0.0, 0.2, 0.6) if design.largest > 1 else (0.0,):
                    clusters = design.clusters(n)
                    minority = min(p, 1 - p) * n / (1 + correlation * (design.weighted_size() - 1))
                    few = clusters < CLUSTERS_NEEDED or minority < MINORITY_NEEDED
                    percent = covered_accuracy(design, n, p, correlation, draws, random)
                    yield _row("interval", design.name, n, clusters, percent, BAND, few, p=p, correlation=correlation)


def covered_accuracy(design: Design, n: int, p: float, correlation: float, draws: int, random: np.random.Generator) -> float:
    """Percent of drawn data sets whose interval of the accuracy holds p."""
    import numpy as np

    hits, left, clusters = 0, draws, design.clusters(n)
    while left:
        block = min(left, max(1, _LARGE // clusters))
        size = random.integers(design.smallest, design.largest + 1, (block, clusters))
        right = random.binomial(size, chance(p, correlation, (block, clusters), random))
        total = size.sum(1)
        value = right.sum(1) / total
        psi = (right - value[:, None] * size) / total[:, None] * np.sqrt(clusters / (clusters - 1))
        hits += _held(value, psi, p, trials=total.astype(np.float64))
        left -= block
    return 100 * hits / draws


def chance(p: float, correlation: float, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Probabilities of clusters with mean p, whose answers then correlate so much (beta distribution)."""
    import numpy as np

    if not correlation:
        return np.full(shape, p)
    scale = (1 - correlation) / correlation
    return random.beta(p * scale, (1 - p) * scale, shape)


def _held(value: Floats, psi: Floats, truth: float, trials: Floats | float = float("inf"), freedom: float = float("inf")) -> int:
    """How many intervals hold the truth, by value (float[draws]) and influences (float[draws, clusters])."""
    import numpy as np

    squares = psi**2
    found = degrees(squares.sum(1), (squares**2).sum(1), psi.shape[1])
    low, high = bounded(value, np.sqrt(squares.sum(1)), psi.shape[1], np.minimum(found, freedom), CONFIDENCE, trials)
    return int(((low <= truth) & (truth <= high)).sum())


def _others(draws: int, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Intervals of what is no share of right answers."""
    for pictures in (30, 500):
        for p in (0.7, 0.9):
            percent = 100 * _f1(pictures, p, draws, random) / draws
            yield _row("interval", "F1 of POPE, 6 a picture", 6 * pictures, pictures, percent, BAND, False, p=p, correlation=0.2)
    for n in (60, 500):
        for p in (0.03, 0.9):
            percent = 100 * _graded(n, p, draws, random) / draws
            yield _row(
                "interval", "graded score, mostly 0 or 0.5-1", n, n, percent, BAND, n * p < MINORITY_NEEDED, p=p, correlation=0
            )
    percent = 100 * _points(draws, random) / draws
    yield _row("interval", "sum of acc and acc+ over 14 parts", 14 * 20, 14 * 10, percent, BAND, False, p=0.7, correlation=0.4)


def _f1(pictures: int, p: float, draws: int, random: np.random.Generator) -> int:
    import numpy as np

    skill = chance(p, 0.2, (draws, pictures), random)
    hit, alarm = random.binomial(3, skill), 3 - random.binomial(3, skill)
    above, below = 2.0 * hit, 2.0 * hit + alarm + (3 - hit)
    value = above.sum(1) / below.sum(1)
    psi = (above - value[:, None] * below) / below.sum(1)[:, None] * np.sqrt(pictures / (pictures - 1))
    return _held(value, psi, p)


def _graded(n: int, p: float, draws: int, random: np.random.Generator) -> int:
    import numpy as np

    score = np.where(random.random((draws, n)) < p, random.uniform(0.5, 1, (draws, n)), 0)
    value = score.mean(1)
    return _held(value, (score - value[:, None]) / n * np.sqrt(n / (n - 1)), 0.75 * p)


def _points(draws: int, random: np.random.Generator) -> int:
    """A sum over 14 parts of 10 pictures with two questions each; the truth of both right is E q^2 = p^2 + rho p (1 - p)."""
    import numpy as np

    parts, pictures, p, correlation = 14, 10, 0.7, 0.4
    right = random.binomial(2, chance(p, correlation, (draws, parts, pictures), random))
    score = (right / 2 + (right == 2)) / (2 * parts)
    part = score.mean(2, keepdims=True)
    psi = (score - part) / pictures * np.sqrt(pictures / (pictures - 1))
    truth = (p + p * p + correlation * p * (1 - p)) / 2
    return _held(part.sum((1, 2)), psi.reshape(draws, -1), truth, freedom=parts * (pictures - 1))


def two_models(sizes: Any, p: float, correlation: float, random: np.random.Generator) -> tuple[Any, Any, Any]:
    """Right and wrong of two equally good models (float[n] each) that agree on 60 % beyond chance, and clusters (int[n])."""
    import numpy as np

    cluster = np.repeat(np.arange(len(sizes)), sizes)
    skill = chance(p, correlation, (len(sizes),), random)[cluster]
    a = random.random(len(cluster)) < skill
    b = np.where(random.random(len(cluster)) < 0.6, a, random.random(len(cluster)) < skill)
    return a.astype(np.float64), b.astype(np.float64), cluster


def _tests(draws: int, random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Rejections by the exact test (never too many) and by its mid-p (near the level), and intervals of differences."""
    for design in DESIGNS:
        for n, p, correlation in ((500, 0.5, 0.2), (500, 0.9, 0.2), (60, 0.5, 0.0)):
            clusters = design.clusters(n)
            few = clusters < CLUSTERS_NEEDED or n * p * (1 - p) * 0.8 < 5 * MINORITY_NEEDED
            held, exact, middle = rejected(design, n, p, correlation, draws, random)
            more = {"p": p, "correlation": correlation}
            yield _row("test, exact", design.name, n, clusters, exact, (0.0, REJECTED[1]), False, **more)
            yield _row("test, mid-p", design.name, n, clusters, middle, REJECTED, few, **more)
            yield _row("difference", design.name, n, clusters, held, BAND, few, **more)


def rejected(
    design: Design, n: int, p: float, correlation: float, draws: int, random: np.random.Generator
) -> tuple[float, float, float]:
    """Percent of draws without a difference in which the interval holds 0, the exact p and the mid-p are at most 5 %."""
    import numpy as np

    held = exact = middle = 0
    for _ in range(draws):
        sizes = random.integers(design.smallest, design.largest + 1, design.clusters(n))
        a, b, cluster = two_models(sizes, p, correlation, random)
        found = paired(a, b, cluster)
        held += found.low <= 0 <= found.high
        exact += found.p <= LEVEL / 100
        middle += sign_flip(np.bincount(cluster, weights=b - a).astype(np.float64), middle=True)[0] <= LEVEL / 100
    return 100 * held / draws, 100 * exact / draws, 100 * middle / draws


def _family(draws: int, random: np.random.Generator) -> dict[str, Any]:
    """Families of benchmarks that ask about the same 200 pictures, without any difference: how often Holm rejects one."""
    import numpy as np

    alarms = 0
    for _ in range(draws):
        lean = random.random(200) < 0.5  # which model a picture suits, in every benchmark
        ps = []
        for _ in range(FAMILY):
            better, worse = random.random(200) < 0.8, random.random(200) < 0.65
            a, b = np.where(lean, better, worse), np.where(lean, worse, better)
            ps.append(paired(a.astype(np.float64), b.astype(np.float64), np.arange(200)).p)
        alarms += min(holm(ps)) <= LEVEL / 100
    return _row("family, Holm", f"{FAMILY} benchmarks on the same pictures", 200, 200, 100 * alarms / draws, (0.0, LEVEL), False)


def _write(page: Path, rows: list[dict[str, Any]], draws: int) -> None:
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{page}: holds no {BEGIN} ... {END}, between which the tables are written")
    page.write_text(f"{before}{BEGIN}\n\n{_tables(rows, draws)}\n{END}{after}", encoding="utf-8")


def _tables(rows: list[dict[str, Any]], draws: int) -> str:
    def show(value: Any) -> str:
        return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value}"

    columns = ("what", "name", "n", "clusters", "p", "correlation", "percent", "aim")
    lines = [
        f"{draws:,} data sets a row, a tenth of that for the family; aims hold within two standard errors of that measurement.",
        "",
    ]
    lines += [f"| {' | '.join(columns)} | |", f"|{'---|' * (len(columns) + 1)}"]
    for row in rows:
        mark = {True: "", None: "too coarse", False: "**missed**"}[row["ok"]]
        lines.append(f"| {' | '.join(show(row[name]) for name in columns)} | {mark} |")
    return "\n".join(lines) + "\n"
