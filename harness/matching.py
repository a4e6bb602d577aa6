"""Pairs the numbers of a run with those that another scorer gave for the same replies, by name or by value.

Which metric stands for which number is data (`Rule`); what no rule names is paired where a value agrees and a name does too. Not
here: scoring (`harness.reproduce`), and reading cases (`harness.cases`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Literal

from harness.metrics.aggregate import Estimate

Scale = Literal["value", "tenfold", "percent", "count", "n"]
"""How a number counts what a metric says: as it is, times 10 or 100, times the units behind it, or those units themselves."""

SCALES: tuple[Scale, ...] = ("value", "percent", "count")
SIZES = frozenset(["n", "num", "total", "count", "examples", "items", "rows", "questions", "groups"])
"""Last names of numbers that say how many units there are."""

NOISE = 1e-9
"""Relative difference that two orders of the same additions may leave."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which metric gives which number of a case.

    Attributes:
        expected: path of a number (``random.f1``); ``*`` stands for any one name.
        metric: of ours; each ``*`` takes the next name that one of ``expected`` stood for, ``{0}`` the first of them, and so on.
        convention: under which the replies are scored; of several the first counts under which the number is equal.
        task: which scores them, where it is not the case's benchmark.
        scale: how the number counts; the nearest unless given.
        rounded: decimals to which the scorer rounds before it scales and rounds again; None if it does not.
        published: path of the number that was printed.
        headline: whether it stands in the first table; rules without ``*`` do.
        held: whether it must be equal to the digit; if not, ``cause`` says why it cannot.
        cause: why numbers differ.
    """

    expected: str
    metric: str
    convention: tuple[str, ...] = ("official",)
    task: str | None = None
    scale: Scale | None = None
    rounded: int | None = None
    published: str | None = None
    headline: bool | None = None
    held: bool = True
    cause: str = ""

    def metric_at(self, path: str) -> str | None:
        """Return the metric for the number at ``path``; None if the rule is about others."""
        pattern = re.escape(self.expected).replace(r"\*", "(.+?)")
        if not (found := re.fullmatch(pattern, path)):
            return None
        names = iter(found.groups())
        filled = re.sub(r"\{(\d)\}", lambda one: found.groups()[int(one[1])], self.metric)
        return re.sub(r"\*", lambda _: next(names), filled)

    @property
    def leads(self) -> bool:
        """Whether its number stands in the first table."""
        return "*" not in self.expected if self.headline is None else self.headline


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The estimates of one run under one convention."""

    task: str
    convention: str
    estimates: tuple[Estimate, ...]

    def find(self, name: str) -> Estimate | None:
        """Return a metric by name, capitals and marks aside."""
        return next((one for one in self.estimates if _plain(one.name) == _plain(name)), None)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A number of a case beside ours; ``ours`` is None where riddle has no such metric.

    Attributes:
        path: of the number among those expected.
        expected: what the other scorer gives.
        published: what was printed; None if nothing was.
        ours: our value on the same scale, with its interval.
        metric: of ours, with task and convention that gave it.
        n: units behind it.
        equal: whether the two are the same to the digits that ``expected`` has.
        held: whether they have to be.
    """

    path: str
    expected: float
    published: float | None = None
    ours: float | None = None
    low: float | None = None
    high: float | None = None
    metric: str = ""
    task: str = ""
    convention: str = ""
    n: int | None = None
    equal: bool = False
    held: bool = True
    headline: bool = False
    by_rule: bool = False
    cause: str = ""


Compared = Callable[[Metrics, Estimate, Scale], Match]
"""Puts a metric beside the number that is looked for."""


def digits(number: float) -> int:
    """How many decimals a number is printed with: none if it is whole by type, else at least one.

    >>> digits(36.3), digits(453), digits(185.0), digits(1e-05)
    (1, 0, 1, 5)
    """
    if isinstance(number, int):
        return 0
    exponent = Decimal(repr(number)).normalize().as_tuple().exponent
    return max(1, -exponent) if isinstance(exponent, int) else 1


def agree(ours: float, expected: float, decimals: int | None = None) -> bool:
    """Whether a value is the expected one, rounded to the decimals that this has; a whole number is a count, and no rounded one.

    >>> agree(0.36314985 * 100, 36.3), agree(36.36, 36.3), agree(452.9999999999, 453), agree(0.604, 0.6, 3)
    (True, False, True, False)
    """
    printed = digits(expected) if decimals is None else decimals
    half = 0.0 if isinstance(expected, int) else 0.5 * 10**-printed
    return abs(ours - expected) <= half + NOISE * max(1.0, abs(expected))


def _decimals(expected: Mapping[str, float]) -> dict[str, int]:
    """The decimals of each number, as many as any of the same last name below the same head has: 0.6 beside 0.533 is 0.600."""
    most: dict[tuple[str, str], int] = {}
    kinds = {path: (path.partition(".")[0], _end(path)) for path in expected}
    for path, kind in kinds.items():
        most[kind] = max(most.get(kind, 0), digits(expected[path]))
    return {path: most[kind] for path, kind in kinds.items()}


def _end(path: str) -> str:
    return path.split(".")[-1]


def matches(
    expected: Mapping[str, float], published: Mapping[str, float], runs: Sequence[Metrics], rules: Sequence[Rule]
) -> Iterator[Match]:
    """Pair every expected number, by the first rule that is about it, or else by value and name."""
    decimals = _decimals(expected)
    for path, number in expected.items():
        ruled = next(((rule, name) for rule in rules if (name := rule.metric_at(path)) is not None), None)
        compared = partial(_match, path, number, decimals[path])
        if ruled is None:
            match = _by_value(path, number, runs, compared, bool(rules))
        else:
            match = _by_rule(path, number, runs, compared, *ruled)
        printed = published.get(ruled[0].published) if ruled and ruled[0].published else _printed(path, published)
        yield replace(match, published=printed)


def _by_rule(path: str, number: float, runs: Sequence[Metrics], compared: Compared, rule: Rule, name: str) -> Match:
    scales = (rule.scale,) if rule.scale else SCALES
    tried = []
    for convention in rule.convention:
        for run in runs:
            if run.convention == convention and rule.task in (None, run.task) and (one := run.find(name)):
                one = one if rule.rounded is None else replace(one, value=round(one.value, rule.rounded))
                tried += [compared(run, one, scale) for scale in scales]
    best = min(tried, key=lambda one: (not one.equal, _apart(one)), default=Match(path=path, expected=number, metric=name))
    return replace(best, held=rule.held, headline=rule.leads, by_rule=True, cause=rule.cause)


def _by_value(path: str, number: float, runs: Sequence[Metrics], compared: Compared, ruled: bool) -> Match:
    """Pair by value where names share a word, or else, where no rules are, with a metric of exactly this name."""
    whole = isinstance(number, int)
    of_size = whole and _end(path).lower() in SIZES
    scales: tuple[Scale, ...] = ("n", "count") if of_size else (*SCALES, "n") if whole else SCALES
    every = [compared(run, one, scale) for run in runs for one in run.estimates for scale in scales]
    likely = [one for one in every if one.equal and (of_size or _shared(one) or (not ruled and _telling(number)))]
    if not likely and not ruled and not of_size and "." not in path:  # deeper ones are of parts, or of another scorer
        named = [one for one in every if _plain(one.metric) == _last(path)]
        likely = [one for one in named if one.convention == "official"] or named
        likely = [min(likely, key=_apart)] if likely else []
    best = max(likely, key=lambda one: (_shared(one), one.convention == "official"), default=Match(path=path, expected=number))
    headline = not ruled and not of_size and bool(best.metric) and "/" not in best.metric
    return replace(best, headline=headline)


def _match(path: str, number: float, decimals: int, run: Metrics, one: Estimate, scale: Scale) -> Match:
    by = {"value": 1.0, "tenfold": 10.0, "percent": 100.0, "count": float(one.n), "n": 0.0}[scale]
    value, low, high = (float(one.n),) * 3 if scale == "n" else (one.value * by, one.low * by, one.high * by)
    return Match(
        path=path, expected=number, ours=value, low=low, high=high, metric=one.name, task=run.task, convention=run.convention,
        n=one.n, equal=agree(value, number, decimals),
    )  # fmt: skip


def _apart(one: Match) -> float:
    gap = abs((one.ours or 0.0) - one.expected)
    return gap if gap == gap else float("inf")


def _printed(path: str, published: Mapping[str, float]) -> float | None:
    """The published number of the same name."""
    return next((value for name, value in published.items() if _plain(name) == _plain(path)), None)


def _telling(number: float) -> bool:
    """Whether a number has digits enough not to agree by chance."""
    return len(repr(abs(number)).replace(".", "").strip("0")) >= 4


def _shared(one: Match) -> int:
    """How many words the path has in common with the metric, its convention and its task."""
    right = {"accuracy"} if _end(one.path) == "correct" else set()
    return len((_words(one.path) | right) & _words(f"{one.metric} {one.convention} {one.task}"))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+[0-9]*", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())) - {"percent", "all", "eval"}


def _last(path: str) -> str:
    return re.sub(r"(percent|score|official)", "", _plain(_end(path)))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())
