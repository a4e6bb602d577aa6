"""Converters of data that are conversations or pairs already: LLaVA's and ShareGPT's form, chats, instruction tuning.

Covers LLaVA, ShareGPT4V, LVIS-Instruct4V, LLaVAR, Flan-mini and whatever our own pipelines write (``conversations``); UltraChat
(``chat``); OpenOrca, MetaMathQA, MathInstruct, WizardCoder (``pairs``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.data.tables import Row
from models.sphinx_x.corpus.families.source import BadRecord, Source, text_of
from models.sphinx_x.corpus.records import Conversation, of_record


def conversations(source: Source, *, files: str | Sequence[str], pictures: str = "{image}") -> Iterator[Conversation]:
    """Read the authors' annotation format, which is LLaVA's.

    Args:
        source: the data set.
        files: annotation files.
        pictures: template of a picture's path in the record's columns (``coco/train2017/{image}``).
    """

    def convert(row: Row, name: str) -> Conversation:
        read = of_record(row, row.where)
        image = source.picture(pictures, row, row.where) if read.image else None
        return source.conversation(str(row.get("id", name)), read.turns, row.where, image, read.marks)

    for number, row in enumerate(source.rows(files)):
        if made := source.attempt(convert, row, str(number)):
            yield made


def chat(source: Source, *, files: str | Sequence[str], turns: str = "data") -> Iterator[Conversation]:
    """Read chats kept as a list of texts that alternate (UltraChat); a last question without an answer is left out.

    Args:
        source: the data set.
        files: JSON lines.
        turns: the column of the list; its items are texts, or objects of role and content.
    """

    def convert(row: Row, name: str) -> Conversation:
        said = row[turns]
        if not isinstance(said, list):
            raise BadRecord("no list of turns", row.where, str(said)[:80])
        texts = [_said(one, row.where) for one in said]
        return source.conversation(str(row.get("id", name)), zip(texts[::2], texts[1::2], strict=False), row.where)

    for number, row in enumerate(source.rows(files)):
        if made := source.attempt(convert, row, str(number)):
            yield made


def _said(one: Any, where: str) -> str:
    text = one.get("content") if isinstance(one, dict) else one
    if not isinstance(text, str):
        raise BadRecord("no text", where, str(one)[:80])
    return text


def pairs(
    source: Source,
    *,
    files: str | Sequence[str],
    question: str,
    answer: str,
    before: str = "",
    id: str = "id",
    key: str | None = None,
) -> Iterator[Conversation]:
    """Read pairs of instruction and output.

    Args:
        source: the data set.
        files: JSON, JSON lines, CSV or parquet.
        question: column of the question.
        answer: column of the answer.
        before: column of a text that stands before the question where it is not empty: an input, a system's prompt.
        id: column that names the record, if it has one.
        key: member of a JSON object that holds the records.
    """

    def convert(row: Row, name: str) -> Conversation:
        said = text_of(row, question, row.where)
        lead = row.get(before) if before else None
        asked = f"{lead}\n{said}" if lead else said
        return source.conversation(str(row.get(id, name)), [(asked, text_of(row, answer, row.where))], row.where)

    for number, row in enumerate(source.rows(files, key)):
        if made := source.attempt(convert, row, str(number)):
            yield made
