from __future__ import annotations

import unicodedata
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from reports.visible import anchor, plain, visible


def test_markup_is_shown_and_terminal_codes_are_named() -> None:
    assert "<script>" not in visible("<script>alert(1)</script>")
    assert "⟨ESC⟩[31m" in plain("\x1b[31mred")
    assert "⟨U+202E⟩" in visible("abc\u202edef")


def test_a_long_text_is_cut_with_its_length() -> None:
    shown = visible("x" * 1_000_000, 4000)
    assert len(shown) < 4200
    assert "4,000 of 1,000,000 characters" in shown


def test_windows_line_ends_are_no_hidden_characters() -> None:
    assert str(visible("a\r\nb")) == "a\nb"


@given(st.text(st.characters(), max_size=200))
def test_nothing_invisible_or_active_is_left(text: str) -> None:
    for shown in (str(visible(text)), plain(text)):
        assert not any(unicodedata.category(char) in ("Cc", "Cs") for char in shown.replace("\n", "").replace("\t", ""))
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u200b")
    assert "\n" not in plain(text)


@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=60))
def test_anchors_are_distinct_and_safe_in_links_and_file_names(one: str, other: str) -> None:
    assert (anchor(one) == anchor(other)) == (one == other)
    assert quote(anchor(one)) == anchor(one)
    assert "/" not in anchor(one)
