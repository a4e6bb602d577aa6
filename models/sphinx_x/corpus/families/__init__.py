"""Converters from the original layouts of data sets to conversations, by name; a mixture's file chooses and configures them.

    conversations  chat  pairs              what is a conversation or a pair already          (``text``)
    questions  documents  captions  classes questions, captions and classes of pictures       (``questions``)
    places                                  boxes, points and phrases, of one of seven layouts, spoken of in one of five styles

A data set is a converter with settings, never a file of its own. Bad records are counted and named (``source``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from harness.build import argument_problems
from harness.errors import ConfigError
from harness.names import suggestion
from models.sphinx_x.corpus.families.boxes import read_doc_bank, read_open_images, read_polygons
from models.sphinx_x.corpus.families.coco import read_coco
from models.sphinx_x.corpus.families.grounding import read_entities, read_refs, read_regions
from models.sphinx_x.corpus.families.places import Picture
from models.sphinx_x.corpus.families.questions import captions, classes, documents, questions
from models.sphinx_x.corpus.families.source import Source
from models.sphinx_x.corpus.families.spoken import STYLES, say
from models.sphinx_x.corpus.families.text import chat, conversations, pairs
from models.sphinx_x.corpus.records import Conversation

LAYOUTS: Final[Mapping[str, Callable[..., Iterator[Picture]]]] = {
    "coco": read_coco,
    "open_images": read_open_images,
    "doc_bank": read_doc_bank,
    "polygons": read_polygons,
    "regions": read_regions,
    "refs": read_refs,
    "entities": read_entities,
}
"""Readers of pictures with named places."""


def places(source: Source, *, layout: str, style: str, **settings: Any) -> Iterator[Conversation]:
    """Read pictures with places in one of the `LAYOUTS` and speak of them in one of the `STYLES`.

    Args:
        source: the data set.
        layout: names the reader.
        style: names what is said.
        settings: of the reader.
    """

    def convert(picture: Picture) -> Conversation:
        said, marks = say(picture, style, source.dice(picture.id), source.turns)
        return source.conversation(picture.id, said, picture.where, picture.image, marks)

    for picture in LAYOUTS[layout](source, **settings):
        if made := source.attempt(convert, picture):
            yield made


CONVERTERS: Final[Mapping[str, Callable[..., Iterator[Conversation]]]] = {
    "conversations": conversations,
    "chat": chat,
    "pairs": pairs,
    "questions": questions,
    "documents": documents,
    "captions": captions,
    "classes": classes,
    "places": places,
}


def setting_problems(converter: str, settings: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield what is wrong with the settings of a data set: names that do not exist, arguments missing or unknown."""
    if converter not in CONVERTERS:
        known = ", ".join(CONVERTERS)
        yield f"{where}.converter={converter}: no such converter{suggestion(converter, CONVERTERS)}; known: {known}"
        return
    names = ["source", *settings]
    if converter != "places":
        yield from argument_problems(CONVERTERS[converter], names, where)
        return
    for key, choices in (("layout", LAYOUTS), ("style", STYLES)):
        if settings.get(key) not in choices:
            yield f"{where}.{key}={settings.get(key)}: must be one of {', '.join(choices)}"
    reader = LAYOUTS.get(str(settings.get("layout")))
    if reader is not None:
        yield from argument_problems(reader, [name for name in names if name not in ("layout", "style")], where)


def convert(source: Source, converter: str, settings: Mapping[str, Any]) -> Iterator[Conversation]:
    """Stream the conversations of a data set; what is left out is counted in ``source.skips``.

    Raises:
        ConfigError: the settings do not fit (at once).
        DatasetError: a whole file is missing or cannot be read (while streaming).
    """
    problems = list(setting_problems(converter, settings, source.name))
    if problems:
        raise ConfigError("\n".join(problems))
    return CONVERTERS[converter](source, **settings)
