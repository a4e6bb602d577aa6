"""A baseline in one file that can be committed: what runs were, and each sample's scores. Schema 1; no texts, no times.

One line of JSON a run, sorted by benchmark, so that a diff shows which benchmark changed. Right and wrong answers are a string
of digits, repeated strings are codes. Reading it gives back runs as if their folders were there (`unpack`).

    {"schema": 1, "kind": "gate baseline", "runs": [
    {"about": ..., "result": ..., "aspects": ..., "media": ..., "columns": {"ids": ..., "scores": {"correct": "0110"}, ...}},
    ...]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import ResultError
from harness.results import result_name, scores_name, whole, write_json, write_scores
from harness.types import Parsed, Scored
from reports.gate.entries import Entry
from reports.load import load_run, sample_rows

SCHEMA, KIND = 1, "gate baseline"

FLAGS = ("unparsed", "failed", "missing", "truncated")
"""Bits of a sample's digit, lowest first."""

_DIGITS = 9
_ABOUT = ("schema", "model", "task", "data", "convention", "prompt", "generation", "kind", "control", "judge", "seed", "limit")


def save(entries: Iterable[Entry], path: Path) -> int:
    """Write runs to ``path``; return how many. The same runs give the same bytes, wherever and whenever.

    Raises:
        ResultError: a run cannot be read, or there is none.
    """
    packed = sorted((_packed(entry) for entry in entries), key=lambda one: json.dumps(one["about"], sort_keys=True))
    packed.sort(key=lambda one: str(one["about"]["task"]["name"]))
    if not packed:
        raise ResultError(f"{path}: not written, there is no finished run to keep")
    lines = ",\n".join(json.dumps(one, sort_keys=True, separators=(",", ":"), allow_nan=False) for one in packed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as temporary:
        temporary.write_text(f'{{"schema":{SCHEMA},"kind":"{KIND}","runs":[\n{lines}\n]}}\n', encoding="ascii")
    return len(packed)


def unpack(path: Path, folder: Path) -> list[Entry]:
    """Write the runs that ``path`` holds below ``folder`` as run folders, and return them.

    Raises:
        ResultError: the file is missing, no baseline, of another schema, or damaged.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: cannot be read ({error})") from error
    if not isinstance(document, dict) or (document.get("schema"), document.get("kind")) != (SCHEMA, KIND):
        raise ResultError(f"{path}: no baseline of schema {SCHEMA}; riddle gate save writes one")
    try:
        return [_unpacked(path, one, folder / str(number)) for number, one in enumerate(document["runs"])]
    except (KeyError, TypeError, ValueError, AttributeError, LookupError) as error:
        raise ResultError(f"{path}: damaged ({type(error).__name__}: {error}); write it again with riddle gate save") from error


def _packed(entry: Entry) -> dict[str, Any]:
    about = json.loads((entry.run.folder / "run.json").read_bytes())
    suffix = entry.run.scores.name.removeprefix("scores").removesuffix(".parquet").removeprefix(".")
    result = json.loads((entry.run.folder / result_name(suffix or None)).read_bytes())
    rows = list(sample_rows(entry.run))
    names = [list(dict.fromkeys(name for row in rows for name in getattr(row, kind))) for kind in ("scores", "groups")]
    kept = {name: about[name] for name in _ABOUT if name in about} | {"convention": entry.run.convention}
    kept["data"] = {name: value for name, value in about["data"].items() if name != "paths"}
    kept["task"] = {name: value for name, value in about["task"].items() if name != "card"}
    flags = [(row.reason is not None, row.failed is not None, row.missing, row.truncated) for row in rows]
    return {
        "about": kept,
        "result": result,
        "aspects": dict(entry.aspects),
        "media": _coded(entry.media) if entry.media else None,
        "columns": {
            "ids": [row.sample_id for row in rows],
            "clusters": _coded([row.cluster for row in rows]),
            "flags": "".join(f"{sum(bit << place for place, bit in enumerate(bits)):x}" for bits in flags),
            "scores": {name: _numbers([row.scores.get(name, math.nan) for row in rows]) for name in names[0]},
            "groups": {name: _coded([row.groups.get(name, "") for row in rows]) for name in names[1]},
        },
    }


def _unpacked(path: Path, packed: Mapping[str, Any], folder: Path) -> Entry:
    columns = packed["columns"]
    ids = [str(one) for one in columns["ids"]]
    clusters, media = _decoded(columns["clusters"]), _decoded(packed["media"]) if packed["media"] else ()
    scores = {name: _floats(column) for name, column in columns["scores"].items()}
    groups = {name: _decoded(column) for name, column in columns["groups"].items()}
    every = (ids, clusters, columns["flags"], *scores.values(), *groups.values(), *([media] if media else []))
    lengths = {len(one) for one in every}
    if lengths != {len(ids)}:
        raise ResultError(f"{path}: damaged, its columns have {sorted(lengths)} entries; write it again with riddle gate save")
    rows = [
        _scored(
            name, clusters[i], int(columns["flags"][i], 16), {key: one[i] for key, one in scores.items()},
            {key: one[i] for key, one in groups.items()},
        )
        for i, name in enumerate(ids)
    ]  # fmt: skip
    folder.mkdir(parents=True)
    write_scores(folder / scores_name(), lambda: rows)
    write_json(folder / "run.json", packed["about"])
    write_json(folder / result_name(), packed["result"])
    (run,) = load_run(folder)
    if run.broken:
        raise ResultError(f"{path}: damaged ({run.broken})")
    aspects = {str(name): str(value) for name, value in packed["aspects"].items()}
    return Entry(run=replace(run, folder=path / run.task), aspects=aspects, media=tuple(media))


def _scored(name: str, cluster: str, bits: int, scores: Mapping[str, float], groups: Mapping[str, str]) -> Scored:
    unparsed, failed, missing, truncated = (bool(bits >> place & 1) for place in range(len(FLAGS)))
    parsed = Parsed(None, "unparsed" if unparsed else None)
    return Scored(
        sample_id=name, cluster=cluster, groups=groups, reply=None, parsed=parsed, scores=scores,
        failed="failed" if failed else None, missing=missing, truncated=truncated,
    )  # fmt: skip


def _coded(values: Sequence[str]) -> Any:
    """Strings as a list, or as codes into the different ones where that is shorter."""
    known = list(dict.fromkeys(values))
    if len(known) > len(values) // 2:
        return list(values)
    codes = {value: code for code, value in enumerate(known)}
    return {"values": known, "codes": [codes[value] for value in values]}


def _decoded(column: Any) -> list[str]:
    if isinstance(column, Mapping):
        return [str(column["values"][code]) for code in column["codes"]]
    return [str(one) for one in column]


def _numbers(values: Sequence[float]) -> Any:
    """Zeros and ones as a string of digits, other numbers as a list with nothing for what is no number."""
    if all(value in (0.0, 1.0) for value in values):
        return "".join(str(int(value)) for value in values)
    return [round(value, _DIGITS) if math.isfinite(value) else None for value in values]


def _floats(column: Any) -> list[float]:
    return [math.nan if one is None else float(one) for one in column]
