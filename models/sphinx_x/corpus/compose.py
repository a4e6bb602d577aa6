"""Composes a mixture: converts what is there, samples it as the authors do, writes shards and the authors' data file.

    out/converted/SET.jsonl, SET.json    all conversations of a data set, and what was left out of it and why
    out/shards/GROUP/SET-00000.jsonl     what the mixture takes of it, in the order in which it was sampled
    out/data_config.yaml                 the authors' list of files (META; `data_file` reads it)
    out/report.json                      present and missing data sets, counts, bad records

The same settings and data give the same shards, byte by byte. A killed run goes on where it stopped: a data set whose settings
and annotation files have not changed is not converted again. Sampling: seed 0, ``int(n * ratio)`` without replacement
(LLaMA2-Accessory, ``accessory/data/conversation/dataset.py``).
"""

from __future__ import annotations

import hashlib
import json
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.errors import DatasetError
from harness.results import whole, write_json
from harness.task import fitting
from models.sphinx_x.corpus.data_file import SEED
from models.sphinx_x.corpus.families import convert
from models.sphinx_x.corpus.families.source import Source
from models.sphinx_x.corpus.mixture import FILES, DataSet, Group, Mixture, read_mixture
from models.sphinx_x.corpus.records import write_conversations

VERSION: Final = 1
"""Goes up when a converter would make other conversations of the same data."""


def compose(
    settings: Mapping[str, Any], root: Path | None = None, out: Path | None = None, dry: bool = False, partial: bool = False
) -> list[dict[str, Any]]:
    """Compose a mixture, or only plan it.

    Args:
        settings: a mixture as ``conf/mixture`` holds it.
        root: folder of the data sets, instead of the mixture's.
        out: folder to write to, likewise.
        dry: whether to say only what is there and what is missing.
        partial: whether to compose what is there although data sets are missing.

    Returns:
        one row a data set: group, set, state (present, missing, converted), what is missing, counts, bad records, licence.

    Raises:
        ConfigError: the settings do not fit.
        DatasetError: data sets are missing (all are named together) and ``partial`` is false; a file cannot be read.
    """
    mixture, groups = read_mixture({**settings, **({"root": str(root)} if root else {}), **({"out": str(out)} if out else {})})
    if mixture.drawn and not dry:
        from models.sphinx_x.corpus.drawn import draw_layouts

        draw_layouts(mixture.root, mixture.drawn)
    rows = [row for name, group in groups.items() for row in _plan(mixture, name, group)]
    if dry:
        return rows
    lost = [row for row in rows if row["missing"]]
    if lost and (not partial or len(lost) == len(rows)):
        raise DatasetError(_missing_message(lost, mixture.root))
    for row in rows:
        if not row["missing"]:
            row |= _converted(mixture, row["set"], groups[row["group"]].sets[row["set"]])
    for name, group in groups.items():
        _sample(mixture, name, group, [row for row in rows if row["group"] == name and not row["missing"]])
    _write_data_file(mixture, rows)
    write_json(mixture.folder / "report.json", {"mixture": mixture.name, "version": VERSION, "sets": rows})
    return rows


def _plan(mixture: Mixture, name: str, group: Group) -> Iterator[dict[str, Any]]:
    for key, one in group.sets.items():
        missing = one.missing(mixture.root)
        yield {
            "group": name,
            "set": key,
            "type": group.kind,
            "state": "missing" if missing else "present",
            "missing": missing,
            "group_count": group.count,
            "licence": one.licence,
            "root": str(mixture.root),
            "out": str(mixture.folder),
        }


def _missing_message(rows: Sequence[Mapping[str, Any]], root: Path) -> str:
    lines = [
        f"  {row['set']} ({row['group']}): {', '.join(part.replace('|', ' or ') for part in row['missing'])}" for row in rows
    ]
    head = f"{len(rows)} data sets are missing below {root}; partial=true composes the others. Expected there:"
    return "\n".join([head, *lines])


def _converted(mixture: Mixture, name: str, data: DataSet) -> dict[str, Any]:
    """Convert one data set unless that is done; return its counts."""
    mark = _fingerprint(mixture, name, data)
    file = mixture.folder / "converted" / f"{name}.jsonl"
    report = file.with_suffix(".json")
    done = _read(report)
    if done.get("fingerprint") != mark or not file.is_file():
        source = Source(name=name, root=mixture.root, turns=mixture.turns)
        with fitting(name):
            count = write_conversations(file, convert(source, data.converter, data.settings))
        done = {"fingerprint": mark, "conversations": count, "bad": source.skips.record()}
        write_json(report, done)
    return {"state": "converted", **done}


