"""Reading free text answers: the reply as it is, or without the white space at its ends.

Not here: letters, numbers, boxes and yes/no, which have modules of their own. Trivial on purpose: text metrics define their own
normalisation, and whether padding was stripped before them is a difference between published scorers.
"""

from __future__ import annotations

from harness.types import Parsed, Sample


def as_given(reply: str, sample: Sample) -> Parsed:
    """Take the whole reply, character by character; an empty or blank one counts as unparsed."""
    return Parsed(reply, None if reply.strip() else "empty reply")


def stripped(reply: str, sample: Sample) -> Parsed:
    """Take the reply without white space at its ends; an empty one counts as unparsed."""
    return Parsed(reply.strip(), None if reply.strip() else "empty reply")


def without_line_breaks(reply: str, sample: Sample) -> Parsed:
    """Take the whole reply without its line breaks, as X-PLUG/mPLUG-DocOwl UReader/pipeline/eval_utils/tools.py does."""
    return Parsed(reply.replace("\n", ""), None if reply.strip() else "empty reply")
