"""Readers of what judges have said of replies elsewhere: files of grades, reviews or verdicts, one or several for each sample.

Layouts: MM-Vet's grades (by id, with lists of ``content`` and ``score``, an entry a run), LLaVA's reviews (JSON lines with
``question_id``, ``content``, ``tuple``), HallusionBench's checks, and any file whose records have an id and what the judge said.
Not here: what a judge's word is worth (`harness.judging.Judging`), and which sample it is about (`harness.data.joining`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.replies import Reply, as_text, chosen, reply_of
from harness.data.reply_files import REPLY_FIELDS, Found, cut, files_of, open_records, plain_name
from harness.errors import ReplyError

WORD_FIELDS = (
    *("content", "review", "judgereply", "judgeresponse", "judgement", "judgment", "verdict", "gptresponse", "evaluation"),
    *("grade", "score", "tuple", "rating", "correctness", "gptscore", "extraction"),
)
"""Names of the field that holds the judge's word, in the spelling of `plain_name`: its text before what was read from it."""

CHECKS = ("gptcheck", "humancheck")
"""How HallusionBench's fields of verdicts end, behind the name of the model's field."""

JUDGE_FIELDS = ("judge", "judgemodel", "judgename", "grader")


@dataclass(frozen=True, kw_only=True)
class Graded:
    """What was said of one reply: ``about`` says which it is, ``words`` has an entry for each time that it was judged."""

    about: Reply
    words: tuple[str | None, ...]
    judge: str = ""


def read_grades(path: Path, field: str | None = None) -> list[list[Graded]]:
    """Read the grades of a file, or of every file of a folder; one list a file.

    Args:
        path: file or folder.
        field: holds what the judge said, where more than one might.

    Raises:
        ReplyError: a file is not there, does not parse, holds nothing, or has a record without anything that a judge says.
    """
    read = [[_graded(found, file, field) for found in _records(open_records(file)[1])] for file in files_of(path)]
    if not any(read):
        raise ReplyError(f"{path}: holds no grades")
    return read


def _records(found: Iterable[Found]) -> Iterator[Found]:
    """Put fields that stand below one id, such as MM-Vet's ``content`` and ``score``, back together."""
    whole: dict[str, dict[str, Any]] = {}
    for one in found:
        if one.category and one.key:
            whole.setdefault(one.category, {})[one.key] = one.value
        else:
            yield one
    yield from (Found(where=f"record {key}", value=value, key=key) for key, value in whole.items())


def _graded(found: Found, path: Path, field: str | None = None) -> Graded:
    value = found.value if isinstance(found.value, Mapping) else {"grade": found.value}
    fields = {plain_name(str(name)): one for name, one in value.items()}
    name = _word_field(fields) if field is None else chosen(fields, field)
    if name is None or (not found.key and not isinstance(found.value, Mapping)):
        raise ReplyError(
            f"{path} {found.where}: no id with a field that holds what a judge said (such as content, grade, score, "
            f"judge_reply): {cut(found.value)}"
        )
    if "questionid" in fields:
        fields.pop("id", None)  # LLaVA's reviews have a number of their own
    about = reply_of(found, fields, name, None, path)
    return Graded(about=about, words=_words(fields[name], name), judge=_judge(fields))


def _word_field(fields: Mapping[str, Any]) -> str | None:
    checks = (name for name in fields if name.endswith(CHECKS))
    return next((name for name in (*WORD_FIELDS, *checks, *REPLY_FIELDS) if name in fields), None)


def _words(value: Any, name: str) -> tuple[str | None, ...]:
    """One word, or a list of one a run; a tuple of scores is a word."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if name == "tuple":
            return (" ".join(map(str, value)),)
        return tuple(map(as_text, value))
    return (as_text(value),)


def _judge(fields: Mapping[str, Any]) -> str:
    """The judge's name if the record has it; MM-Vet's ``model`` beside ``content`` is the judge, one a run."""
    names = (*JUDGE_FIELDS, *(("model",) if isinstance(fields.get("model"), list) else ()))
    found = next((fields[name] for name in names if fields.get(name)), "")
    return str(found[0] if isinstance(found, list) else found)
