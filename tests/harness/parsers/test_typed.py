from __future__ import annotations

from typing import Any

import pytest

from harness.metrics.choice import correct_number
from harness.parsers.typed import as_written, by_rule, option_or_bare_number, without_decimals
from harness.types import Parsed, Sample


def asked(kind: str, *options: str, precision: float | None = None, references: tuple[str, ...] = ()) -> Sample:
    groups = {"question_type": "multi_choice" if options else "free_form", "answer_type": kind}
    return Sample(id="1", options=options, groups=groups, fields={"precision": precision}, references=references)


@pytest.mark.parametrize(
    ("extraction", "sample", "official", "lmms_eval", "vlmevalkit"),
    [
        ("B", asked("text", "dog", "cat"), "cat", "cat", "cat"),
        ("cats", asked("text", "dog", "cat"), "cat", "cat", "cat"),
        ("none of them", asked("text", "dog", "cat"), "dog", "dog", None),
        ("7.9", asked("integer"), "7", "7", None),
        ("7", asked("integer"), "7", "7", "7"),
        ("1.26", asked("float", precision=1), "1.3", None, "1.26"),
        ("1.26", asked("float", precision=1.0), None, None, "1.26"),
        ("1.26", asked("float"), "1", "1", "1.26"),
        ("(E)", asked("text", "catfish", "(a) cat", "A", "B", "catfish"), "catfish", "catfish", None),
        ("[1, 2] ", asked("list"), "[1, 2] ", "[1, 2]", None),
    ],
)
def test_each_scorer_writes_an_extraction_in_its_way(
    extraction: str, sample: Sample, official: Any, lmms_eval: Any, vlmevalkit: Any
) -> None:
    rules = (as_written, without_decimals, option_or_bare_number)
    assert tuple(rule(extraction, sample).answer for rule in rules) == (official, lmms_eval, vlmevalkit)


def test_a_reply_is_read_by_rule_before_it_is_written() -> None:
    read = by_rule(as_written)
    assert read("029", asked("integer")) == Parsed("29")
    assert read('The answer is "B".', asked("text", "dog", "cat")) == Parsed("cat")
    assert (read("It must be 29", asked("integer")).reason or "").startswith("needs judge")


def test_decimals_are_compared_as_numbers_and_options_as_texts() -> None:
    assert correct_number(Parsed("2.5"), asked("float", references=("2.50",))) == {"correct": 1}
    assert correct_number(Parsed("-0.0"), asked("float", references=("0",))) == {"correct": 1}
    assert correct_number(Parsed("nan"), asked("float", references=("nan",))) == {"correct": 0}
    assert correct_number(Parsed("[2.5]"), asked("list", references=("[2.5]",))) == {"correct": 1}
    assert correct_number(Parsed("2.5"), asked("text", "2.5", "2.50", references=("2.50",))) == {"correct": 0}
    assert correct_number(Parsed("2.50"), asked("text", "2.5", "2.50", references=("2.50",))) == {"correct": 1}
    assert correct_number(Parsed(None, "no reply"), asked("float", references=("2.50",))) == {"correct": 0}
