"""Writes a study: its tables, figures, findings and page, and the table of hypotheses over all studies beside it.

    OUT/<study>/<table>.csv, .parquet     tidy tables, the whole of what figures and findings are made from
    OUT/<study>/<figure>.svg, .png        the same bytes for the same tables
    OUT/<study>/findings.md, .json        hypotheses, verdicts and sentences
    OUT/<study>/index.html                all of it on one page that needs no other file
    OUT/hypotheses.md                     the verdicts of all studies in OUT

Not here: what a study computes.
"""

from __future__ import annotations

import base64
import importlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.results import read_json, whole, write_json
from reports.studies import STUDIES
from reports.studies.study import Finding, Options, Study, Tables, read_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS_SHOWN = 400
"""Rows of a table on the page; the files hold all."""

STYLE: Any = {
    "svg.hashsalt": "riddle",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


@dataclass(frozen=True, kw_only=True)
class Built:
    """A written study: its page, all files, and what was found."""

    index: Path
    paths: tuple[Path, ...]
    findings: tuple[Finding, ...]


def build_study(name: str, runs: Sequence[Path], out: Path, tasks: Sequence[str] = (), **options: Any) -> Built:
    """Make a study of finished runs and write it to ``out/<name>``.

    Args:
        name: one of `STUDIES`.
        runs: run folders, or roots of them.
        out: folder of all studies.
        tasks: only runs of these.
        options: fields of `Options`.

    Raises:
        ResultError: there are no such runs, or they do not hold what the study needs.
    """
    module, _, value = STUDIES[name].partition(":")
    study: Study = getattr(importlib.import_module(module), value)
    chosen = Options(**options)
    tables = study.load(read_runs(runs, tasks), chosen)
    findings = tuple(study.find(tables, chosen))
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    figures = _write_figures(folder, study, tables)
    paths = [*_write_tables(folder, tables), *figures, *_write_findings(folder, study, findings)]
    index = _write_page(folder, study, tables, findings, [path for path in figures if path.suffix == ".svg"])
    return Built(index=index, paths=(*paths, index, _write_hypotheses(out)), findings=findings)


def _write_tables(folder: Path, tables: Tables) -> list[Path]:
    paths: list[Path] = []
    for name, table in tables.items():
        for suffix in ("csv", "parquet"):
            path = folder / f"{name}.{suffix}"
            with whole(path) as temporary:
                if suffix == "csv":
                    table.to_csv(temporary, index=False, lineterminator="\n")
                else:
                    table.to_parquet(temporary, index=False)
            paths.append(path)
    return paths


def _write_figures(folder: Path, study: Study, tables: Tables) -> list[Path]:
    import matplotlib as mpl

    mpl.use("Agg", force=False)
    import matplotlib.pyplot as plt

    paths: list[Path] = []
    with mpl.rc_context(STYLE):
        for name, figure in study.draw(tables).items():
            paths += save_figure(figure, folder / name)
            plt.close(figure)
    return paths


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as SVG and PNG without times or random names in them."""
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("svg", "png")]
    for path in paths:
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
        with whole(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, bbox_inches="tight", metadata=metadata)
    return paths


def _write_findings(folder: Path, study: Study, findings: Sequence[Finding]) -> list[Path]:
    lines = [f"# {study.title}", "", study.question, ""]
    for one in findings:
        lines += [f"**{one.verdict.capitalize()}**: {one.hypothesis}{' (the paper)' if one.paper else ''}", "", one.text, ""]
    lines += [f"- {note}" for note in study.notes]
    text, record = folder / "findings.md", folder / "findings.json"
    with whole(text) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_json(record, {"schema": 1, "study": study.name, "title": study.title, "findings": [asdict(one) for one in findings]})
    return [text, record]


def _write_page(folder: Path, study: Study, tables: Tables, findings: Sequence[Finding], figures: Sequence[Path]) -> Path:
    from jinja2 import Environment, FileSystemLoader

    templates = Path(__file__).parent.parent / "templates"
    environment = Environment(loader=FileSystemLoader(templates), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    drawn = [(path.stem, "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()) for path in figures]
    listed = [
        (name, list(table.columns), [[_cell(value) for value in row] for row in table.head(ROWS_SHOWN).to_numpy()], len(table))
        for name, table in tables.items()
    ]
    page = environment.get_template("study.html.j2").render(study=study, findings=findings, figures=drawn, tables=listed)
    with whole(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "index.html"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def _write_hypotheses(out: Path) -> Path:
    """Gather the verdicts of all studies in a folder into one table."""
    lines = [
        "# Hypotheses and what the runs say",
        "",
        "| study | hypothesis | stated by | verdict | finding |",
        "|---|---|---|---|---|",
    ]
    for path in sorted(out.glob("*/findings.json")):
        record = read_json(path)
        for one in record["findings"]:
            cells = (record["study"], one["hypothesis"], "the paper" if one["paper"] else "here", one["verdict"], one["text"])
            lines.append("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    path = out / "hypotheses.md"
    with whole(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
