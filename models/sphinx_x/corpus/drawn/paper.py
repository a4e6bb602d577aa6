"""Paper to draw on: pictures of the mini world's training split saved once, and the files of annotations beside them.

Nothing is synced to disk: what counts as drawn stands in the marker that is written last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.world import Chart, Page, Scene, Sign, Table, World, draw

Box = Mapping[str, int]


@dataclass(frozen=True)
class Paper:
    """Where the drawn data sets go, and how many pictures each has.

    Attributes:
        root: of all data sets
        n: pictures a data set
    """

    root: Path
    n: int

    def json(self, path: str, value: Any) -> None:
        """Write a JSON file."""
        self.text(path, json.dumps(value, indent=1))

    def lines(self, path: str, values: Sequence[Any]) -> None:
        """Write JSON lines."""
        self.text(path, "".join(json.dumps(value) + "\n" for value in values))

    def text(self, path: str, text: str) -> None:
        """Write a text file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def save(self, world: World, path: str) -> None:
        """Save a picture in the format that its name asks for."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        world.image.save(file, "JPEG" if file.suffix in (".jpg", ".jpeg") else "PNG", quality=95)

    def scenes(self, template: str) -> Iterator[tuple[int, Scene]]:
        """Draw scenes under the names of a template with ``{}`` for the number, from 1 on; empty saves none."""
        for number, world in self._drawn("scene", template):
            yield number, cast(Scene, world)

    def pages(self, template: str) -> Iterator[tuple[int, Page]]:
        """Draw pages likewise."""
        for number, world in self._drawn("page", template):
            yield number, cast(Page, world)

    def signs(self, template: str) -> Iterator[tuple[int, Sign]]:
        """Draw signs likewise."""
        for number, world in self._drawn("sign", template):
            yield number, cast(Sign, world)

    def charts(self, template: str) -> Iterator[tuple[int, Chart]]:
        """Draw charts likewise."""
        for number, world in self._drawn("chart", template):
            yield number, cast(Chart, world)

    def tables(self, template: str) -> Iterator[tuple[int, Table]]:
        """Draw tables likewise."""
        for number, world in self._drawn("table", template):
            yield number, cast(Table, world)

    def _drawn(self, kind: str, template: str) -> Iterator[tuple[int, World]]:
        for number in range(1, self.n + 1):
            world = draw(kind, number, "train")
            if template:
                self.save(world, template.format(number))
            yield number, world
