from __future__ import annotations

from typing import Any

import pytest

from reports.answers import place_of


@pytest.mark.parametrize(
    ("answer", "reply", "prompt", "marked"),
    [
        ("yes", "No? No. Yes, yes", "", "yes"),
        ("B", "Because of B, not C", "", "B"),
        ("A", "green", "Which?\nA. green\nB. red", "green"),
        ("C", "it goes down", "Where? A.up B.left C.down D.right", "down"),
        ("A", "I do not know", "A. green", None),
        ("cat", "concatenate", "", None),
        (1500, "about 1,500 or 1500.0", "", "1500.0"),
        (0.5, "nothing", "", None),
        ("3", "3.0 apples", "", "3"),
        ([0.1, 0.2, 0.3, 0.4], "[0.10,0.20,0.30,0.40]", "", "0.10,0.20,0.30,0.40"),
        ([0.1, 0.2, 0.3, 0.4], "box: (100, 200, 300, 400)", "", "100, 200, 300, 400"),
        ([1, 2, 3, 4], "1, 2, 3", "", None),
        (True, "true", "", None),
        (None, "None", "", None),
        ({"x": 1}, "x 1", "", None),
        ("", "", "", None),
        ("(", "a ( b", "", "("),
    ],
)
def test_the_words_that_an_answer_was_read_from(answer: Any, reply: str, prompt: str, marked: str | None) -> None:
    place = place_of(answer, reply, prompt)
    assert (None if place is None else reply[slice(*place)]) == marked


def test_a_very_long_reply_takes_no_time() -> None:
    assert place_of("zebra", "x" * 1_000_000) is None
    assert place_of([1.0, 2.0, 3.0, 4.0], "1 2 " * 200_000) is None
