"""Free text answers, as they are and stripped."""

from __future__ import annotations

import pytest

from harness.parsers.text import as_given, stripped
from harness.types import Parsed, Sample

SAMPLE = Sample(id="s")


def test_padding_is_kept_or_stripped() -> None:
    assert as_given(" a\n", SAMPLE) == Parsed(" a\n")
    assert stripped(" a\n", SAMPLE) == Parsed("a")


@pytest.mark.parametrize("reply", ["", " ", "\n\t"])
def test_a_blank_reply_is_unparsed(reply: str) -> None:
    assert as_given(reply, SAMPLE) == Parsed(reply, "empty reply")
    assert stripped(reply, SAMPLE) == Parsed("", "empty reply")
