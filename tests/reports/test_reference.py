from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.catalog import task_names
from reports.load import load_runs
from reports.reference import _read, capability, published, published_tables
from reports.tables import Column, arrange
from tests.reports.conftest import write_run


def column(runs: Path, task: str, data: str) -> Column:
    write_run(runs, "llava", task, **{"data.name": data})
    return arrange(load_runs(runs)).sections[0].columns[0]


def test_the_papers_tables_are_whole() -> None:
    tables = published_tables()
    assert [table.name for table in tables] == [f"table{number}" for number in range(1, 9)]
    assert sum(len(table.rows) for table in tables) == 92
    assert all(len(row.printed) == len(table.columns) for table in tables for row in table.rows)
    assert sum(number is None for table in tables for row in table.rows for number in row.printed) == 221


def test_published_numbers_stand_beside_the_benchmarks_own_data_only(runs: Path) -> None:
    own = column(runs, "docvqa", "official")
    assert set(published(own)) >= {"SPHINX", "SPHINX-Plus-2K", "SPHINX-MoE"}
    assert all(float(number) > 30 and table == "Table 4" for number, table in published(own).values())
    assert published(replace(own, data="mini")) == {}
    assert published(replace(own, task="my_task")) == {}


def test_what_is_said_of_benchmarks_is_said_of_benchmarks_there_are() -> None:
    known = set(task_names())
    columns = {name for table in _read("benchmarks.json")["paper_columns"].values() for name in table.values()}
    assert {name.partition("@")[0] for name in columns} <= known
    patterns = [pattern for some in _read("benchmarks.json")["capabilities"].values() for pattern in some]
    assert all(sum(fnmatchcase(task, pattern) for pattern in patterns) <= 1 for task in known)
    assert capability("pope") == "Hallucination" and capability("refcocog_val") == "Grounding" and capability("x") == "Other"
