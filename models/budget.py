"""A limit that no request may pass: how many are sent, how many tokens they take, what they cost.

Before a request is sent its worst case is reserved, and what it really took is settled afterwards; so the limits hold however
many requests are in flight. Pictures are not foreseen, only settled: how many tokens one takes is the server's secret. The
count begins anew with each command.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.types import Request, Text

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that one command may take; None is without limit.

    Attributes:
        requests: sent, repetitions included.
        tokens: of prompts and replies together.
        cost: in the currency of the prices.
        prompt_price, completion_price: of a million tokens.
    """

    requests: int | None = None
    tokens: int | None = None
    cost: float | None = None
    prompt_price: float | None = None
    completion_price: float | None = None

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a limit below 0, and for a limit of cost without prices."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(f"budget: {name}={value} (must not be negative)")
        if self.cost is not None and (self.prompt_price is None or self.completion_price is None):
            raise ConfigError("budget: a limit of cost needs prompt_price and completion_price (of a million tokens)")

    def cost_of(self, prompt: int, completion: int) -> float | None:
        """Return what tokens cost; None without prices."""
        if self.prompt_price is None or self.completion_price is None:
            return None
        return (prompt * self.prompt_price + completion * self.completion_price) / MILLION


@dataclass(frozen=True, slots=True)
class Hold:
    """The worst case of one request, in tokens."""

    prompt: int
    completion: int


def worst_case(request: Request) -> Hold:
    """Bound a request's tokens: no tokeniser makes more tokens of a text than it has bytes."""
    texts = [part.text for part in request.parts if isinstance(part, Text)]
    return Hold(sum(len(text.encode("utf-8", "replace")) + 16 for text in texts), request.generation.max_new_tokens)


class Ledger:
    """What has been taken of the limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = 0
        self.prompt = 0
        self.completion = 0

    def reserve(self, hold: Hold) -> bool:
        """Count a request with its worst case, unless that would pass a limit."""
        if any(self._passed(hold)):
            return False
        self.requests += 1
        self.prompt += hold.prompt
        self.completion += hold.completion
        return True

    def settle(self, hold: Hold, prompt: int | None, completion: int | None) -> None:
        """Put what was taken in place of the worst case, which stands where a server does not say."""
        self.prompt += 0 if prompt is None else prompt - hold.prompt
        self.completion += 0 if completion is None else completion - hold.completion

    def _passed(self, hold: Hold) -> Iterator[bool]:
        limits, prompt, completion = self.limits, self.prompt + hold.prompt, self.completion + hold.completion
        yield limits.requests is not None and self.requests + 1 > limits.requests
        yield limits.tokens is not None and prompt + completion > limits.tokens
        yield limits.cost is not None and (limits.cost_of(prompt, completion) or 0.0) > limits.cost

    def said(self) -> str:
        """Say what was taken, for people."""
        cost = self.limits.cost_of(self.prompt, self.completion)
        price = "" if cost is None else f", cost {cost:.4f}"
        return f"{self.requests} requests, {self.prompt + self.completion} tokens{price}"
