"""Instruction sentences and option lists that several benchmarks share.

Not here: a benchmark's own prompt (its task file has it as a literal). The sentences are those that published numbers were made
with, to the letter; a prompt is part of a task's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

SHORT_ANSWER = "Answer the question using a single word or phrase."
"""LLaVA-1.5's instruction for short answers (llava docs/Evaluation.md), also used by SPHINX-X and lmms-eval."""

OPTION_LETTER = "Answer with the option's letter from the given choices directly."
"""LLaVA-1.5's instruction for multiple choice."""


def letters(options: Sequence[str]) -> tuple[str, ...]:
    """The letters of the options: ``("A", "B", ...)``, at most 26."""
    return tuple(ascii_uppercase[: len(options)])


def option_lines(options: Sequence[str], form: str = "{letter}. {text}") -> str:
    r"""One line an option, in order.

    >>> option_lines(["a cat", "a dog"])
    'A. a cat\nB. a dog'
    >>> option_lines(["a cat"], form="({letter}) {text}")
    '(A) a cat'
    """
    return "\n".join(form.format(letter=letter, text=text) for letter, text in zip(ascii_uppercase, options, strict=False))