def _fingerprint(mixture: Mixture, name: str, data: DataSet) -> str:
    """Name what a conversion depends on: settings, and size and time of the annotation files (not of the pictures)."""
    source = Source(name=name, root=mixture.root)
    patterns = [data.settings[key] for key in FILES if data.settings.get(key) and "{" not in str(data.settings[key])]
    files = [path for pattern in patterns for path in source.files(pattern)]
    states = [(source.relative(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    told = json.dumps([VERSION, data.converter, dict(data.settings), mixture.turns, str(mixture.root), states], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _sample(mixture: Mixture, name: str, group: Group, rows: Sequence[dict[str, Any]]) -> None:
    """Decide how much is taken of every data set of a group, and write its shards."""
    held = [int(row["conversations"] * (group.sets[row["set"]].ratio or 1.0)) for row in rows]
    for row, taken in zip(rows, _fitted(held, mixture.wanted(group)), strict=True):
        row["taken"] = taken
        row["files"] = _shards(mixture, name, row)


def _fitted(held: Sequence[int], wanted: int | None) -> list[int]:
    """Shrink counts in proportion until they add up to ``wanted``, largest remainders rounded up first; never grow them."""
    total = sum(held)
    if wanted is None or total <= wanted:
        return list(held)
    shares = [count * wanted / total for count in held]
    fitted = [int(share) for share in shares]
    by_remainder = sorted(range(len(held)), key=lambda at: fitted[at] - shares[at])
    for at in by_remainder[: wanted - sum(fitted)]:
        fitted[at] += 1
    return fitted


def _shards(mixture: Mixture, group: str, row: Mapping[str, Any]) -> list[str]:
    """Write the shards of one data set unless they are there; return their paths relative to the output folder."""
    folder = mixture.folder / "shards" / group
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-row["taken"] // mixture.shard)
    files = [folder / f"{row['set']}-{number:05d}.jsonl" for number in range(count)]
    mark = {"fingerprint": row["fingerprint"], "taken": row["taken"], "shard": mixture.shard}
    done = _read(folder / f"{row['set']}.done.json")
    if done != mark or not all(file.is_file() for file in files):
        for old in folder.glob(f"{row['set']}-[0-9][0-9][0-9][0-9][0-9].jsonl"):
            old.unlink()
        _write_shards(mixture.folder / "converted" / f"{row['set']}.jsonl", row["taken"], mixture.shard, files)
        write_json(folder / f"{row['set']}.done.json", mark)
    return [file.relative_to(mixture.folder).as_posix() for file in files]


def _write_shards(path: Path, taken: int, size: int, files: Sequence[Path]) -> None:
    """Copy the sampled lines of a file into files of ``size`` lines; only the lines' places are held in memory."""
    starts = array("Q", [0])
    with path.open("rb") as lines:
        starts.extend(_ends(lines))
        order: Sequence[int] = range(len(starts) - 1)
        if taken < len(order):
            order = random.Random(SEED).sample(order, taken)
        for number, file in enumerate(files):
            with whole(file) as part, part.open("wb") as shard:
                for index in order[number * size : (number + 1) * size]:
                    lines.seek(starts[index])
                    shard.write(lines.read(starts[index + 1] - starts[index]))


def _ends(lines: Any) -> Iterator[int]:
    end = 0
    for line in lines:
        end += len(line)
        yield end


def _write_data_file(mixture: Mixture, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the authors' ``META`` list; every entry is JSON, which YAML contains."""
    entries = [
        {"path": str((mixture.folder / file).resolve()), "type": row["type"], "root": str(mixture.root.resolve())}
        for row in rows
        for file in row.get("files", ())
    ]
    with whole(mixture.folder / "data_config.yaml") as part:
        lines = [f"- {json.dumps(entry, ensure_ascii=False)}\n" for entry in entries]
        part.write_text("META:\n" + "".join(lines) if lines else "META: []\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """Return what an earlier run has left, or nothing if it has left none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
