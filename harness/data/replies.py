"""Readers of replies made elsewhere: which layout a file has, and what each of its records says.

Layouts are those of toolkits and of files in general; no benchmark is known here. A reader yields `Reply` values: the reply's
text and whatever may say which sample it answers (ids, picture, question, reference, category). Deciding that is the work of
`harness.data.joining`.

Tolerant in form: ``.gz`` of everything, byte order marks, Windows line ends, JSON lines under ``.json``, many names of one
field. Strict in substance: a record without a reply field, a line that does not parse or a table row that is too short is an
error that names its place; nothing is guessed past it, and nothing is unpickled.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from harness.data.reply_files import (
    ID_FIELDS,
    PICTURE_FIELDS,
    QUESTION_FIELDS,
    REPLY_FIELDS,
    SHOWN,
    Found,
    cut,
    files_of,
    known_layouts,
    open_records,
    plain_name,
)
from harness.errors import ReplyError

REFERENCE_FIELDS = ("groundtruth", "gt", "gtanswers", "gtanswer", "gtbbox", "gtbox", "bbox", "target", "label", "answer")
CATEGORY_FIELDS = ("category", "dataset", "subtask", "task", "kind", "type", "problemversion")
EXTRACTION_FIELDS = ("extraction", "outputchatgptchoice", "judgeextraction")
LOGGED = (("res", "log"), ("extract", "logextract"))
"""VLMEvalKit's judges write a log beside the answer that they take out."""

_REFERRED = re.compile(r"<ref>\s*(.*?)\s*</ref>", re.DOTALL)
"""Where grounding prompts have the expression, which is all that tells them apart."""

_ANNOTATION_FIELDS = frozenset({"choices", "options", "questiontype", "answertype", "a"})
"""Where one of these stands beside ``answer`` and nothing else looks like a reply, the answer is the benchmark's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One record of a reply file.

    Attributes:
        where: file and line, row or key.
        text: the reply; None if the record says that there is none (JSON null).
        ids: what names the sample, by the field's plain name, such as ``{"questionid": "7"}``.
        question: the question or whole prompt, if recorded.
        picture: name of the picture or clip, if recorded.
        reference: the expected answer, if recorded; boxes and lists as JSON text.
        categories: sub-task or data set, from a field and from the name of the file.
        extraction: the answer that a judge took out of the reply, if recorded.
    """

    where: str
    text: str | None
    ids: Mapping[str, str] = field(default_factory=dict)
    question: str = ""
    picture: str = ""
    reference: str = ""
    categories: tuple[str, ...] = ()
    extraction: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReplyFile:
    """All replies of a file, a folder or several files, with how they were read."""

    layout: str
    field: str
    replies: tuple[Reply, ...]
    first: str
    """The first record as it stands in the file, cut, for errors."""


def read_replies(paths: Sequence[Path], field: str | None = None) -> ReplyFile:
    """Recognise the layout of reply files and read them, in the order given.

    Args:
        paths: files, or folders of which every file with a known suffix is read; a folder within one names a sub-task, as where
            Video-Bench's judge writes a file a question.
        field: holds the reply, where a record has several that might.

    Raises:
        ReplyError: a path does not exist, a file does not parse, its layout is not known, or its files differ in layout.
    """
    files = [(file, path) for path in paths for file in files_of(path)]
    replies: list[Reply] = []
    layouts: dict[str, Path] = {}
    fields: dict[str, None] = {}
    first = ""
    for path, given in files:
        shape, found = open_records(path)
        below = "/".join(path.relative_to(given).parent.parts)
        for one in found:
            first = first or cut(one.value)
            layout, name, reply = _reply(one if one.category else replace(one, category=below), shape, path, field)
            layouts.setdefault(layout, path)
            fields.setdefault(name)
            replies.append(reply)
    if not replies:
        raise ReplyError(f"{', '.join(map(str, paths))}: holds no replies. {known_layouts()}")
    if len(layouts) > 1:
        named = "; ".join(f"{path}: {layout}" for layout, path in layouts.items())
        raise ReplyError(f"replies in different layouts cannot be read together ({named}); name the files of one")
    return ReplyFile(layout=next(iter(layouts)), field=", ".join(fields), replies=tuple(replies), first=first)


def as_text(value: Any) -> str | None:
    """Turn a reply of any JSON type into text; None stays None, NaN is None, a list of one is what it holds.

    >>> as_text([["Yes"]]), as_text(3), as_text([1, 2]), as_text(float("nan"))
    ('Yes', '3', '[1, 2]', None)
    """
    while isinstance(value, list) and value and (len(value) == 1 or isinstance(value[0], str | list)):
        value = value[0]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _stem(path: Path) -> str:
    return path.name.split(".")[0]


def _reply(found: Found, shape: str, path: Path, field: str | None = None) -> tuple[str, str, Reply]:
    """Return the layout's name, the field of the reply, and the reply."""
    value = found.value
    if isinstance(value, dict):
        fields = {plain_name(str(name)): one for name, one in value.items()}
        if field is None and {"docid"} <= fields.keys() and fields.keys() & {"resps", "filteredresps"}:
            return "lmms-eval samples", "resps", _from_lmms_eval(found, fields, path)
        name = _reply_field(fields) if field is None else chosen(fields, field)
        if name is None:
            _no_reply(found, path)
        layout = _layout(fields, shape, found)
        return layout, name, reply_of(found, fields, name, as_text(fields[name]), path)
    if found.key:
        return "replies by id", "value", Reply(
            where=found.where, text=as_text(value), ids={"key": found.key}, categories=_categories(found, {}, path)
        )  # fmt: skip
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return "replies in order", "value", Reply(where=found.where, text=as_text(value), categories=_categories(found, {}, path))
    _no_reply(found, path)


