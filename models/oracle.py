"""The baseline that knows the answers and errs on purpose: a row of known accuracy, for tests and demonstrations.

It needs the benchmark's ideal replies (`Capabilities.needs_ideal`), so its runs are marked as not a model. Whether it errs
is a hash of seed and request key. A wrong reply has the form of the right one, so that it is parsed and scored as wrong,
not as unparsed; only open text becomes the word "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.errors import ConfigError
from harness.keys import hash_of
from harness.model import Capabilities
from harness.types import Failure, Request, Response
from models.seeding import unit_of

_YES_NO = re.compile(r"^(\W*)(yes|no)\b", re.IGNORECASE)
_NUMBER = r"[-+]?\d*\.?\d+"
_BOX = re.compile(rf"\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{3}}\s*\]")
_OTHER_DIGIT = str.maketrans("0123456789", "5567891234")
"""Every digit changes, none becomes a leading zero, and a number moves by more than a tenth of itself."""


class Oracle:
    """Gives the ideal reply to a share ``accuracy`` of the requests and a wrong one of the same form to the others."""

    def __init__(self, accuracy: float = 0.8, seed: int = 0, *, name: str = "oracle") -> None:
        if not 0.0 <= accuracy <= 1.0:
            raise ConfigError(f"model.accuracy={accuracy} (must be between 0 and 1)")
        self.name = name
        self.accuracy = accuracy
        self.seed = seed
        self.fingerprint = hash_of(["oracle", 1, accuracy, seed])
        self.capabilities = Capabilities(images=True, several_images=True, video=True, needs_ideal=True)

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield a reply for each request, in order; a failure of kind ``model`` where the ideal reply is missing."""
        for request in requests:
            if request.ideal is None:
                message = f"sample {request.sample_id}: the request carries no ideal reply, which the oracle needs"
                failure = Failure(kind="model", message=message)
                yield Response(key=request.key, finish_reason="error", failure=failure)
                continue
            right = unit_of("oracle", self.seed, request.key) < self.accuracy
            yield Response(key=request.key, text=request.ideal if right else corrupt(request.ideal, request.choices))


def corrupt(text: str, choices: Sequence[str] = ()) -> str:
    """Turn a right reply into a wrong one of the same form.

    In this order: a reply that is one of ``choices``, or begins with one as a letter, becomes the next choice; a leading
    yes or no is flipped; a box ``[x1,y1,x2,y2]`` moves beyond its own lower right corner (IoU 0); in a reply without
    letters every digit changes; anything else becomes ``"unknown"`` (or ``"nothing"``, should that be right).
    """
    other = _other_choice(text, choices)
    if other is not None:
        return other
    if _YES_NO.match(text):
        return _YES_NO.sub(_flip, text, count=1)
    if _BOX.search(text):
        return _BOX.sub(_shift, text)
    if re.search(r"\d", text) and not re.search(r"[^\W\d_]", text):
        return text.translate(_OTHER_DIGIT)
    return "unknown" if text.strip().casefold() != "unknown" else "nothing"


def _other_choice(text: str, choices: Sequence[str]) -> str | None:
    """Return the choice after the one that the text is or begins with; None if there is no such choice or no other."""
    bare = text.strip().casefold()
    for index, choice in enumerate(choices):
        letter = re.match(rf"\(?{re.escape(choice)}[).:]", text.strip()) if len(choice) == 1 else None
        if bare == choice.strip().casefold() or bare.rstrip(".") == choice.strip().casefold() or letter:
            others = [other for other in (*choices[index + 1 :], *choices[:index]) if other != choice]
            return others[0] if others else None
    return None


def _flip(match: re.Match[str]) -> str:
    """Exchange yes and no, keeping what stands before it and its case."""
    word = match[2]
    flipped = "no" if word.casefold() == "yes" else "yes"
    if word.isupper():
        flipped = flipped.upper()
    elif word[0].isupper():
        flipped = flipped.capitalize()
    return match[1] + flipped


def _shift(match: re.Match[str]) -> str:
    """Move a box to its own lower right corner, so that the two share no area, with the decimals it had."""
    numbers = re.findall(_NUMBER, match[0])
    decimals = max(len(number.partition(".")[2]) for number in numbers)
    x1, y1, x2, y2 = (float(number) for number in numbers)
    moved = (max(x1, x2), max(y1, y2), max(x1, x2) + abs(x2 - x1), max(y1, y2) + abs(y2 - y1))
    return "[" + ",".join(f"{value:.{decimals}f}" for value in moved) + "]"
