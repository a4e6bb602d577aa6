"""The card of a benchmark is read from its task file's docstring, and what is missing there is named."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.task import Card

DOCSTRING = """Toys: is there a toy: yes or no?

Paper: Doe et al., Toys,
2024: a study.
Data: toys.json at 0123456,
    5 pictures.
Licence: CC0.
Official scorer: score.py: the mean.
Differences: none.

Of this nothing is on the card.
"""


def test_facts_are_read_with_the_lines_that_follow_them() -> None:
    assert Card.of(DOCSTRING, split="all", n=5) == Card(
        title="Toys",
        asks="is there a toy: yes or no?",
        split="all",
        n=5,
        paper="Doe et al., Toys, 2024: a study.",
        data="toys.json at 0123456, 5 pictures.",
        scorer="score.py: the mean.",
        licence="CC0.",
        differences="none.",
    )


def test_a_file_of_several_tasks_names_each() -> None:
    assert Card.of(DOCSTRING, title="Toys test", split="test", n=2).title == "Toys test"


def test_only_the_differences_may_be_left_out() -> None:
    assert Card.of(DOCSTRING.replace("Differences: none.\n", ""), split="all", n=5).differences == ""


@pytest.mark.parametrize(
    ("docstring", "message"),
    [
        (None, "begins with 'Title: what is asked', found ''"),
        ("Toys\n\nPaper: a", "found 'Toys'"),
        (DOCSTRING.replace("Licence", "License"), "docstring of Toys: label 'License' is unknown (known: Paper, Data, Licence"),
        (DOCSTRING.replace("Data: ", "and "), "docstring of Toys: no 'Data:'"),
        (DOCSTRING.replace("CC0.", ""), "docstring of Toys: no 'Licence:'"),
        (DOCSTRING.replace("Data", "Paper"), "docstring of Toys: label 'Paper' stands twice"),
    ],
)
def test_a_label_that_is_wrong_or_missing_is_named(docstring: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Card.of(docstring, split="all", n=5)
    assert message in str(caught.value)
