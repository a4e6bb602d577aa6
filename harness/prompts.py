"""Instruction sentences and option lists that several benchmarks share.

Not here: a benchmark's own prompt (its task file has it as a literal). The sentences are those that published numbers were made
with, to the letter; a prompt is part of a task's version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_uppercase

from harness.task import Prompt
from harness.types import Sample

SHORT_ANSWER = "Answer the question using a single word or phrase."
"""LLaVA-1.5's instruction for short answers (llava docs/Evaluation.md), also used by SPHINX-X and lmms-eval."""

OPTION_LETTER = "Answer with the option's letter from the given choices directly."
"""LLaVA-1.5's instruction for multiple choice."""

UNANSWERABLE = "When the provided information is insufficient, respond with 'Unanswerable'."
"""LLaVA-1.5's further instruction where a question may have no answer (VizWiz); it stands before `SHORT_ANSWER`."""

PROPERTY = "What is the value for the {question}?"
"""UReader's question for a property of a document; the paper asks DeepForm and Kleister Charity without an instruction."""

BOX_OF_FRACTIONS = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). All values "
    "are floating point numbers bounded between 0 and 1. Please provide the bounding box coordinate of the region this sentence "
    "describes: {question}"
)
"""lmms-eval's request for one box, in fractions of the unpadded picture."""

BOX_AS_JSON = (
    'Locate every object that matches the description "{question}" in the image. Report bbox coordinates in JSON format.'
)
"""A request for boxes as JSON, for models that were trained to answer so."""


def letters(options: Sequence[str]) -> tuple[str, ...]:
    """The letters of the options: ``("A", "B", ...)``, at most 26."""
    return tuple(ascii_uppercase[: len(options)])


def option_lines(options: Sequence[str], form: str = "{letter}. {text}", between: str = "\n") -> str:
    r"""One line an option, in order, or with something else ``between`` them.

    >>> option_lines(["a cat", "a dog"])
    'A. a cat\nB. a dog'
    >>> option_lines(["a cat"], form="({letter}) {text}")
    '(A) a cat'
    """
    return between.join(form.format(letter=letter, text=text) for letter, text in zip(ascii_uppercase, options, strict=False))


def fill(template: str, *, option: str = "{letter}. {text}", **pieces: str | Callable[[Sample], str]) -> Prompt:
    r"""Make a prompt of a template that names ``{question}``, ``{options}`` and fields of the sample.

    Args:
        template: the literal text; braces in what is filled in stay as they are.
        option: how one option's line is written.
        pieces: texts that stand in the template under their own name: a template, left out where the field (or the options) of
            that name is empty, or a function of the sample.

    >>> ask = fill("{hint}{question}\n{options}", hint="Hint: {hint}\n")
    >>> ask(Sample(id="1", question="Which?", options=("a cat", "a dog"), fields={"hint": "It barks."}))
    'Hint: It barks.\nWhich?\nA. a cat\nB. a dog'
    >>> ask(Sample(id="2", question="Which?", options=("a {cat}",), fields={"hint": ""}))
    'Which?\nA. a {cat}'
    """

    def prompt(sample: Sample) -> str:
        values = {**sample.fields, "question": sample.question, "options": option_lines(sample.options, option)}
        shown = {
            name: piece(sample) if callable(piece) else piece.format_map(values) if values.get(name) else ""
            for name, piece in pieces.items()
        }
        return template.format_map({**values, **shown})

    return prompt
