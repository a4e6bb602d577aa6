"""What a person sees while a run goes on: a live line on a terminal, plain lines at intervals elsewhere; always on stderr.

Standard output belongs to results. The running score is the mean of the convention's first per-sample score: an impression,
not the metric.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from harness.types import Scored

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

INTERVAL_S = 10.0
"""Seconds between two plain lines."""


@dataclass
class Progress(AbstractContextManager["Progress"]):
    """Counts what happens in a phase and shows nothing; the base of those that show."""

    title: str = ""
    phase: str = ""
    total: int = 0
    done: int = 0
    failed: int = 0
    unparsed: int = 0
    reused: int = 0
    score_sum: float = 0.0
    scores_known: int = 0
    started: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, phase: str, total: int = 0) -> Self:
        """Start a phase of ``total`` samples (0 if unknown)."""
        if self.done:
            self.show(force=True)
        self.phase, self.total = phase, total
        self.done = self.failed = self.unparsed = self.reused = 0
        self.score_sum, self.scores_known, self.started = 0.0, 0, self.clock()
        self.show(force=True)
        return self

    def scored(self, row: Scored, *, reused: bool = False) -> None:
        """Count a sample that has been answered."""
        self.done += 1
        self.reused += reused
        if row.failed is not None:
            self.failed += 1
        elif row.parsed.unparsed:
            self.unparsed += 1
        shown = next(iter(row.scores.values()), 0.0)
        if shown == shown:  # else a judge has still to be asked, or a toolkit that scores whole files
            self.score_sum, self.scores_known = self.score_sum + shown, self.scores_known + 1
        self.show()

    @property
    def rate(self) -> float:
        """Samples a second in this phase."""
        return self.done / max(self.clock() - self.started, 1e-9)

    def line(self) -> str:
        """Return the state of the phase in words."""
        if not self.done:
            return f"{self.title}: {self.phase}" + (f", {self.total} samples" if self.total else "")
        left = f", {duration((self.total - self.done) / self.rate)} left" if self.total > self.done else ""
        counts = f"{self.failed} failed, {self.unparsed} unparsed" + (f", {self.reused} reused" if self.reused else "")
        of = f" of {self.total}" if self.total else ""
        score = f", score so far {self.score_sum / self.scores_known:.3f}" if self.scores_known else ""
        return f"{self.title}: {self.phase} {self.done}{of}, {self.rate:.1f} samples/s{left}, {counts}{score}"

    def show(self, *, force: bool = False) -> None:
        """Bring the state before the person's eyes, if it is time."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


@dataclass
class Lines(Progress):
    """Plain lines at intervals, for files and pipes."""

    stream: TextIO | None = None
    interval_s: float = INTERVAL_S
    _next: float = 0.0

    def show(self, *, force: bool = False) -> None:
        """Write a line if the interval has passed."""
        now = self.clock()
        if self.stream is not None and (force or now >= self._next):
            self._next = now + self.interval_s
            self.stream.write(self.line() + "\n")
            self.stream.flush()

    def close(self) -> None:
        """Write the last state."""
        if self.done:
            self.show(force=True)


@dataclass
class Live(Progress):
    """One live line on a terminal, drawn by rich a few times a second."""

    stream: TextIO | None = None
    _bar: Bar | None = None
    _task: TaskID | None = None
    _next: float = 0.0

    def show(self, *, force: bool = False) -> None:
        """Redraw, at most ten times a second."""
        now = self.clock()
        if not force and now < self._next:
            return
        self._next = now + 0.1
        if self._bar is None or self._task is None:
            self._open()
        if self._bar is not None and self._task is not None:
            counts = f"{self.failed} failed, {self.unparsed} unparsed" + (f", {self.reused} reused" if self.reused else "")
            score = f", score {self.score_sum / self.scores_known:.3f}" if self.scores_known else ""
            rate = f"{self.rate:.1f}/s, " if self.done else ""
            self._bar.update(
                self._task,
                description=f"{self.title}: {self.phase}",
                total=self.total or None,
                completed=self.done,
                counts=f"{rate}{counts}{score}",
            )

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, TextColumn("{task.fields[counts]}"), console=Console(file=self.stream), refresh_per_second=4)
        self._task = self._bar.add_task(self.title, total=None, counts="")
        self._bar.start()

    def close(self) -> None:
        """Draw the last state and stop."""
        if self._bar is not None:
            self.show(force=True)
            self._bar.stop()
            self._bar = None


def progress_on(stream: TextIO, title: str = "") -> Progress:
    """Return a live line if the stream is a terminal, else plain lines."""
    return Live(title=title, stream=stream) if stream.isatty() else Lines(title=title, stream=stream)


def duration(seconds: float) -> str:
    """Write a time span for people: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
