from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.errors import ConfigError
from harness.schema import descriptions, read


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Inner settings.

    Attributes:
        rate: how fast
    """

    rate: float = 1.0

    def problems(self) -> Iterator[str]:
        if self.rate < 0:
            yield f"rate={self.rate:g}: must not be negative"


@dataclass(frozen=True, kw_only=True)
class Outer:
    """Outer settings.

    Attributes:
        name: what it is called, said
            on two lines
        count: how many
        kind: which
        where: a place
        items: several
        inner: more
        free: anything
    """

    name: str
    count: int | None = None
    kind: Literal["dense", "sparse"] = "dense"
    where: Path = Path()
    items: tuple[str, ...] = ()
    on: bool = False
    inner: Inner = Inner()
    free: Mapping[str, Any] = field(default_factory=dict)


def problems_of(values: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(Outer, values)
    return str(caught.value).splitlines()


def test_values_take_the_type_of_their_field():
    made = read(Outer, {"name": 7, "count": 3.0, "where": "a/b", "items": "one", "inner": {"rate": 2}, "on": True})
    assert made == Outer(name="7", count=3, where=Path("a/b"), items=("one",), inner=Inner(rate=2.0), on=True)
    assert isinstance(made.inner.rate, float)


def test_all_problems_are_named_together_with_the_nearest_names():
    found = problems_of({"nme": "x", "count": 1.5, "kind": "dens", "inner": {"rat": 1}, "on": "yes", "name": "???"})
    assert found == [
        "nme: unknown setting (did you mean 'name'?)",
        "name: missing; say name=NAME",
        "count=1.5: expected a whole number",
        "kind=dens: must be one of dense, sparse (did you mean 'dense'?)",
        "on='yes': expected true or false",
        "inner.rat: unknown setting (did you mean 'rate'?)",
    ]


def test_a_value_left_out_is_as_missing_as_one_marked_so():
    assert problems_of({}) == problems_of({"name": "???"})


def test_values_missing_deep_in_free_settings_are_found():
    assert problems_of({"name": "x", "free": {"a": {"b": "???"}, "c": 1}}) == ["free.a.b: missing; say free.a.b=VALUE"]


def test_a_class_may_check_itself():
    assert problems_of({"name": "x", "inner": {"rate": -1}}) == ["inner.rate=-1: must not be negative"]


def test_a_mapping_where_a_word_belongs_is_named():
    assert problems_of({"name": {"a": 1}}) == ["name: expected a text, got a mapping with a"]


def test_null_is_only_for_settings_that_may_be_empty():
    assert read(Outer, {"name": "x", "count": None}).count is None
    assert problems_of({"name": None}) == ["name=None: expected a text"]


def test_true_is_no_number():
    assert problems_of({"name": "x", "count": True}) == ["count=True: expected a whole number"]


def test_descriptions_come_from_the_docstring():
    assert descriptions(Outer)["name"] == "what it is called, said on two lines"
    assert list(descriptions(Outer)) == ["name", "count", "kind", "where", "items", "inner", "free"]
