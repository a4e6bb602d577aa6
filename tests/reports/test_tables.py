from __future__ import annotations

from pathlib import Path

import pytest

from reports.load import load_runs
from reports.tables import Board, Section, arrange
from tests.reports.conftest import Item, write_run


def board(root: Path) -> Board:
    return arrange(load_runs(root))


def only(section: Section) -> list[tuple[str, str, float]]:
    return [(row.label, " ".join(column.tags), cell.value.value) for (row, column), cell in section.cells.items()]


def test_mini_data_never_share_a_table_with_real_data(runs: Path) -> None:
    write_run(runs, "nano", value=0.8)
    write_run(runs, "llava", value=0.9, **{"data.name": "official"})
    sections = board(runs).sections
    assert [section.name for section in sections] == ["benchmarks", "mini"]
    assert [only(section)[0][0] for section in sections] == ["llava", "nano"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("convention", "vlmevalkit"),
        ("prompt", "plain"),
        ("judge", "gpt-4"),
        ("task.version", 2),
        ("data.name", "elsewhere"),
        ("data.fingerprint", "e" * 16),
    ],
)
def test_what_is_not_comparable_gets_a_column_of_its_own_that_says_so(runs: Path, field: str, value: str) -> None:
    write_run(runs, "nano", **({"data.name": "official"} if field == "data.name" else {}))
    write_run(runs, "nano_moe", **{field: value})
    (section,) = board(runs).sections
    assert len(section.columns) == 2
    assert section.columns[0].tags != section.columns[1].tags
    assert len(section.cells) == 2


def test_a_control_is_a_row_of_its_own_among_the_references(runs: Path) -> None:
    write_run(runs, "nano", value=0.8)
    write_run(runs, "nano", value=0.5, fingerprint="b" * 16, control="blind")
    (section,) = board(runs).sections
    model, control = section.rows
    assert (model.reference, control.reference) == (False, True)
    assert "blind control" in control.note
    assert len(section.columns) == 1


def test_baselines_are_marked_as_not_models_and_come_last(runs: Path) -> None:
    write_run(runs, "oracle", kind="baseline", value=0.99)
    write_run(runs, "nano", value=0.7)
    write_run(runs, "nano_moe", value=0.8)
    (section,) = board(runs).sections
    assert [row.label for row in section.rows] == ["nano_moe", "nano", "oracle"]
    assert section.rows[-1].note == "not a model"


def test_of_several_runs_the_newest_with_most_samples_is_shown_and_the_others_are_named(runs: Path) -> None:
    few = [Item(id=f"{i}") for i in range(3)]
    write_run(runs, "nano", items=few, value=0.9, fingerprint="a" * 16, started="2026-03-01T00:00", **{"data.n": 8})
    write_run(runs, "nano", value=0.7, fingerprint="b" * 16, started="2026-01-01T00:00")
    write_run(runs, "nano", value=0.6, fingerprint="c" * 16, started="2026-02-01T00:00", seed=1)
    result = board(runs)
    (cell,) = result.sections[0].cells.values()
    assert cell.value.value == 0.6
    assert "a" * 12 in result.footnotes[0] and "b" * 12 in result.footnotes[0] and "seed 1" in result.footnotes[0]


def test_a_partial_run_says_so(runs: Path) -> None:
    write_run(runs, "nano", **{"data.n": 400})
    result = board(runs)
    assert any("Only a part" in note for note in result.footnotes)


def test_two_trainings_of_one_name_are_two_rows(runs: Path) -> None:
    write_run(runs, "nano", value=0.7, fingerprint="a" * 16)
    write_run(runs, "nano", value=0.8, fingerprint="b" * 16, **{"model.fingerprint": "other"})
    (section,) = board(runs).sections
    assert sorted(row.label for row in section.rows) == sorted(["nano · other", f"nano · {section.rows[1].fingerprint[:6]}"])


def test_other_generation_settings_are_a_footnote(runs: Path) -> None:
    for name in ("a", "b", "c"):
        write_run(runs, name, **({"generation": {"temperature": 0.7}} if name == "c" else {}))
    assert [note for note in board(runs).footnotes if "0.7" in note]


def test_incomplete_and_broken_runs_are_listed_without_a_number(runs: Path) -> None:
    write_run(runs, "nano", complete=False)
    (write_run(runs, "bad") / "run.json").write_text("{")
    result = board(runs)
    assert result.sections == ()
    assert [run.model for run in result.incomplete] == ["nano"]
    assert len(result.broken) == 1


def test_lower_is_better_sorts_the_other_way(runs: Path) -> None:
    write_run(runs, "a", value=0.9, **{"task.higher_is_better": False})
    write_run(runs, "b", value=0.1, **{"task.higher_is_better": False})
    (section,) = board(runs).sections
    assert [row.label for row in section.rows] == ["b", "a"]
    assert section.columns[0].arrow == "↓"
