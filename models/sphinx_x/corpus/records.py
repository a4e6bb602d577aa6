"""One training conversation as every corpus makes it, and the annotation files in which conversations are kept.

The files are those of the authors (LLaMA2-Accessory, ``accessory/data/alpaca.py`` and ``conversation/dataset.py``): a JSON list
or JSON lines of ``{"image": path, "conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]}``, paths
relative to a root. Our own keys (``id``, ``source``, ``boxes``) stand beside them; the authors' reader passes over them. Not
here: where conversations come from (`models.sphinx_x.corpus.families`) and how they are mixed (`models.sphinx_x.corpus.mixture`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.tables import plain_name, read_json, read_jsonl
from harness.errors import DatasetError
from harness.results import whole

HUMAN, ASSISTANT = "human", "gpt"
_ROLES = {"human": HUMAN, "user": HUMAN, "gpt": ASSISTANT, "assistant": ASSISTANT}
_MARKERS = ("<image>\n", "\n<image>", "<image>")


@dataclass(frozen=True, slots=True)
class Mark:
    """A named place in a picture, for drawing: a box (four numbers) or a point (two).

    Numbers are fractions of the picture's centred, padded square, the frame of `harness.boxes` named ``square``.
    """

    name: str
    at: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """Turns of question and answer, about at most one picture.

    Attributes:
        id: names the conversation within its source.
        source: the data set or family that it comes from.
        turns: (what the human says, what the assistant answers), without the marker ``<image>``.
        image: path of the picture relative to the root of the annotation file, with forward slashes.
        marks: places that the turns speak of, for whoever draws them; nothing is trained on them.
    """

    id: str
    source: str
    turns: tuple[tuple[str, str], ...]
    image: str | None = None
    marks: tuple[Mark, ...] = ()

    @property
    def characters(self) -> int:
        """Length of everything said, by which the authors sort conversations into batches."""
        return sum(len(question) + len(answer) for question, answer in self.turns)

    def record(self) -> dict[str, Any]:
        """Return the conversation as a record of an annotation file; `of_record` reads it back."""
        said = [part for question, answer in self.turns for part in ((HUMAN, question), (ASSISTANT, answer))]
        return {
            "id": self.id,
            "source": self.source,
            **({} if self.image is None else {"image": self.image}),
            "conversations": [{"from": role, "value": text} for role, text in said],
            **({"boxes": [{"name": mark.name, "at": list(mark.at)} for mark in self.marks]} if self.marks else {}),
        }


def of_record(record: Mapping[str, Any], where: str = "") -> Conversation:
    """Read a record of an annotation file, the authors' own or one of ours; the marker ``<image>`` is left out of the text.

    Args:
        record: as JSON holds it; without ``id`` the conversation is named by ``where``.
        where: file and record, for messages.

    Raises:
        DatasetError: it has no turns, they do not alternate human and assistant, or a value has another type.
    """
    try:
        said = [(_ROLES.get(part["from"], part["from"]), part["value"]) for part in record["conversations"]]
        marks = tuple(Mark(str(one["name"]), tuple(map(float, one["at"]))) for one in record.get("boxes", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{where}: no conversation in the authors' format ({type(error).__name__}: {error})") from error
    if said and said[0][0] == "system":
        said = said[1:]
    roles = [role for role, _ in said]
    if not said or roles != [HUMAN, ASSISTANT] * (len(said) // 2) or not all(isinstance(text, str) for _, text in said):
        found = ", ".join(map(str, roles))[:80]
        raise DatasetError(f"{where}: turns must alternate human and gpt, each with a text; found {found or 'nothing'}")
    image = record.get("image")
    if image is not None and not isinstance(image, str):
        raise DatasetError(f"{where}: image {str(image)[:80]!r} is no path")
    texts = [without_marker(text) for _, text in said]
    turns = tuple(zip(texts[::2], texts[1::2], strict=True))
    name, source = str(record.get("id", where)), str(record.get("source", ""))
    return Conversation(id=name, source=source, turns=turns, image=image or None, marks=marks)


def without_marker(text: str) -> str:
    """Return a text without ``<image>``, as the authors' dataset feeds it: the picture always stands before everything said."""
    for marker in _MARKERS:
        text = text.replace(marker, "")
    return text.strip()


def read_conversations(path: Path) -> Iterator[Conversation]:
    """Stream the conversations of an annotation file (``.json`` list or ``.jsonl``, each also with ``.gz``).

    Raises:
        DatasetError: the file or a record does not fit; the message names both.
    """
    suffix = Path(plain_name(path)).suffix
    if suffix not in (".json", ".jsonl"):
        raise DatasetError(f"{path}: suffix {suffix!r} is no annotation file (known: .json, .jsonl, each also with .gz)")
    for row in (read_jsonl if suffix == ".jsonl" else read_json)(path):
        yield of_record(row, row.where)


def write_conversations(path: Path, conversations: Iterable[Conversation]) -> int:
    """Write an annotation file, a list if it ends in ``.json``, else one record a line; it appears only once it is whole.

    Returns:
        how many conversations were written.
    """
    listed = path.suffix == ".json"
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for count, conversation in enumerate(conversations, start=1):
            before = ("[\n" if count == 1 else ",\n") if listed else ""
            file.write(before + json.dumps(conversation.record(), ensure_ascii=False) + ("" if listed else "\n"))
        if listed:
            file.write("\n]\n" if count else "[]\n")
    return count
