"""The pages of a folder of runs that is being written to: made anew when a run finishes, pages of samples when asked for.

A page is found by looking its name up among the names of this board, never among files by what somebody asked. Not here: HTTP
(`reports.serve`).
"""

from __future__ import annotations

import json
import shutil
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

from harness.errors import ResultError
from harness.results import read_json
from harness.store import FILE
from reports.board import view_board
from reports.drawing import Figure
from reports.figures import draw_figures
from reports.formats import WRITERS, Content, write_formats
from reports.leaderboard import PICTURE_BYTES, board_page, find_baseline
from reports.load import Run, answered, load_run, run_folders
from reports.origin import write_provenance
from reports.records import records
from reports.sample_pages import Pages, page_path, run_key, write_page
from reports.tables import Row, arrange

READ = ("run.json", "result*.json", "scores*.parquet", "timings.json", FILE)
"""The files of a run that a board is made of."""

QUIET_S = 120.0
"""A run that stored no reply for so long may have stopped."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A run without a result: how many samples are answered, of how many, and both in words with when the last came."""

    model: str
    title: str
    done: int | None
    of: int | None
    says: str


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a page shows beside the board: ``version`` changes with every finished run."""

    version: str
    says: str
    running: tuple[Running, ...]


@dataclass(frozen=True, kw_only=True)
class _Edition:
    """The board as it was at one time; ``files`` are there, ``pages`` are written when they are asked for."""

    version: str
    folder: Path
    content: Content
    baseline: Row | None
    figures: Sequence[Figure]
    files: frozenset[str]
    pages: frozenset[str]


class Site:
    """A live folder of runs as pages, usable from several threads. Nothing is written below ``runs``."""

    def __init__(self, runs: Path, folder: Path, *, title: str, baseline: str | None = None) -> None:
        """Make the first edition in ``folder``. Raises `ResultError` if ``runs`` is no folder, or has no row ``baseline``."""
        if not runs.is_dir():
            raise ResultError(f"{runs}: no such folder of runs")
        self._runs, self._folder, self._title, self._wanted = runs, folder, title, baseline
        self._making, self._writing, self._printing = Lock(), Lock(), Lock()
        self._live: tuple[float, Live] | None = None
        self._printed: tuple[Live, bytes] | None = None
        self._edition = self._made(self._version())

    def refresh(self) -> None:
        """Make a new edition if a run has come, finished or gone."""
        with self._making:
            version = self._version()
            if version != self._edition.version:
                old, self._edition = self._edition, self._made(version)
                for stale in self._folder.iterdir():  # the last one stays for who is reading it
                    if stale.name not in (old.version, version):
                        shutil.rmtree(stale, ignore_errors=True)

    def read(self, name: str) -> bytes | None:
        """Return a page or file by its name, None if this board has none. Raises `ResultError` if its run cannot be shown."""
        edition = self._edition
        if name == "live.json":
            return json.dumps(asdict(self.live())).encode()
        if name == "index.html":
            return self._index(edition)
        path = edition.folder / name
        if name in edition.pages:
            with self._writing:
                if not path.exists():
                    write_page(edition.content.board, name, edition.folder, edition.baseline, PICTURE_BYTES)
        elif name not in edition.files:
            return None
        return path.read_bytes()

    def live(self) -> Live:
        """Return what is running, at most a second old."""
        known, version = self._live, self._edition.version
        if known is None or known[1].version != version or time.monotonic() - known[0] > 1:
            running = tuple(_running(run) for run in self._edition.content.board.incomplete)
            says = f"{len(running)} without a result yet." if running else "Nothing; this page follows what will be."
            known = self._live = (time.monotonic(), Live(version=version, says=says, running=running))
        return known[1]

    def _index(self, edition: _Edition) -> bytes:
        """The board, printed anew only when what is running has changed."""
        live = self.live()
        with self._printing:
            if self._printed is None or self._printed[0] != live:
                pages = Pages(names={run_key(run): page_path(run) for run in edition.content.board.shown})
                others = [WRITERS[name][0] for name in WRITERS]
                page = board_page(edition.content, pages, edition.figures, edition.baseline, others, live)
                self._printed = (live, page.encode("utf-8", "backslashreplace"))
            return self._printed[1]

    def _version(self) -> str:
        """A digest of which runs there are and when their results were written; replies that come in do not change it."""
        digest = blake2b(digest_size=8)
        for folder in sorted(run_folders(self._runs)):
            results = sorted(folder.glob("result*.json"))
            for path in (folder / "run.json", *results):
                about = path.lstat() if path.is_symlink() or path.exists() else None
                digest.update(f"{path}|{about and about.st_mtime_ns}|{about and about.st_size}\n".encode(errors="replace"))
        return digest.hexdigest()

    def _made(self, version: str) -> _Edition:
        runs = [run for folder in sorted(run_folders(self._runs)) for run in self._loaded(folder)]
        board = arrange(runs)
        baseline = find_baseline(board, self._wanted) if board.sections else None
        folder = self._folder / version
        folder.mkdir(parents=True, exist_ok=True)
        rows = tuple(records(board, self._runs))
        content = Content(board=board, view=view_board(board), records=rows, root=self._runs, title=self._title)
        write_provenance(folder / "provenance.html", board.shown, self._runs, self._title)
        files = [path.name for path in write_formats(folder, content, tuple(WRITERS))]
        return _Edition(
            version=version,
            folder=folder,
            content=content,
            baseline=baseline,
            figures=draw_figures(content.view, baseline, {}),
            files=frozenset([*files, "provenance.html"]),
            pages=frozenset(map(page_path, board.shown)),
        )

    def _loaded(self, folder: Path) -> list[Run]:
        """Load a run, unless a file of it is a link that leads out of the folder of runs, or no file at all."""
        root = self._runs.resolve()
        for path in (found for pattern in READ for found in folder.glob(pattern)):
            if not path.resolve().is_relative_to(root):
                return [Run(folder=folder, model=folder.name, broken=f"{path.name} is a link out of the folder of runs")]
            if not path.exists() or not stat.S_ISREG(path.stat().st_mode):
                return [Run(folder=folder, model=folder.name, broken=f"{path.name} is no file")]
        return load_run(folder)


def _running(run: Run) -> Running:
    done, of = answered(run.folder), _asked(run)
    count = "no reply yet" if not done else f"{done:,} of {of:,} answered" if of else f"{done:,} answered"
    return Running(model=run.model, title=run.title, done=done, of=of, says=count + _silence(run.folder))


def _asked(run: Run) -> int | None:
    """How many samples will be asked, as far as the run says."""
    try:
        about: Mapping[str, Any] = read_json(run.folder / "run.json")
    except ResultError:
        return run.data_n
    limit = about.get("limit")
    known = [n for n in (run.data_n, limit) if isinstance(n, int) and n > 0]
    return min(known, default=None)


def _silence(folder: Path) -> str:
    """How long no reply has come, if that is long."""
    written = [path.stat().st_mtime for path in folder.glob(f"{FILE}*") if path.exists()]
    quiet = time.time() - max(written, default=0.0)
    if not written or quiet <= QUIET_S:
        return ""
    return ", none for " + (f"{quiet / 60:,.0f} minutes" if quiet < 7200 else f"{quiet / 3600:,.0f} hours")
