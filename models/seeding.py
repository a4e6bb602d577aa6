"""Values that follow from names: fingerprints of settings, and draws seeded by a request's key.

Not here: request keys (``harness.keys``). Draws are hashes, not a generator's state, so that an answer depends on its own
request only and never on the order in which requests arrive.
"""

from __future__ import annotations

import hashlib
import json


def digest_of(*values: object) -> str:
    """Return 32 hex digits (BLAKE2b, 128 bit) of plain JSON values, in order. Raises TypeError for other values."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def integer_of(*values: object) -> int:
    """Return a uniform 63-bit integer that is a function of the values."""
    return int(digest_of(*values), 16) >> 65


def unit_of(*values: object) -> float:
    """Return a uniform number in [0, 1) that is a function of the values."""
    return (integer_of(*values) >> 10) / 2**53
