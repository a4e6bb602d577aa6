from __future__ import annotations

import doctest
import importlib

import pytest

from harness.prompts import fill, letters, option_lines
from harness.types import Sample


def test_options_are_lettered_in_order() -> None:
    assert letters(["a", "b", "c"]) == ("A", "B", "C")
    assert option_lines(["red", "blue"], "({letter}) {text}") == "(A) red\n(B) blue"
    assert option_lines([]) == "" and letters([]) == ()


def test_an_option_with_braces_is_printed_as_it_is() -> None:
    assert option_lines(["{letter}", "{0}"]) == "A. {letter}\nB. {0}"


@pytest.mark.parametrize("module", ["harness.prompts", "harness.metrics.choice"])
def test_examples_in_docstrings_hold(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0 and result.failed == 0


def test_a_prompt_leaves_out_the_pieces_whose_field_is_empty_and_keeps_braces() -> None:
    ask = fill(
        "{start}{question}{unit}{options}",
        start=lambda sample: "Q: ",
        unit=" in {unit}",
        options="\n{options}",
        option="({letter}) {text}",
    )
    assert ask(Sample(id="1", question="{x}?", options=("{y}",), fields={"unit": "{z}"})) == "Q: {x}? in {z}\n(A) {y}"
    assert ask(Sample(id="1", question="{x}?", fields={"unit": ""})) == "Q: {x}?"


def test_options_may_stand_on_one_line() -> None:
    assert option_lines(["a", "b"], "{letter}.{text}", between=" ") == "A.a B.b"
