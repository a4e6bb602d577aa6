"""Opens files of replies of any known form as a stream of raw records: JSON, JSON lines, tables, xlsx, tabbed lines.

Not here: what the fields of a record mean (`harness.data.replies`). These readers are apart from those of benchmarks'
data (`harness.data.sources`) because a reply file's form is only known by looking at it, its tables hold no pictures, and each
of its records keeps the key or data set under which it stood.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.data.coco import results_of
from harness.data.due import as_reply, replies_of
from harness.data.logs import ARCHIVE, is_log, read_archive, records_of
from harness.errors import ReplyError

LAYOUTS = (
    "LLaVA answers: JSON lines with question_id, prompt, text",
    "lmms-eval samples: JSON lines with doc_id, doc, resps or filtered_resps",
    "inspect log: .eval or .json with samples that have an id, input and output",
    "VLMEvalKit table: xlsx, tsv or csv with index and prediction",
    "list of records, or JSON lines: an id, a picture or a question, and a reply (RRC, POPE, VLM-R1 and others)",
    "records by id, or replies by id: one JSON object, perhaps by data set first (MathVista, Video-Bench and others)",
    "DUE's answers: JSON lines of documents with annotations, each a key and its values",
    "COCO results: a JSON list of detections with image_id, category_id and bbox or keypoints",
    "lines of an id and its items with tabs between (WikiTableQuestions)",
    "lines of picture, question, answer, reply with tabs between, a file a sub-task (MME's eval_tool)",
    "replies in order: a JSON list of texts, where the official scorer goes by order",
)
"""What can be read, in words for an error."""

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".txt", ARCHIVE)

REPLY_FIELDS = (
    *("rawresponse", "modeloutput", "modelresponse", "response", "modelprediction", "modelanswer", "prediction", "predictions"),
    *("pred", "predict", "predictedanswer", "predanswer", "generatedtext", "generatedanswer", "generation", "outputsequence"),
    *("outputtext", "output", "outputs", "completion", "reply", "text", "answer", "result"),
)
"""Names of the field that holds the reply, in the spelling of `plain_name`: raw texts before what a toolkit read from them."""

ID_FIELDS = (
    *("id", "sampleid", "questionid", "qid", "pid", "index", "idx", "dataid", "itemid", "uid", "key", "sampleindex", "docid"),
)  # fmt: skip
QUESTION_FIELDS = ("question", "prompt", "query", "instruction", "expression", "sent", "input", "text")
PICTURE_FIELDS = (
    *("image", "imagepath", "img", "imgpath", "imgfilename", "imagename", "imagefile", "imageid", "imgid", "picture", "filename"),
    *("video", "videoid", "vidpath", "videopath", "videoname", "clip"),
)
SHOWN = 300
"""Characters of the first record in an error."""


_ITEMS = re.compile(r"[A-Za-z]+-\d+(\t|\r?\n|$)")
"""How a file without a header begins whose lines are an id and its items, as WikiTableQuestions' are: ``nu-0``."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record with its place, and the key and category under which it stood."""

    where: str
    value: Any
    key: str = ""
    category: str = ""


def known_layouts() -> str:
    """Name the layouts that can be read, for an error."""
    return "Known layouts (each also .gz): " + "; ".join(LAYOUTS) + "."


def plain_name(name: str) -> str:
    """Spell a field's name without case and marks: ``questionId``, ``question_id`` and ``Question ID`` are one."""
    return re.sub(r"[\W_]", "", name.lower())


def files_of(path: Path) -> list[Path]:
    """Return the file itself, or the files of a folder that have a known suffix. Raises `ReplyError` if there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ReplyError(f"{path}: no such file or folder of replies")
    found = sorted(file for file in path.rglob("*") if file.is_file() and _suffix(file) in SUFFIXES and file.name[0] != ".")
    if not found:
        raise ReplyError(f"{path}: no file with a known suffix ({', '.join(SUFFIXES)}, each also .gz) in this folder")
    return found


def _suffix(path: Path) -> str:
    return PurePosixPath(path.name.lower().removesuffix(".gz")).suffix


def cut(value: Any) -> str:
    """Write a record for an error, cut after `SHOWN` characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"