def _no_reply(found: Found, path: Path) -> NoReturn:
    raise ReplyError(
        f"{found.where}: no field that holds a reply (such as prediction, response, text, answer). "
        f"The record: {cut(found.value)}. {known_layouts()}"
    )


def _layout(fields: Mapping[str, Any], shape: str, found: Found) -> str:
    if {"questionid", "prompt", "text"} <= fields.keys():
        return "LLaVA answers"
    if shape == "inspect log":
        return shape
    if shape == "table":
        return "VLMEvalKit table" if {"index", "prediction"} <= fields.keys() else "table"
    if shape == "lines":
        return "lines with tabs"
    return "records by id" if found.key else "list of records"


def chosen(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a field that was asked for, in the spelling of `plain_name`; None where the record lacks it."""
    return plain_name(name) if plain_name(name) in fields else None


def _reply_field(fields: Mapping[str, Any]) -> str | None:
    """Choose the field of the reply: the surest name there is, unless it is plainly the question or the benchmark's answer."""
    for name in REPLY_FIELDS:
        if name not in fields:
            continue
        if (
            name == "text"
            and fields.keys() & {"answer", "label", "image"}
            and not fields.keys() & {"prompt", "question", "query"}
        ):
            continue  # the question is called text, as in POPE's files and LLaVA's questions
        if name == "answer" and fields.keys() & _ANNOTATION_FIELDS:
            continue
        return name
    return next((name for name in fields if name.endswith("output")), None)  # HallusionBench's gpt4v_output


def reply_of(found: Found, fields: Mapping[str, Any], reply: str, text: str | None, path: Path) -> Reply:
    """Take what names the sample from a record whose reply is ``text``, in the field ``reply``; names as of `plain_name`."""
    ids = {name: str(named) for name in ID_FIELDS if name in fields and (named := _id(fields[name])) is not None}
    if found.key:
        ids["key"] = found.key
    question = next((fields[name] for name in QUESTION_FIELDS if name != reply and isinstance(fields.get(name), str)), "")
    picture = next((named for name in PICTURE_FIELDS if (named := _picture(fields.get(name)))), "")
    expected = next((fields[name] for name in REFERENCE_FIELDS if name != reply and fields.get(name) not in (None, "")), "")
    expression = _REFERRED.search(question)
    judged = (*EXTRACTION_FIELDS, *(name for name, log in LOGGED if log in fields))
    extraction = next((fields[name] for name in judged if fields.get(name) is not None), None)
    return Reply(
        where=found.where,
        text=text,
        ids=ids,
        question=expression[1] if expression else question,
        picture=picture,
        reference=expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False, default=str),
        categories=_categories(found, fields, path),
        extraction=as_text(extraction),
    )


def _from_lmms_eval(found: Found, fields: Mapping[str, Any], path: Path) -> Reply:
    """The sample's own record stands in ``doc``; where that is left out, the values of the metrics may hold its id."""
    held = [fields["doc"]] if isinstance(fields.get("doc"), dict) else [one for one in fields.values() if isinstance(one, dict)]
    own = {plain_name(str(name)): one for doc in held for name, one in doc.items()}
    text = as_text(fields["resps"] if fields.get("resps") else fields.get("filteredresps"))
    asked = _first_text(fields.get("arguments") or fields.get("input"))
    merged = {**({"prompt": asked} if asked else {}), **own, "docid": fields["docid"]}
    if asked and _plain(own.get("question")) not in _plain(asked):  # one question for all, as in RefCOCO, tells nothing
        merged["question"] = asked
    judged = (value.get("extraction") for value in fields.values() if isinstance(value, dict))
    merged["extraction"] = next((text for text in judged if isinstance(text, str)), own.get("extraction"))
    if "target" in fields and not own.keys() & set(REFERENCE_FIELDS):
        merged["target"] = fields["target"]
    return reply_of(found, merged, "", text, path)


def _plain(value: Any) -> str:
    return " ".join(str(value or "").casefold().split())


def _first_text(value: Any) -> str:
    """The first text in nested lists and objects: the prompt among lmms-eval's arguments."""
    while isinstance(value, list | dict) and value:
        value = value[0] if isinstance(value, list) else next(iter(value.values()))
    return value if isinstance(value, str) else ""


def _id(value: Any) -> str | None:
    """Write an id as text; whole numbers lose their decimals, as tables add them."""
    if isinstance(value, bool) or value is None or isinstance(value, list | dict):
        return None
    text = str(value).strip()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text) or None


def _picture(value: Any) -> str:
    """Return a picture's name; pictures themselves (base64) and lists of several are none."""
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and len(value) < SHOWN else ""


def _categories(found: Found, fields: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = [str(fields[name]) for name in CATEGORY_FIELDS if isinstance(fields.get(name), str) and fields[name]]
    return tuple(dict.fromkeys(filter(None, (found.category, *named, _stem(path)))))
