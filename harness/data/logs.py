"""Logs of other harnesses: inspect's (JSON, or a zip of JSON) as records of replies, and the scores that logs state themselves.

inspect's format: https://inspect.aisi.org.uk/eval-logs.html. lmms-eval's ``--log_samples`` files are read where all reply files
are (`harness.data.replies`); of them only the stated scores are read here. Archives are bounded in members and in size, and
nothing is unpacked to disk. Not here: which sample a reply answers, and scores by a benchmark's own rules.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ReplyError

ARCHIVE = ".eval"
MEMBERS, MEMBER_BYTES, TOTAL_BYTES = 200_000, 256 << 20, 4 << 30
"""What an archive may hold: files, bytes of one of them, and bytes of all when unpacked."""

_SAMPLES_FILE = re.compile(r"(?P<run>.*)_samples_(?P<task>.+)\.jsonl$")
_OWN = frozenset(
    {"doc_id", "doc", "resps", "filtered_resps", "arguments", "input", "target", "doc_hash", "prompt_hash", "target_hash"}
)
"""Fields of a sample in lmms-eval's files that are no metrics."""


def is_log(value: Any) -> bool:
    """Whether a JSON value is one of inspect's logs."""
    return isinstance(value, Mapping) and {"version", "eval", "samples"} <= value.keys() and isinstance(value["eval"], Mapping)


def records_of(log: Mapping[str, Any], path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place and record of each sample of a log: ``id``, ``input``, ``target``, ``response`` (None after an error).

    Raises:
        ReplyError: a sample is none, or the log holds several epochs, so several replies to a question.
    """
    for number, sample in enumerate(log["samples"] or ()):
        where = f"{path} sample {number}"
        if not isinstance(sample, Mapping) or "id" not in sample:
            raise ReplyError(f"{where}: no id, which every sample of an inspect log has")
        if sample.get("epoch", 1) != 1:
            raise ReplyError(f"{where}: epoch {sample['epoch']}; one reply a question is scored, so make the log with --epochs 1")
        yield where, {"id": sample["id"], "input": _asked(sample), "target": sample.get("target"), "response": _said(sample)}


def read_archive(path: Path) -> dict[str, Any]:
    """Read a log that is a zip: ``header.json`` and a file a sample. Raises `ReplyError` if it is none, or too large."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(one.file_size for one in members)
            if len(members) > MEMBERS or total > TOTAL_BYTES or any(one.file_size > MEMBER_BYTES for one in members):
                raise ReplyError(f"{path}: {len(members)} files of {total} bytes; no log is so large")
            samples = [one for one in members if one.filename.startswith("samples/") and one.filename.endswith(".json")]
            log = json.loads(_member(archive, archive.getinfo("header.json")))
            return {**log, "samples": [json.loads(_member(archive, one)) for one in samples]}
    except KeyError as error:
        raise ReplyError(f"{path}: no header.json; was the evaluation stopped before its end?") from error
    except NotImplementedError as error:
        raise ReplyError(f"{path}: {error}; write it as JSON with 'inspect log convert --to json'") from error
    except (OSError, zipfile.BadZipFile, ValueError, RecursionError, TypeError, EOFError) as error:
        raise ReplyError(f"{path}: not a readable log ({type(error).__name__}: {error})") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read no more than a member says it holds."""
    with archive.open(member) as file:
        data = file.read(member.file_size + 1)
    if len(data) > member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} holds more than it says")
    return data


def stated_scores(paths: Sequence[Path]) -> dict[str, float]:
    """Return the scores that logs state, by metric; of several files, each with its name before it. Empty where none does.

    inspect: ``results.scores``. lmms-eval: the ``_results.json`` beside the samples, else the means of the samples' own numbers.
    """
    found = {path: _stated(path) for path in paths if path.is_file()}
    if len(found) == 1:
        return next(iter(found.values()))
    return {f"{path.name} {name}": value for path, scores in found.items() for name, value in scores.items()}


def _stated(path: Path) -> dict[str, float]:
    if path.suffix == ARCHIVE:
        return _of_inspect(read_archive(path))
    if named := _SAMPLES_FILE.match(path.name):
        return _of_results(path.with_name(f"{named['run']}_results.json"), named["task"]) or _of_samples(path)
    if path.suffix != ".json":
        return {}
    log = _loaded(path)
    return _of_inspect(log) if is_log(log) else {}


def _of_inspect(log: Mapping[str, Any]) -> dict[str, float]:
    results = log.get("results")
    scores = results.get("scores", ()) if isinstance(results, Mapping) else ()
    metrics = ((score, one) for score in scores for one in score.get("metrics", {}).values())
    return {f"{score['name']}/{one['name']}": float(one["value"]) for score, one in metrics if _is_number(one.get("value"))}


def _of_results(path: Path, task: str) -> dict[str, float]:
    document = _loaded(path) if path.is_file() else None
    results = document.get("results") if isinstance(document, Mapping) else None
    stated = results.get(task) if isinstance(results, Mapping) else None
    return {name: float(value) for name, value in (stated or {}).items() if _is_number(value) and "stderr" not in name}


def _of_samples(path: Path) -> dict[str, float]:
    """Means of the samples' numbers, for metrics that every sample has."""
    values: dict[str, list[float]] = {}
    count = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            sample = json.loads(line) if line.strip() else None
        except ValueError:
            return {}
        if isinstance(sample, Mapping):
            count += 1
            for name, value in sample.items():
                if name not in _OWN and _is_number(value):
                    values.setdefault(name, []).append(float(value))
    return {f"mean {name}": math.fsum(one) / count for name, one in values.items() if len(one) == count}


def _loaded(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _asked(sample: Mapping[str, Any]) -> str:
    """The question: the input, or the texts of its last message of a user."""
    asked = sample.get("input")
    if isinstance(asked, str):
        return asked
    messages = [one for one in asked or () if isinstance(one, Mapping) and one.get("role") == "user"]
    return _text(messages[-1].get("content")) if messages else ""


def _said(sample: Mapping[str, Any]) -> str | None:
    """The first choice of the output; None where the sample ended in an error."""
    output = sample.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    return None if sample.get("error") or not choices else _text(choices[0].get("message", {}).get("content"))


def _text(content: Any) -> str:
    """The text of a message; pictures and reasoning beside it are left out."""
    if isinstance(content, str):
        return content
    parts = [one for one in content or () if isinstance(one, Mapping) and one.get("type") == "text"]
    return "\n".join(str(one.get("text", "")) for one in parts)
