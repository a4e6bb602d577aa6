"""All of one PDF: its pages' pictures, layouts and conversations, written so that an interrupted attempt can be repeated.

What is written follows from the PDF, its name and the settings alone. Pictures take their place at once; the two part files
come last and whole. Not here: which PDFs there are, and what becomes of the parts (``make``).
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.boxes import from_pixels
from harness.results import whole
from models.sphinx_x.corpus.ocr.config import PageConfig
from models.sphinx_x.corpus.ocr.converse import page_turns
from models.sphinx_x.corpus.ocr.extract import Unreadable, open_pdf, read_page
from models.sphinx_x.corpus.ocr.filters import reason_against
from models.sphinx_x.corpus.ocr.page import Page
from models.sphinx_x.corpus.records import Conversation, Mark, write_conversations

SOURCE = "ocr"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One PDF to be read.

    Attributes:
        path: where it is.
        name: its path below the folder that was searched, with forward slashes; names it in the corpus.
        key: sixteen hexadecimal digits that follow from the name; its folder and parts are called so.
        out: folder of the corpus.
        page: how its pages are made.
    """

    path: Path
    name: str
    key: str
    out: Path
    page: PageConfig

    @property
    def pictures(self) -> Path:
        """Folder of the pages' pictures."""
        return self.out / "pages" / self.key[:2] / self.key

    def part(self, what: str) -> Path:
        """File of finished ``conversations`` or ``layouts``, until it is joined with those of other PDFs."""
        return self.out / "work" / what / self.key[:2] / f"{self.key}.jsonl"

    def forget(self) -> None:
        """Remove whatever an earlier attempt has left."""
        shutil.rmtree(self.pictures, ignore_errors=True)
        for what in ("conversations", "layouts"):
            self.part(what).unlink(missing_ok=True)


@dataclass(slots=True)
class _Kept:
    conversations: list[Conversation] = field(default_factory=list)
    layouts: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, list[int]] = field(default_factory=dict)


def make_pdf(job: Job, step: Callable[[], None]) -> dict[str, Any]:
    """Read one PDF and return its row of the manifest; ``step`` is called after each page.

    The row has ``pdf``, ``key``, ``pages``, ``kept``, and where they apply ``skipped`` (why the whole file was passed over)
    and ``dropped`` (reason -> numbers of pages, from 1).
    """
    job.forget()
    row: dict[str, Any] = {"pdf": job.name, "key": job.key, "pages": 0, "kept": 0}
    try:
        if job.path.stat().st_size > job.page.max_mb << 20:
            raise Unreadable(f"larger than {job.page.max_mb} MB")
        with open_pdf(job.path) as document:
            if document.page_count > job.page.max_pages:
                raise Unreadable(f"more than {job.page.max_pages} pages")
            row["pages"] = document.page_count
            kept = _pages(job, document, step)
    except Unreadable as error:
        return {**row, "skipped": str(error)}
    except OSError as error:
        return {**row, "skipped": f"cannot be read: {error.strerror}"}
    if kept.conversations:
        _write_layouts(job.part("layouts"), kept.layouts)
        write_conversations(job.part("conversations"), kept.conversations)
    return {**row, "kept": len(kept.conversations), **({"dropped": kept.dropped} if kept.dropped else {})}


def _pages(job: Job, document: Any, step: Callable[[], None]) -> _Kept:
    kept = _Kept()
    for index in range(document.page_count):
        try:
            picture, page = read_page(document, index, job.page.dpi, job.page.max_pixels)
            reason = reason_against(page, job.page.language, job.page.limits)
            turns = [] if reason else _turns(job, page, index)
            reason = reason or ("nothing to ask" if not turns else None)
        except Unreadable as error:
            reason = str(error)
        if reason:
            kept.dropped.setdefault(reason, []).append(index + 1)
        else:
            file = job.pictures / f"{index + 1:05}.{'jpg' if job.page.format == 'jpeg' else 'png'}"
            _save(picture, file, job.page)
            image = file.relative_to(job.out).as_posix()
            marks = tuple(Mark(line.text, _fractions(page, line.box)) for line in page.lines)
            told = Conversation(id=f"{job.name}#{index + 1}", source=SOURCE, turns=tuple(turns), image=image, marks=marks)
            kept.conversations.append(told)
            kept.layouts.append({"id": told.id, "image": image, "kind": "ocr", **page.layout()})
        step()
    return kept


def _turns(job: Job, page: Page, index: int) -> list[tuple[str, str]]:
    rng = random.Random(f"{job.page.seed}/{job.key}/{index}")
    return [(turn.question, turn.answer) for turn in page_turns(page, rng, job.page.turns, job.page.whole)]


def _fractions(page: Page, box: tuple[float, float, float, float]) -> tuple[float, ...]:
    return tuple(round(value, 4) for value in from_pixels(box, "square", page.width, page.height))


def _save(picture: Any, file: Path, page: PageConfig) -> None:
    """Write a picture; it gets its name once it is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as part:
        picture.save(part, page.format.upper(), **({"quality": page.quality} if page.format == "jpeg" else {}))


def _write_layouts(path: Path, layouts: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in layouts), encoding="utf-8", newline="\n")
