"""The forms of a board beside HTML: the same numbers in each, hostile names harmless in each."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from harness.errors import ResultError
from reports.formats import SCHEMA, WRITERS
from reports.latex import escape
from reports.leaderboard import build_leaderboard
from tests.reports.conftest import write_run

FILES = {file for file, _ in WRITERS.values()}
HOSTILE = "\\input{/etc/passwd}%_&[x]|<b>\n\x1b"


@pytest.fixture
def out(runs: Path, tmp_path: Path) -> Path:
    """Two models, a baseline, a metric without a value, an incomplete run and a broken one, in all formats but HTML."""
    write_run(runs, "nano", value=0.7251, **{"data.fingerprint": "abc"})
    write_run(runs, HOSTILE, value=math.nan, **{"data.fingerprint": "abc"})
    write_run(runs, "oracle", "mme", kind="baseline", value=1234.5)
    write_run(runs, "late", complete=False)
    (write_run(runs, "bad") / "run.json").write_text("{")
    out = tmp_path / "out"
    written = build_leaderboard(runs, out, formats=tuple(WRITERS)).paths
    assert {path.name for path in written} == {path.name for path in out.iterdir()} == FILES
    return out


def test_csv_parquet_and_json_hold_the_same_records(out: Path) -> None:
    rows = parquet.read_table(out / "leaderboard.parquet").to_pylist()
    with (out / "leaderboard.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    document = json.loads((out / "leaderboard.json").read_text())
    nested: list[dict[str, Any]] = [{**run, **metric} for run in document["runs"] for metric in run["metrics"]]
    assert len(rows) == len(lines) == len(nested) == 6
    for row, line, other in zip(rows, lines, nested, strict=True):
        assert list(row) == list(line)
        assert {name: other[name] for name in row} == row
        assert (line["primary"] == "yes") is row["primary"]
        assert (math.nan if row["value"] is None else row["value"]) == pytest.approx(float(line["value"]), nan_ok=True)
    (own,) = [row for row in rows if row["model"] == "nano" and row["primary"]]
    known = {"value": 0.7251, "n": 8, "clusters": 8, "convention": "official", "version": "1", "judge": ""}
    assert known.items() <= own.items() and own["data_fingerprint"] == "abc"
    assert own["run_fingerprint"] == "f" * 16 and own["low"] < own["value"] < own["high"]


def test_json_follows_the_schema_that_ships(out: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema: pip install jsonschema")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    text = (out / "leaderboard.json").read_text()
    document = json.loads(text)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(document)
    assert document["incomplete"][0]["answered"] == 8 and len(document["unreadable"]) == 1
    assert str(out.parent) not in text
    document["runs"][0]["metrics"][0]["value"] = "high"
    assert not validator.is_valid(document)


def test_latex_has_no_command_of_a_name_and_as_many_cells_as_columns(out: Path) -> None:
    text = (out / "leaderboard.tex").read_text()
    assert "72.5" in text and r"{\scriptsize {[}67.5, 77.5{]}, $n$ 8" in text and r"\textit{oracle}" in text
    assert r"\input" not in text and r"\textbackslash{}input\{/etc/passwd\}\%\_\&{[}x{]}" in text
    assert all(char.isprintable() or char == "\n" for char in text)
    for command in ("toprule", "midrule", "bottomrule", "caption", "label"):
        assert f"\\{command}" in text
    lines = [line for line in text.splitlines() if line.endswith((r"\\", r"\\[2pt]"))]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {2}
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert escape("[a]*~") == r"{[}a{]}{*}\textasciitilde{}"


def test_a_wide_board_is_cut_into_tables(runs: Path, tmp_path: Path) -> None:
    for number in range(8):
        write_run(runs, "nano", f"task{number}")
    build_leaderboard(runs, tmp_path / "out", formats=("latex",))
    text = (tmp_path / "out" / "leaderboard.tex").read_text()
    assert text.count(r"\begin{table}") == 2 and len(set(re.findall(r"\\label{(.*)}", text))) == 2


def test_lm_evals_columns_are_there_to_paste(out: Path) -> None:
    text = (out / "leaderboard.lm_eval.md").read_text()
    assert "| Tasks | Version | Filter | n-shot | Metric |  | Value |  | Stderr |" in text
    assert "| pope@mini | 1 | official |  | accuracy | ↑ | 0.7251 | ± | 0.0250 |" in text
    assert "|  -  | 1 | official |  | accuracy/random | ↑ | 0.7251" in text
    assert "N/A" in text and "<b>" not in text
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")} == {10}


def test_an_unknown_format_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="unknown format 'markdown'"):
        build_leaderboard(tmp_path / "none", tmp_path, formats=("markdown",))
    with pytest.raises(ResultError, match="none given"):
        build_leaderboard(tmp_path / "none", tmp_path, formats=())
