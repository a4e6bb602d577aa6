"""When to ask again: exponential back-off with a jitter that a seed decides, and never before a server says so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How often and after how long a transient failure is asked again.

    Attributes:
        retries: how often after the first attempt.
        base_s: seconds before the first retry; doubles with each.
        cap_s: longest wait in seconds that is chosen here; a server may ask for a longer one, up to ``patience_s``.
        seed: decides the jitter.
    """

    retries: int = 5
    base_s: float = 1.0
    cap_s: float = 60.0
    patience_s: float = 600.0
    seed: int = 0

    def delay_s(self, key: str, attempt: int, retry_after_s: float | None = None) -> float:
        """Return the seconds to wait before attempt ``attempt`` (1 is the first retry) of a request.

        Between half and the whole of ``base_s * 2**(attempt - 1)``, at most ``cap_s``; not below ``retry_after_s``, of which
        at most ``patience_s`` count.
        """
        word = hashlib.blake2b(f"{self.seed}\n{key}\n{attempt}".encode(), digest_size=8).digest()
        share = 0.5 + 0.5 * int.from_bytes(word, "big") / 2**64
        chosen = share * min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 60))
        return max(chosen, min(retry_after_s or 0.0, self.patience_s))
