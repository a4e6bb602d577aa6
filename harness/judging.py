"""What a benchmark says of its judge: what a judge is asked about a reply, and how its word becomes an answer.

A reply that the convention's own parser cannot settle (its reason begins with ``needs judge``) is put to the judge. Declarations
only: asking is the work of `harness.judged`, scoring that of `harness.scoring`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.types import Parsed, Query, Sample

if TYPE_CHECKING:
    from harness.task import Convention, Parse

NEEDS_JUDGE = "needs judge"
"""How the reason begins where the official scorer hands the reply to a judge."""

UNJUDGED = "unjudged"
"""How the reason begins where a judge's word could not be read, as often as it was asked."""

UNSCORED = "unscored (needs judge)"
"""Stands for the judge, and for the number, where there is none and no rule either."""

RULE = "rule"
"""Stands for the judge where the convention's parser alone decides."""


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """A first question to the judge, where a scorer has it take the answer out of a reply before it decides on that answer.

    Attributes:
        ask: what to ask about a sample's reply.
        take: what of the judge's word is put in the reply's place, be it empty.
    """

    ask: Callable[[Sample, str], Query]
    take: Callable[[str], str] = str.strip


@dataclass(frozen=True, kw_only=True)
class Judging:
    """How a judge is asked and understood.

    Attributes:
        prompt: names the wording and its version (``mmvet-1``); part of what a judged number is called.
        ask: what to ask about a sample's reply: the sample, the reply, and how often it was asked before (0 at first). A judge
            whose word cannot be read is asked again, if ``attempts`` allows, in the words for the next time.
        read: takes the answer out of the judge's word; unparsed if it cannot.
        attempts: how often at most.
        rule: whether the convention's parser alone gives a meaningful score, what it leaves over being wrong.
        settles: decides which replies need no judge where there is one; the convention's parser unless given (`always` leaves
            every reply to the judge, whatever the rule makes of it).
        extraction: what the judge is asked first, where it decides in two steps.
        stored: reads what a file of grades holds, where that may be a code instead of the judge's words; ``read`` unless given.
    """

    prompt: str
    ask: Callable[[Sample, str, int], Query]
    read: Parse
    attempts: int = 3
    rule: bool = False
    settles: Parse | None = None
    extraction: Extraction | None = None
    stored: Parse | None = None


def always(reply: str, sample: Sample) -> Parsed:
    """The parser of benchmarks in which a judge decides everything."""
    return Parsed(None, NEEDS_JUDGE)


def with_judge(convention: Convention) -> Convention:
    """Return a convention as it reads replies where there is a judge."""
    judging = convention.judging
    return convention if judging is None or judging.settles is None else replace(convention, parse=judging.settles)


def needed(parsed: Parsed) -> bool:
    """Whether only a judge could read the reply."""
    return parsed.reason is not None and parsed.reason.startswith(NEEDS_JUDGE)


def named(judge: str, prompt: str) -> str:
    """What a judged number is called by: who judged, and in which words it was asked."""
    return f"{judge}, prompt {prompt}"
