"""Draws seeded by names, such as a request's key.

They are hashes, not a generator's state, so that an answer depends on its own request only and never on the order in which
requests arrive or on what is answered beside it.
"""

from __future__ import annotations

from harness.keys import hash_of


def integer_of(*values: str | int) -> int:
    """Return a uniform 63-bit integer that is a function of the values."""
    return int(hash_of(values, 8), 16) >> 1


def unit_of(*values: str | int) -> float:
    """Return a uniform number in [0, 1) that is a function of the values."""
    return (integer_of(*values) >> 10) / 2**53
