"""From replies to rows of scores; the same for replies of a run and for replies made elsewhere.

A sample without a reply (failed, missing) is scored like an unreadable answer, ``Parsed(None, reason)``: it stays in every
denominator and earns nothing. A parser or score that raises on a reply fails that sample, not the run. A reply that only a judge
could read has no score (not a number) until one has, unless the benchmark lets its rule stand alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from harness.errors import DatasetError, ResultError
from harness.judging import UNJUDGED, Judging, needed, with_judge
from harness.metrics.positions import POSITION, position_of
from harness.store import Stored
from harness.task import Convention
from harness.types import Parsed, Sample, Scored

Verdicts = Callable[[str], tuple[str, Stored] | None]
"""The judge's word on a sample's reply, by the sample's id, with the key it is stored under; None if it was not asked."""

BATCH = 1024
"""Replies that are scored at once where a convention can."""

_log = logging.getLogger(__name__)

_SCORER_ERRORS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, MemoryError)
"""What a parser or score raises on a reply that its author did not foresee."""


def score_reply(
    convention: Convention,
    sample: Sample,
    reply: str | None,
    *,
    failed: str | None = None,
    missing: bool = False,
    truncated: bool = False,
    keys: tuple[str, ...] = (),
    weights: tuple[float, ...] = (),
) -> Scored:
    """Parse and score one reply.

    Args:
        convention: parser and score.
        sample: what the reply answers.
        reply: the text; None if there is none.
        failed: why the sample failed, as ``kind: message``; its reply, if any, is shown but not scored.
        missing: whether a file of replies has none for this sample.
        truncated: whether the reply ended at the token limit.
        keys: the request keys behind the reply.
        weights: log-probabilities of the choices, where they were weighed instead of written.
    """
    return _score_one(convention, Answered(sample, reply, failed, missing, truncated, keys, weights))


class Answered(NamedTuple):
    """A sample with what came of it, as the arguments of `score_reply` say."""

    sample: Sample
    reply: str | None
    failed: str | None = None
    missing: bool = False
    truncated: bool = False
    keys: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    @classmethod
    def of(cls, sample: Sample, key: str, stored: Stored) -> Answered:
        """What a run has stored for a sample."""
        response = stored.response
        failure = response.failure
        return cls(
            sample,
            response.text if failure is None or response.text else None,
            failed=None if failure is None else f"{failure.kind}: {failure.message}",
            truncated=response.finish_reason == "length",
            keys=(key,),
            weights=response.logprobs,
        )


def _parsed(convention: Convention, one: Answered, reply: str) -> Parsed:
    """Read the answer from the weights of the choices where both the run and the convention have to do with them."""
    if one.weights and convention.weighed is not None:
        return convention.weighed(one.weights, one.sample)
    return convention.parse(reply, one.sample)


def score_many(convention: Convention, answered: Iterable[Answered]) -> Iterator[Scored]:
    """Score replies in order, many at once where the convention can; the same rows as one by one."""
    if convention.score_many is None or convention.judging is not None:
        yield from (_score_one(convention, one) for one in answered)
        return
    rest, size = iter(answered), None if convention.whole else BATCH
    while batch := list(islice(rest, size)):
        try:
            parsed = [
                Parsed(None, "failed" if one.failed is not None else "no reply")
                if one.reply is None or one.failed is not None
                else _parsed(convention, one, one.reply)
                for one in batch
            ]
            scores = convention.score_many(parsed, [one.sample for one in batch])
        except _SCORER_ERRORS:  # whichever reply it was fails alone
            yield from (_score_one(convention, one) for one in batch)
            continue
        yield from map(_row, batch, parsed, scores)


def _score_one(convention: Convention, one: Answered) -> Scored:
    sample, failed, parsed = one.sample, one.failed, None
    if one.reply is not None and failed is None:
        try:
            parsed = _parsed(convention, one, one.reply)
            scores = dict(convention.score(parsed, sample))
            if convention.judging and not convention.judging.rule and needed(parsed):
                scores = dict.fromkeys(scores, math.nan)
        except _SCORER_ERRORS as error:
            _log.warning("sample %s: the scorer raises on its reply", sample.id, exc_info=error)
            failed, parsed = f"score: {type(error).__name__}: {error}", None
    if parsed is None:
        parsed = Parsed(None, "failed" if failed is not None else "no reply")
        scores = dict(convention.score(parsed, sample))
    return _row(one if failed == one.failed else one._replace(failed=failed), parsed, scores)


