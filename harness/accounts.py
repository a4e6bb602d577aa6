"""What replies took: tokens as their models report them, and the cost by the prices that a model was given.

Counted over the stored replies of a run, those taken over from other runs included; what an answer that was thrown away took
(a reply cut off by a fault) is known to nobody but the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.store import Reader

PRICES = ("prompt_price", "completion_price")
"""Of a million tokens, in the currency of whoever gave them."""


def prices_of(model: object) -> dict[str, float | None]:
    """Return the prices that a model was given; None where there is none."""
    limits = getattr(model, "limits", None)
    return {name: getattr(limits, name, None) for name in PRICES}


def usage(replies: Reader, prices: Mapping[str, float | None] | None) -> dict[str, Any]:
    """Return ``prompt_tokens``, ``completion_tokens`` and ``cost`` (None without prices) of all stored replies."""
    prompt, completion = replies.tokens()
    prompt_price, completion_price = ((prices or {}).get(name) for name in PRICES)
    priced = prompt_price is not None and completion_price is not None
    cost = (prompt * prompt_price + completion * completion_price) / 1e6 if priced else None  # type: ignore[operator]
    return {"prompt_tokens": prompt, "completion_tokens": completion, "cost": cost}
