from __future__ import annotations

import doctest
import importlib

import pytest

from harness.prompts import letters, option_lines


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
