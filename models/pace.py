"""How many requests may be on their way at once, learnt from a server's refusals.

Additive increase, multiplicative decrease (Chiu and Jain 1989; TCP's congestion avoidance, RFC 5681): each answer lets the limit
grow by 1 / limit, so by one a round, and a refusal halves it. Of the requests that were sent under one limit only the first
refusal counts: the others tell nothing new. Pure arithmetic; who waits for what is the client's affair (`models.openai_chat`).
"""

from __future__ import annotations


class Pace:
    """A limit between 1 and ``most``, which it starts at.

    Attributes:
        limit: requests that may be on their way.
        cuts: how often it was halved; a request remembers the number at which it was sent.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = float(most)
        self.cuts = 0

    @property
    def limit(self) -> int:
        """The limit in whole requests."""
        return int(self._limit)

    def answered(self) -> None:
        """Note that a request was not refused."""
        self._limit = min(self._most, self._limit + 1.0 / self._limit)

    def refused(self, sent_at: int) -> None:
        """Note that a request was refused that was sent when ``cuts`` was ``sent_at``."""
        if sent_at == self.cuts:
            self._limit = max(1.0, self._limit / 2.0)
            self.cuts += 1
