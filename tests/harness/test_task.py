"""What a benchmark's own functions may do to a run: a record that does not fit is named with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data.sources import Row
from harness.errors import ConfigError, DatasetError
from harness.metrics.aggregate import Metric, mean
from harness.run import evaluate
from harness.types import Record, Sample
from tests.harness.fakes import FakeModel, toy_task, write_toy

GOOD = Sample(id="1", question="Q?", options=("A",), references=("A",), cluster="c", groups={"kind": "k"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": 7}, "'int' object has no attribute 'encode'"),
        ({"id": "\ud800"}, "surrogates not allowed"),
        ({"question": None}, "question must be text, found NoneType None"),
        ({"references": ("a", 5)}, "references must be text, found int 5"),
        ({"references": None}, "must be an iterable, not NoneType"),
        ({"options": ({},)}, "options must be text, found dict {}"),
        ({"cluster": 3.5}, "cluster must be text, found float 3.5"),
        ({"groups": {"kind": None}}, "groups must be text, found NoneType None"),
    ],
)
def test_a_sample_of_other_types_is_named_with_the_place_of_its_record(changes: dict[str, Any], message: str) -> None:
    rows = [Row({}, "data.jsonl line 1"), Row({"bad": 1}, "data.jsonl line 2")]
    task = toy_task(to_sample=lambda record: replace(GOOD, **changes) if record else GOOD)
    samples = task.samples(rows)
    assert next(samples) == GOOD
    with pytest.raises(DatasetError) as caught:
        next(samples)
    assert str(caught.value).startswith("data.jsonl line 2: does not fit the benchmark (") and message in str(caught.value)


@pytest.mark.parametrize("references", [(), ("",)])
def test_a_record_without_a_right_answer_is_named_with_its_empty_fields(references: tuple[str, ...]) -> None:
    values = ({"answers": ["a"], "hint": ""}, {"answers": [], "hint": None, "n": 0})
    rows = [Row(one, f"val.json record {number}") for number, one in enumerate(values, start=1)]
    task = toy_task(to_sample=lambda record: GOOD if record["answers"] else replace(GOOD, references=references))
    samples = task.samples(rows)
    assert next(samples) == GOOD
    with pytest.raises(DatasetError, match=r"^val\.json record 2: no right answer \(fields that are empty: answers, hint\); "):
        next(samples)


def test_the_quick_look_at_types_passes_nothing_that_the_slow_one_names() -> None:
    class Name(str):
        """A text of another class, as some readers of tables have."""

    (sample,) = toy_task(to_sample=lambda record: replace(GOOD, id=Name("é"))).samples([{}])
    assert sample.id == "é"


def test_what_to_sample_raises_is_named_with_the_place_of_the_record() -> None:
    def to_sample(record: Record) -> Sample:
        return replace(GOOD, id=record["id"].strip())

    with pytest.raises(DatasetError, match=r"record 1: does not fit .*AttributeError: 'int' object has no attribute 'strip'"):
        list(toy_task(to_sample=to_sample).samples([{"id": "1"}, {"id": 2}]))


def test_a_primary_metric_that_is_none_is_named_before_anything_runs() -> None:
    official = toy_task().conventions["official"]
    assert replace(official, primary="accuracy/0").primary == "accuracy/0"
    with pytest.raises(ConfigError, match=r"primary='acuracy' is the name of no metric \(there are: accuracy"):
        replace(official, primary="acuracy")


def test_a_metric_over_a_score_that_is_none_is_named_with_those_there_are(tmp_path: Path) -> None:
    write_toy(tmp_path / "data")
    wrong = Metric(name="accuracy", estimator=mean("corect"))
    task = toy_task(conventions={"official": replace(toy_task().conventions["official"], metrics=(wrong,))})
    with pytest.raises(ConfigError, match="convention 'official': a metric has no score 'corect' .*there are: correct"):
        evaluate(task, FakeModel(), tmp_path / "data", runs=tmp_path / "runs")


def test_a_prompt_that_cannot_be_built_stops_the_run_and_names_the_sample(tmp_path: Path) -> None:
    write_toy(tmp_path / "data")
    task = toy_task(prompt=lambda sample: sample.options[int(sample.id[-1]) - 8])
    with pytest.raises(DatasetError, match=r"sample 'toy-0': does not fit the benchmark \(IndexError"):
        evaluate(task, FakeModel(), tmp_path / "data", runs=tmp_path / "runs")
