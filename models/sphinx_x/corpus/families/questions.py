"""Converters of questions about pictures, and of captions and classes: several turns a picture, worded per family.

Covers VQAv2, OKVQA, GQA, Visual Genome QA, CLEVR, ChartQA, DocVQA, InfographicsVQA, DVQA, TextVQA, VisualMRC (``questions``);
DeepForm, KleisterCharity, TabFact, WikiTableQuestions in the layout of the DUE benchmark (``documents``); COCO and LAION-GPT4V
captions (``captions``); ImageNet (``classes``).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from harness.data.tables import Row, read_text
from models.sphinx_x.corpus.families.source import BadRecord, Source, text_of
from models.sphinx_x.corpus.families.wordings import ASK
from models.sphinx_x.corpus.records import Conversation
from models.sphinx_x.corpus.turns import SHORT

Turn = tuple[str, str]
Ask = Literal["short", "open", "field", "statement", "caption", "detailed_caption"]
_VERDICTS = {"1": "Yes", "0": "No"}


def questions(
    source: Source,
    *,
    files: str | Sequence[str],
    pictures: str,
    question: str = "question",
    answer: str = "answer",
    ask: Ask = "short",
    key: str | None = None,
    each: str = "",
    answers: str = "",
    joined_by: str = "question_id",
    answers_key: str = "annotations",
) -> Iterator[Conversation]:
    """Read questions about pictures, gathered by picture.

    Args:
        source: the data set.
        files: tables of questions.
        pictures: template of a picture's path in the columns.
        question: column of the question, dotted where it lies deeper.
        answer: column of the answer; of a list, the most frequent counts.
        ask: short asks for a word or phrase, as the benchmarks do; open leaves the question as it is.
        key: member of a JSON object that holds the records.
        each: column of a list of which every item is a question with its answer (Visual Genome, VisualMRC).
        answers: files of the answers, where they lie apart (VQAv2, OKVQA).
        joined_by: column that questions and their answers have in common.
        answers_key: member of the answers' JSON object that holds them.
    """
    told = {row.get(joined_by): row for row in source.rows(answers, answers_key)} if answers else {}

    def convert(row: Row) -> tuple[str, Turn]:
        if answers:
            if row.get(joined_by) not in told:
                raise BadRecord("answer missing", row.where, f"{joined_by} {row.get(joined_by)}")
            row = row.but(**{name: value for name, value in told[row[joined_by]].items() if name not in row})
        turn = (text_of(row, question, row.where), text_of(row, answer, row.where))
        return source.picture(pictures, row, row.where), _said(turn, ask, source, row.where)

    yield from _gathered(source, (source.attempt(convert, one) for row in source.rows(files, key) for one in _items(row, each)))


def _items(row: Row, each: str) -> Iterator[Row]:
    """Yield the row, or every item of its list ``each`` together with the row's own columns."""
    if not each:
        yield row
        return
    for number, item in enumerate(row.get(each) or [{}]):
        part = row.of({**row, **(item if isinstance(item, dict) else {})})
        part.where = f"{row.where} {each}[{number}]"
        yield part


def _said(turn: Turn, ask: Ask, source: Source, where: str) -> Turn:
    """Check one turn and give it the form of its family. Raises `BadRecord` if question or answer is empty."""
    question, answer = source.conversation("", [turn], where).turns[0]
    if ask == "short":
        return question + SHORT, answer
    if ask == "statement":
        if answer not in _VERDICTS:
            raise BadRecord("verdict is neither 0 nor 1", where, answer[:80])
        answer = _VERDICTS[answer]
    if ask == "field":
        question = question.replace("_", " ")
    return (question if ask == "open" else source.dice(where).choice(ASK[ask]).format(question)), answer


def _gathered(source: Source, turns: Iterable[tuple[str, Turn] | None]) -> Iterator[Conversation]:
    """Make conversations of all turns about a picture, at most ``source.turns`` in one; a question is asked once in each."""
    found: dict[str, dict[str, str]] = {}
    for one in turns:
        if one is not None:
            image, (question, answer) = one
            found.setdefault(image, {}).setdefault(question, answer)
    for image, said in found.items():
        listed = list(said.items())
        for start in range(0, len(listed), source.turns):
            name = image if len(listed) <= source.turns else f"{image}#{start // source.turns}"
            yield source.conversation(name, listed[start : start + source.turns], name, image)


def documents(
    source: Source, *, files: str | Sequence[str], pictures: str, ask: Literal["short", "field", "statement"]
) -> Iterator[Conversation]:
    """Read ``document.jsonl`` of the DUE benchmark (Borchmann et al. 2021): a document with keys and their values.

    Args:
        source: the data set.
        files: the ``document.jsonl``.
        pictures: template of the page's picture in the columns (``due/DeepForm/png/{name}.png``).
        ask: what a key is: a question (short), the name of a field, or a statement that is true (1) or false (0).
    """

    def convert(row: Row, entry: Any) -> tuple[str, Turn]:
        try:
            turn = (str(entry["key"]), ", ".join(str(value["value"]) for value in entry["values"]))
        except (KeyError, TypeError) as error:
            raise BadRecord("field missing", row.where, f"annotations: {error}") from error
        return source.picture(pictures, row, row.where), _said(turn, ask, source, f"{row.where} {turn[0][:60]}")

    rows = source.rows(files)
    yield from _gathered(
        source, (source.attempt(convert, row, entry) for row in rows for entry in row.get("annotations") or [None])
    )


def captions(
    source: Source,
    *,
    files: str | Sequence[str],
    pictures: str,
    caption: str = "caption",
    ask: Literal["caption", "detailed_caption"] = "caption",
    key: str | None = None,
    images: str = "",
) -> Iterator[Conversation]:
    """Read captions: every caption of a picture makes a conversation, worded by its own dice.

    Args:
        source: the data set.
        files: tables of captions.
        pictures: template of a picture's path in the columns.
        caption: column of the caption.
        ask: whether a sentence or a full description is asked for.
        key: member of a JSON object that holds the captions (COCO: annotations).
        images: member of it that holds the pictures' names by ``id`` (COCO: images); their columns join by ``image_id``.
    """
    named = {row["id"]: dict(row) for row in source.rows(files, images)} if images else {}

    def convert(row: Row, number: int) -> Conversation:
        values = {**named.get(row.get("image_id"), {}), **row}
        turn = (source.dice(row.where).choice(ASK[ask]), text_of(row, caption, row.where))
        return source.conversation(str(row.get("id", number)), [turn], row.where, source.picture(pictures, values, row.where))

    for number, row in enumerate(source.rows(files, key)):
        if made := source.attempt(convert, row, number):
            yield made


def classes(source: Source, *, pictures: str, names: str) -> Iterator[Conversation]:
    """Read one folder of pictures a class, as ImageNet has it.

    Args:
        source: the data set.
        pictures: folder of the folders, each named by its class (``imagenet/train``).
        names: text file of ``n01440764 tench, Tinca tinca`` lines; the first name is the answer.
    """
    (file,) = source.files(names)
    called = {key: text.partition(",")[0].strip() for key, _, text in (row["text"].partition(" ") for row in read_text(file))}

    def convert(image: str, key: str) -> Conversation:
        if key not in called:
            raise BadRecord("class without a name", image, key)
        source.size(image, image)
        dice: random.Random = source.dice(image)
        return source.conversation(image, [(dice.choice(ASK["classification"]), called[key])], image, image)

    for folder in sorted(path for path in (source.root / pictures).iterdir() if path.is_dir()):
        for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
            if made := source.attempt(convert, source.relative(path), folder.name):
                yield made
