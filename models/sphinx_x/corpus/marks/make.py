"""``riddle data marks``: pictures with regions to pictures with numbered marks, and conversations about them.

    OUT/
        conversations.jsonl   the authors' annotation records, written last
        pictures/00/...       the pictures, with their marks drawn where style is drawn
        report.json           how many pictures and marks there are, and why pictures were left out

The same settings and files give the same bytes. A command that was ended begins anew; the records appear once they are whole.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Literal

from PIL import Image

from harness.errors import ConfigError
from harness.results import whole
from harness.store import RunLock
from models.sphinx_x.corpus.marks.boxes import boxed_pictures
from models.sphinx_x.corpus.marks.coco import coco_pictures
from models.sphinx_x.corpus.marks.converse import Marked, mark_turns
from models.sphinx_x.corpus.marks.paint import paint_marks
from models.sphinx_x.corpus.marks.panels import panelled
from models.sphinx_x.corpus.marks.place import place_marks
from models.sphinx_x.corpus.marks.regions import Kind, Picture, Region
from models.sphinx_x.corpus.marks.world import world_pictures
from models.sphinx_x.corpus.ocr.filters import ENDS
from models.sphinx_x.corpus.records import Conversation, Mark, write_conversations

SOURCE: Final = "marks"
LONGEST_NAME: Final = 120
"""Regions with longer names (whole paragraphs) are not marked."""

HIDES: Final[Mapping[Kind, float]] = {"natural": 0.35, "screen": 0.1, "ocr": 0.0, "document": 0.2, "panels": 0.2}
"""How much of a region its label may hide before it is drawn beside it; nothing of lines of text."""


@dataclass(frozen=True, kw_only=True)
class MarksConfig:
    """Pictures to a corpus of marks and conversations.

    Attributes:
        out: folder of the corpus
        source: world (drawn), coco (instance annotations), or boxes (a JSON line a picture, layouts of the OCR corpus too)
        annotations: files of coco or boxes
        images: folder of their pictures
        kind: natural, screen, ocr, document or panels, for pictures that do not say it themselves
        style: text writes the marks' points into the first question, drawn draws them on the picture
        n: pictures at most; all if null, and needed for world
        most: marks on one picture
        fewest: regions that a picture must have
        turns: questions a picture
        panels: 1, or 2 or 4 pictures in one
        seed: decides drawing, choice of regions, and questions
    """

    out: Path
    source: Literal["world", "coco", "boxes"] = "world"
    annotations: tuple[Path, ...] = ()
    images: Path | None = None
    kind: Kind = "natural"
    style: Literal["text", "drawn"] = "text"
    n: int | None = None
    most: int = 20
    fewest: int = 2
    turns: int = 5
    panels: Literal[1, 2, 4] = 1
    seed: int = 0

    def problems(self) -> Iterator[str]:
        """Yield what is missing or contradictory."""
        if self.source == "world" and self.n is None:
            yield "n: missing; say marks.n=N, for pictures are drawn without end"
        if self.source != "world" and (not self.annotations or self.images is None):
            yield f"source={self.source}: needs marks.annotations=FILE and marks.images=FOLDER"
        for path in (*self.annotations, *([self.images] if self.images else [])):
            if not path.exists():
                yield f"{path}: no such file or folder"
        for name in ("most", "fewest", "turns"):
            if getattr(self, name) < 1:
                yield f"{name}={getattr(self, name)}: must be at least 1"
        if self.n is not None and self.n < 1:
            yield f"n={self.n}: must be at least 1"


@dataclass(slots=True)
class _Counts:
    pictures: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    marks: int = 0


def make_marks(config: MarksConfig) -> list[dict[str, Any]]:
    """Make the corpus and return one row: its folder, pictures by kind, marks, and pictures left out by reason.

    Raises:
        DatasetError: an annotation does not fit.
        RunStopped: another process works in the folder.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    with RunLock(config.out):
        counts = _Counts()
        write_conversations(config.out / "conversations.jsonl", _conversations(config, counts))
        report = {"pictures": dict(counts.pictures), "marks": counts.marks, "left_out": dict(counts.left_out)}
        with whole(config.out / "report.json") as part:
            part.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return [{"kind": "corpus", "folder": str(config.out), **report}]


def _pictures(config: MarksConfig) -> Iterable[Picture]:
    if config.source == "world":
        found: Iterable[Picture] = world_pictures(config.seed)
    elif config.images is None:
        raise ConfigError(f"source={config.source}: needs marks.images=FOLDER")
    else:
        read = coco_pictures if config.source == "coco" else boxed_pictures
        found = chain.from_iterable(read(path, config.images, config.kind) for path in config.annotations)
    return found if config.panels == 1 else panelled(found, config.panels)


def _conversations(config: MarksConfig, counts: _Counts) -> Iterator[Conversation]:
    """Yield what becomes of each picture; the limit counts pictures that are looked at."""
    for number, picture in enumerate(islice(_pictures(config), config.n)):
        made = _conversation(picture, number, config)
        if isinstance(made, str):
            counts.left_out[made] += 1
        else:
            counts.pictures[picture.kind] += 1
            counts.marks += len(made.marks)
            yield made


def _conversation(picture: Picture, number: int, config: MarksConfig) -> Conversation | str:
    """Mark one picture, write it and ask about it; or say why it is left out."""
    rng = random.Random(f"{config.seed}/{number}/{picture.id}")
    regions = _chosen(picture, rng, config.most)
    if len(regions) < config.fewest:
        return "too few regions"
    marks = place_marks(regions, picture.width, picture.height, HIDES[picture.kind])
    if len(marks) < config.fewest:
        return "too few regions with a pixel of their own"
    try:
        image = picture.load()
    except (OSError, Image.DecompressionBombError):
        return "picture missing, damaged or of another size"
    marked = Marked(marks, picture.kind, picture.width, picture.height)
    turns = mark_turns(marked, rng, config.turns, config.style == "drawn")
    file = config.out / "pictures" / f"{number // 1000:03}" / f"{number:07}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as part:
        (paint_marks(image, marks) if config.style == "drawn" else image).save(part, "PNG")
    return Conversation(
        id=picture.id,
        source=SOURCE,
        turns=tuple((turn.question, turn.answer) for turn in turns),
        image=file.relative_to(config.out).as_posix(),
        marks=tuple(Mark(f"Mark {mark.number}", tuple(round(value, 4) for value in marked.at(mark))) for mark in marks),
    )


def _chosen(picture: Picture, rng: random.Random, most: int) -> list[Region]:
    """Return regions whose names can be said, at most ``most``, drawn at random from an order that is theirs alone."""
    fit = [one for one in picture.regions if 0 < len(one.name) <= LONGEST_NAME and not any(end in one.name for end in ENDS)]
    fit.sort(key=lambda one: (one.box, one.name))
    return fit if len(fit) <= most else rng.sample(fit, most)
