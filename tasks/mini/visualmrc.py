"""VisualMRC in small: values of pages, answered in a sentence."""

from __future__ import annotations

from pathlib import Path

from harness.world import Page
from tasks.mini.draws import encoded, worlds
from tasks.mini.sheets import write_lines
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``, one for each field of a page; there are no parts."""
    (folder / "images").mkdir()
    records, left = [], size.n if size.each is None else size.each
    for number, page in enumerate(worlds(Page, "page", "visualmrc", seed)):
        if not left:
            break
        asked = page.fields[:left]
        left -= len(asked)
        name = f"images/{number:05d}.png"
        (folder / name).write_bytes(encoded(page.image))
        pairs = [
            {
                "question": {"text": wording("visualmrc/entry", name=field.name.lower())},
                "answer": {"text": f"The value beside {field.name.lower()} is {field.value}.", "relevant": []},
            }
            for field in asked
        ]
        about = {"id": f"{number:05d}", "image_filename": name, "screenshot_filename": name, "url": "https://example.org"}
        records.append({**about, "bounding_boxes": [], "qa_data": pairs})
    write_lines(folder / "test.jsonl", records)
