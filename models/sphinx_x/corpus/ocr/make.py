"""``riddle data ocr``: all PDFs of some folders to one corpus.

    OUT/
        conversations-00000.jsonl   the authors' annotation records, in the order of the PDFs' names
        layouts-00000.jsonl         blocks, lines and words with boxes of the same pages, line by line
        pages/ab/abcdef.../         the pages' pictures
        manifest.jsonl              each PDF: pages, how many were kept, why it or some of its pages were left out
        report.json                 the counts; written last: it stands for a finished corpus
        corpus.json                 the settings that decide the corpus, and a mark of the list of PDFs
        work/                       parts and journal of an unfinished corpus

A PDF is finished once its row stands in the journal, behind everything that belongs to it. So the command may be killed at any
time; the same command goes on, and leaves the same bytes as one that was never interrupted, with any number of workers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DatasetError
from harness.progress import INTERVAL_S
from harness.results import sync, whole
from harness.store import RunLock
from models.sphinx_x.corpus.ocr.config import OcrConfig
from models.sphinx_x.corpus.ocr.extract import pymupdf
from models.sphinx_x.corpus.ocr.pool import Lost, run_jobs
from models.sphinx_x.corpus.ocr.work import Job, make_pdf

log = logging.getLogger(__name__)

PARTS = ("conversations", "layouts")


def make_ocr(config: OcrConfig) -> list[dict[str, Any]]:
    """Make the corpus, or what is missing of it, and return one row: the report with folder, seconds and pages a second.

    Raises:
        ConfigError: there is no PDF, or the folder holds a corpus of other PDFs or settings.
        RunStopped: another process works in the folder.
    """
    module, started = pymupdf(), time.monotonic()
    jobs = list_jobs(config)
    work = config.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    with RunLock(work):
        _claim(config, jobs, module.VersionBind)
        report = config.out / "report.json"
        pages = 0
        if not report.is_file():
            rows = _read_journal(work / "journal.jsonl")
            pages = _work_off(config, [job for job in jobs if job.key not in rows], rows)
            _join(config, jobs, rows, report)
        shutil.rmtree(work)
    seconds = time.monotonic() - started
    speed = {"seconds": round(seconds, 1), "pages_per_s": round(pages / max(seconds, 1e-9), 1)}
    return [{"kind": "corpus", "folder": str(config.out), **json.loads(report.read_text(encoding="utf-8")), **speed}]


def list_jobs(config: OcrConfig) -> list[Job]:
    """Return the PDFs below the named folders, sorted by name. Raises ConfigError if there is none."""
    found: dict[str, Path] = {}
    for number, root in enumerate(config.pdfs):
        prefix = f"{number}/" if len(config.pdfs) > 1 else ""
        for path in [root] if root.is_file() else _below(root):
            name = path.name if path == root else path.relative_to(root).as_posix()
            found[prefix + name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")] = path
    if not found:
        raise ConfigError(f"pdfs={', '.join(map(str, config.pdfs))}: no file that ends in .pdf")
    return [
        Job(path=path, name=name, key=hashlib.sha256(name.encode()).hexdigest()[:16], out=config.out, page=config.page)
        for name, path in sorted(found.items())
    ]


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() == ".pdf" and path.is_file())


def _claim(config: OcrConfig, jobs: Iterable[Job], version: str) -> None:
    """Write what decides the corpus into its folder, or check that it is the same."""
    listed = "\n".join(f"{job.name}\t{job.path.stat().st_size}" for job in jobs)
    mark = hashlib.sha256(listed.encode()).hexdigest()
    wanted: Mapping[str, Any] = {**config.decisive(), "pymupdf": version, "pdfs": mark}
    path = config.out / "corpus.json"
    if not path.is_file():
        with whole(path) as part:
            part.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        return
    held = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in wanted if held.get(name) != wanted[name]]
    if changed:
        told = ", ".join("the list of PDFs" if name == "pdfs" else name for name in changed)
        raise ConfigError(f"{config.out} holds a corpus that differs in {told}; name another folder with ocr.out=FOLDER")


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of finished PDFs by key; a last line that was cut off by the end of a process is cut away."""
    if not path.is_file():
        return {}
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        os.truncate(path, sum(map(len, lines[:-1])))
        lines.pop()
    try:
        return {row["key"]: row for row in map(json.loads, lines)}
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: damaged journal ({error}); remove the corpus folder and start anew") from error


def _work_off(config: OcrConfig, jobs: list[Job], rows: dict[str, dict[str, Any]]) -> int:
    """Read the PDFs that are missing, adding their rows to journal and ``rows``; return how many pages were read."""
    pages, started = 0, time.monotonic()
    told = started
    with (config.out / "work" / "journal.jsonl").open("a", encoding="utf-8", newline="\n") as journal:
        finished = run_jobs(make_pdf, jobs, config.workers, config.step_limit_s, config.memory_mb)
        for number, (job, result) in enumerate(finished, start=1):
            row = _lost(job, result) if isinstance(result, Lost) else result
            journal.write(json.dumps(row) + "\n")
            journal.flush()
            sync(Path(journal.name))
            rows[job.key] = row
            pages += row["pages"]
            if time.monotonic() > told + INTERVAL_S:
                told = time.monotonic()
                log.info("%d of %d PDFs, %.1f pages/s", number, len(jobs), pages / (told - started))
    return pages


def _lost(job: Job, result: Lost) -> dict[str, Any]:
    job.forget()
    return {"pdf": job.name, "key": job.key, "pages": 0, "kept": 0, "skipped": result.reason}


def _join(config: OcrConfig, jobs: list[Job], rows: Mapping[str, Mapping[str, Any]], report: Path) -> None:
    """Join the parts to shards in the order of names; write manifest and report."""
    for what in PARTS:
        lines = chain.from_iterable(_lines(job.part(what)) for job in jobs if rows[job.key]["kept"])
        _write_shards(config.out, what, lines, config.shard)
    ordered = [rows[job.key] for job in jobs]
    with whole(config.out / "manifest.jsonl") as part:
        part.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in ordered), encoding="utf-8", newline="\n")
    with whole(report) as part:
        part.write_text(json.dumps(summary(ordered), indent=2) + "\n", encoding="utf-8")


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from file


def _write_shards(out: Path, what: str, lines: Iterator[str], size: int) -> None:
    for number, first in enumerate(lines):
        with whole(out / f"{what}-{number:05}.jsonl") as part, part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(first)
            file.writelines(line for _, line in zip(range(size - 1), lines, strict=False))


def summary(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count PDFs and pages of a manifest, those left out by reason, commonest first."""
    listed = list(rows)
    skipped = Counter(row["skipped"] for row in listed if "skipped" in row)
    dropped: Counter[str] = Counter()
    for row in listed:
        dropped.update({reason: len(pages) for reason, pages in row.get("dropped", {}).items()})
    return {
        "pdfs": len(listed),
        "pages": sum(row["pages"] for row in listed),
        "kept": sum(row["kept"] for row in listed),
        "pdfs_skipped": dict(sorted(skipped.items(), key=lambda item: (-item[1], item[0]))),
        "pages_dropped": dict(sorted(dropped.items(), key=lambda item: (-item[1], item[0]))),
    }