def open_records(path: Path) -> tuple[str, Iterator[Found]]:
    """Open a file by its content as far as that shows it, else by its suffix; return the shape and the records.

    Behind a known suffix there may be another word: ``replies.json.processed``.
    """
    suffix = _suffix(path)
    if suffix not in SUFFIXES:
        suffix = next((one for one in map(str.lower, reversed(path.suffixes)) if one in SUFFIXES), suffix)
    if suffix == ".xlsx":
        return "table", _xlsx(path)
    if suffix == ARCHIVE:
        return "inspect log", _logged(path, read_archive(path))
    if suffix not in SUFFIXES:
        raise ReplyError(f"{path}: suffix {suffix!r} is unknown. {known_layouts()}")
    text = _text(path)
    start = text.lstrip()[:1]
    if suffix in (".csv", ".tsv"):
        if _ITEMS.match(text):
            return "by id", _lines_of_items(path, text)
        return "table", _table(path, text, _delimiter(text, suffix))
    if start in ("{", "["):
        return _json(path, text)
    if suffix == ".txt":
        return "lines", _tabbed(path, text)
    raise ReplyError(f"{path}: not JSON, it starts with {text[:60]!r}. {known_layouts()}")


def _text(path: Path) -> str:
    try:
        data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReplyError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ReplyError(f"{path}: cannot be read ({error})") from error


def _json(path: Path, text: str) -> tuple[str, Iterator[Found]]:
    """Read one JSON document, or a document a line."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ReplyError(f"{path}: nested too deeply to be replies") from error
    except ValueError as error:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        if len(lines) < 2 or not _is_json(lines[0][1]):
            raise ReplyError(f"{path}: not JSON ({error}); was it cut short?") from error
        return "records", _documents(_json_lines(path, lines))
    if is_log(value):
        return "inspect log", _logged(path, value)
    if isinstance(value, list):
        results = results_of(value)
        if results is not None:
            return "by id", (Found(f"{path} picture {image}", text, image) for image, text in results.items())
        return "records", _documents(Found(f"{path} record {number}", one) for number, one in enumerate(value))
    if replies_of(value) is not None:
        return "records", _documents([Found(f"{path} record 0", value)])
    return _object(path, value)


def _logged(path: Path, log: Mapping[str, Any]) -> Iterator[Found]:
    return (Found(where, record) for where, record in records_of(log, path))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _json_lines(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Found]:
    for number, line in lines:
        try:
            yield Found(f"{path} line {number}", json.loads(line))
        except (ValueError, RecursionError) as error:
            raise ReplyError(f"{path} line {number}: not JSON ({error}); was the file cut short? {line[:80]!r}") from error


def _documents(records: Iterable[Found]) -> Iterator[Found]:
    """Take documents in DUE's form apart into replies by document and key; leave all else as it is."""
    for one in records:
        replies = replies_of(one.value)
        if replies is None:
            yield one
        else:
            yield from (Found(f"{one.where} {key}", reply, key) for key, reply in replies.items())


def _object(path: Path, value: Any) -> tuple[str, Iterator[Found]]:
    """Read a JSON object: replies or records by id, the same by data set, or an object with lists of records."""
    if not isinstance(value, dict):
        raise ReplyError(f"{path}: one {type(value).__name__}, not a list or an object of replies. {known_layouts()}")
    lists = {name: one for name, one in value.items() if isinstance(one, list) and one and all(isinstance(x, dict) for x in one)}
    if lists:
        listed = ((f"{path} {name}[{number}]", one) for name, records in lists.items() for number, one in enumerate(records))
        return "records", (Found(where, one) for where, one in listed)
    if _is_record(value):
        return "records", iter([Found(f"{path} record 0", value)])
    return "by id", _members(path, _texts_by_id(value), "")