def _groups(sample: Sample) -> Mapping[str, str]:
    """The groups of a sample, and where it has options the position of the right one."""
    position = position_of(sample) if sample.options and POSITION not in sample.groups else ""
    return {**sample.groups, POSITION: position} if position else sample.groups


def _row(one: Answered, parsed: Parsed, scores: Mapping[str, float]) -> Scored:
    sample = one.sample
    return Scored(
        sample_id=sample.id,
        cluster=sample.cluster,
        groups=_groups(sample),
        reply=one.reply,
        parsed=parsed,
        scores=scores,
        failed=one.failed,
        missing=one.missing,
        truncated=one.truncated,
        references=sample.references,
        keys=one.keys,
    )


def score_stored(convention: Convention, sample: Sample, key: str, stored: Stored) -> Scored:
    """Score what a run has stored for a sample."""
    return _score_one(convention, Answered.of(sample, key, stored))


def score_judged(convention: Convention, judging: Judging, row: Scored, sample: Sample, verdict: tuple[str, Stored]) -> Scored:
    """Score a reply by what the judge has said of it; ``row`` is what came of it without.

    A word that cannot be read is an unreadable answer (`harness.judging.UNJUDGED`); a judge that failed fails the sample.
    """
    key, stored = verdict
    judged = score_stored(replace(convention, parse=judging.read, judging=None), sample, key, stored)
    parsed = judged.parsed
    if judged.failed is not None:
        judged = replace(judged, failed=f"judge: {judged.failed}")
    elif parsed.reason is not None and parsed.answer is None:
        judged = replace(judged, parsed=replace(parsed, reason=f"{UNJUDGED}: {parsed.reason}"))
    return replace(judged, reply=row.reply, truncated=row.truncated, keys=(*row.keys, key))


def score_all(
    convention: Convention,
    samples: Iterable[Sample],
    planned: Iterable[tuple[str, str, Stored | None]],
    verdicts: Verdicts | None = None,
) -> Iterator[Scored]:
    """Score the samples of a run in order.

    Args:
        convention: parser, score and, with ``verdicts``, how the judge is read.
        samples: the benchmark's.
        planned: what the run has stored for each.
        verdicts: the judge's words, if there is a judge.

    Raises:
        ResultError: a sample has no response yet.
        DatasetError: the data give other samples, or another number of them, than the run has asked.
    """
    answered = _answered(samples, planned)
    if verdicts is None or convention.judging is None:
        yield from score_many(convention, answered)
        return
    reading = with_judge(convention)
    for one in answered:
        sample, row = one.sample, _score_one(reading, one)
        if row.failed is None and needed(row.parsed):
            verdict = verdicts(sample.id)
            if verdict is None:
                raise ResultError(f"sample {sample.id!r}: the judge has not been asked yet; give the run's command again")
            row = score_judged(convention, convention.judging, row, sample, verdict)
        yield row


def _answered(samples: Iterable[Sample], planned: Iterable[tuple[str, str, Stored | None]]) -> Iterator[Answered]:
    """Join the samples of a run with what it has stored, as `score_all` says."""
    rows = iter(planned)
    position = -1
    for position, sample in enumerate(samples):
        sample_id, key, stored = next(rows, (None, "", None))
        if sample_id != sample.id:
            raise DatasetError(
                f"sample {position} is {sample.id!r} in the data and {sample_id!r} in the run; the data are not those of the run"
            )
        if stored is None:
            raise ResultError(f"sample {sample.id!r} has no response yet; the run is incomplete, give its command again")
        yield Answered.of(sample, key, stored)
    if next(rows, None) is not None:
        raise DatasetError(f"the data end after {position + 1} samples, the run has more; the data are not those of the run")
