"""How requests of lm-eval's kind (a context, and continuations or a way to generate) are asked of models here.

Both directions of the bridge use it, so that one model gives one answer whichever harness asks. Chat models put their own mark
between question and answer, so a continuation is weighed as an answer, without its leading blank. Not here: lm-eval itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ConfigError
from harness.types import Generation

LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""What a generation's limit is called; lm-eval's models take 256 where there is none."""

_NEUTRAL = {"do_sample", "temperature", "top_p", "until", "num_beams", "seed", *LENGTHS}

PROBE = Generation(max_new_tokens=32)
"""How a model is asked for its own continuation, to compare it with a given one."""


def generation_of(settings: Mapping[str, Any]) -> Generation:
    """Translate ``generation_kwargs``.

    Raises:
        ConfigError: a setting has no counterpart here.
    """
    unknown = sorted(set(settings) - _NEUTRAL)
    if unknown or settings.get("num_beams") not in (None, 1):
        raise ConfigError(f"generation_kwargs: {', '.join(unknown) or 'num_beams'} cannot be asked of riddle's models")
    until = settings.get("until") or ()
    length = next((settings[name] for name in LENGTHS if settings.get(name) is not None), 256)
    sampled = bool(settings.get("do_sample"))
    return Generation(
        max_new_tokens=int(length),
        temperature=float(settings.get("temperature", 1.0)) if sampled else 0.0,
        top_p=float(settings.get("top_p") or 1.0) if sampled else 1.0,
        stop=(until,) if isinstance(until, str) else tuple(until),
    )


def ended(text: str, stops: Sequence[str]) -> str:
    """Cut a reply before the first stop, for servers that leave it in.

    >>> ended("42 Question: why", ["Question"])
    '42 '
    """
    for stop in filter(None, stops):
        text = text.partition(stop)[0]
    return text


def answer_of(continuation: str) -> str:
    """The continuation as a closed answer.

    >>> answer_of(" blue")
    'blue'
    """
    return continuation.lstrip()


def continues(reply: str, continuation: str) -> bool:
    """Whether a greedy reply begins with the continuation: what stands here for lm-eval's ``is_greedy``.

    >>> continues(" blue, I think", "blue")
    True
    """
    return reply.lstrip().startswith(continuation.strip())
