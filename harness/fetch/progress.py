"""What a person sees while files arrive: lines at intervals, as of a run (`harness.progress`), but of bytes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.progress import Lines, duration


@dataclass
class Transfer(Lines):
    """Counts the bytes of one file after another; ``phase`` is its path."""

    base: int = 0

    def at(self, start: int, total: int) -> None:
        """Go on from byte ``start`` of ``total`` (0 if unknown)."""
        self.base = start
        self.begin(self.phase, total)

    def moved(self, count: int) -> None:
        """Count bytes that have arrived."""
        self.done += count
        self.show()

    def line(self) -> str:
        """Return how much of the file is there."""
        there = self.base + self.done
        of = f" of {in_bytes(self.total)}" if self.total else ""
        if not self.done:
            return f"{self.title}: {self.phase}{of}" + (f", going on from {in_bytes(there)}" if there else "")
        left = f", {duration((self.total - there) / self.rate)} left" if self.total > there else ""
        return f"{self.title}: {self.phase} {in_bytes(there)}{of}, {in_bytes(int(self.rate))}/s{left}"


def in_bytes(count: int) -> str:
    """Write a number of bytes for people: ``512 B``, ``1.5 MB``."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
