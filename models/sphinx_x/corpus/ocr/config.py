"""Settings of ``riddle data ocr``: ``ocr.KEY=VALUE`` on the command line, or below ``ocr`` in a configuration of your own."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from models.sphinx_x.corpus.ocr.filters import SCRIPTS, Limits

VERSION: Final = 1
"""Goes up whenever the same PDF and settings would give another page, question or answer."""


@dataclass(frozen=True, kw_only=True)
class PageConfig:
    """How one PDF becomes pages and conversations; together with the PDF it decides every byte.

    Attributes:
        dpi: pixels an inch
        format: of the pages' pictures; png is exact, jpeg a tenth of the size
        quality: of jpeg
        language: en, de, fr or es (by common words), ru, el, ar, he, hi, th, zh or ko (by script), or any
        turns: questions a page at most
        whole: share of pages whose first question asks for all the text
        seed: decides which questions are asked
        max_mb: larger files are passed over
        max_pages: files with more pages are passed over
        max_pixels: larger pages are passed over
        limits: what a page must be like
    """

    dpi: int = 144
    format: Literal["png", "jpeg"] = "png"
    quality: int = 90
    language: str = "en"
    turns: int = 4
    whole: float = 0.5
    seed: int = 0
    max_mb: int = 200
    max_pages: int = 1000
    max_pixels: int = 40_000_000
    limits: Limits = Limits()

    def problems(self) -> Iterator[str]:
        """Yield what is out of range."""
        if not 18 <= self.dpi <= 1200:
            yield f"dpi={self.dpi}: must be from 18 to 1200"
        if not 1 <= self.quality <= 100:
            yield f"quality={self.quality}: must be from 1 to 100"
        if self.language != "any" and self.language not in SCRIPTS:
            yield f"language={self.language}: must be any or one of {', '.join(SCRIPTS)}"
        if self.turns < 1:
            yield f"turns={self.turns}: must be at least 1"
        if not 0 <= self.whole <= 1:
            yield f"whole={self.whole:g}: is a share, from 0 to 1"


@dataclass(frozen=True, kw_only=True)
class OcrConfig:
    """PDF files to a corpus of pages and conversations.

    Attributes:
        pdfs: PDF files, and folders that are searched for them
        out: folder of the corpus; the same command goes on with an unfinished one
        page: how pages are made and asked about
        workers: processes; they do not change a byte
        shard: conversations in one file
        step_limit_s: seconds that opening a file or reading one page may take before it is passed over
        memory_mb: address space of a worker; 0 for no limit
    """

    pdfs: tuple[Path, ...]
    out: Path
    page: PageConfig = PageConfig()
    workers: int = 2
    shard: int = 10_000
    step_limit_s: float = 60.0
    memory_mb: int = 4096

    def problems(self) -> Iterator[str]:
        """Yield what is missing or out of range."""
        if not self.pdfs:
            yield "pdfs: missing; say ocr.pdfs=FOLDER"
        for path in self.pdfs:
            if not path.exists():
                yield f"pdfs={path}: no such file or folder"
        if self.workers < 1:
            yield f"workers={self.workers}: must be at least 1"
        if self.shard < 1:
            yield f"shard={self.shard}: must be at least 1"
        if self.step_limit_s <= 0:
            yield f"step_limit_s={self.step_limit_s:g}: must be above 0"

    def decisive(self) -> Mapping[str, Any]:
        """Return the settings that decide the corpus, as JSON holds them."""
        page = dataclasses.asdict(self.page)
        page["limits"]["density"] = list(page["limits"]["density"])
        return {"version": VERSION, "shard": self.shard, "page": page}