def _texts_by_id(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The member that holds replies by id beside numbers of their score, as ScienceQA's and IconQA's scripts write it, or all."""
    for name in ("outputs", "results"):
        member = value.get(name)
        if isinstance(member, dict) and member and not any(isinstance(one, dict | list) for one in member.values()):
            return member
    return value


def _is_record(value: Mapping[str, Any]) -> bool:
    """Whether an object is one reply, rather than a collection of them."""
    names = set(map(plain_name, value))
    if "docid" in names and names & {"resps", "filteredresps"}:
        return True
    return bool(names & set(REPLY_FIELDS)) and bool(names & {*ID_FIELDS, *QUESTION_FIELDS, *PICTURE_FIELDS})


def _members(path: Path, value: Mapping[str, Any], category: str) -> Iterator[Found]:
    for key, one in value.items():
        where = f"{path} {category + '/' if category else ''}{key}"
        collection = isinstance(one, dict) and not set(map(plain_name, one)) & set(REPLY_FIELDS)
        if collection and not category:
            yield from _members(path, one, key)
        else:
            yield Found(where, one, key, category)


def _delimiter(text: str, suffix: str) -> str:
    """A table's header shows what parts its columns, whatever the suffix says; semicolons are what some spreadsheets write."""
    header = text.lstrip("\r\n").partition("\n")[0]
    usual = "\t" if suffix == ".tsv" else ","
    return max((usual, "\t", ",", ";"), key=header.count)


def _lines_of_items(path: Path, text: str) -> Iterator[Found]:
    """Read lines of an id and any number of items, with tabs between and no header."""
    for number, line in enumerate(text.split("\n"), start=1):
        name, *items = line.rstrip("\r").split("\t")
        if name:
            yield Found(f"{path} line {number}", as_reply(items), name)


def _table(path: Path, text: str, delimiter: str) -> Iterator[Found]:
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, [])
        for values in reader:
            if not any(values):
                continue
            where = f"{path} line {reader.line_num}"
            if len(values) != len(header):
                raise ReplyError(f"{where}: {len(values)} fields, the header has {len(header)}; was the file cut short?")
            yield Found(where, dict(zip(header, values, strict=True)))
    except csv.Error as error:
        raise ReplyError(f"{path} line {reader.line_num}: {error}") from error


def _xlsx(path: Path) -> Iterator[Found]:
    """Read the first sheet that has a header with a reply; an empty cell is an empty reply."""
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        data = gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (OSError, EOFError, zlib.error, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise ReplyError(f"{path}: not a readable xlsx file ({error})") from error
    headers: dict[str, list[str]] = {}
    for sheet in book.worksheets:
        rows = sheet.iter_rows(values_only=True)
        header = headers[sheet.title] = ["" if cell is None else str(cell) for cell in next(rows, ())]
        if set(map(plain_name, header)) & set(REPLY_FIELDS):
            for number, values in enumerate(rows, start=2):
                if any(cell is not None for cell in values):
                    cells = ("" if cell is None else cell for cell in values)
                    yield Found(f"{path} {sheet.title} row {number}", dict(zip(header, cells, strict=False)))
            return
    raise ReplyError(f"{path}: no sheet has a column of replies (headers: {headers}). {known_layouts()}")


def _tabbed(path: Path, text: str) -> Iterator[Found]:
    """Read lines without a header: picture, question, answer, reply; or id and reply."""
    names = {4: ("image", "question", "label", "prediction"), 2: ("id", "prediction")}
    count = 0
    for number, line in enumerate(text.split("\n"), start=1):
        values = line.rstrip("\r").split("\t")
        if values == [""] or not line.strip():
            continue
        count = count or len(values)
        if len(values) != count or count not in names:
            expected = (
                f"{count} as in the first line" if count in names else "4 (picture, question, answer, reply) or 2 (id, reply)"
            )
            raise ReplyError(f"{path} line {number}: {len(values)} fields between tabs, expected {expected}: {line[:120]!r}")
        yield Found(f"{path} line {number}", dict(zip(names[count], values, strict=True)))
