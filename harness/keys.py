"""The names of requests and runs: hashes of everything that an answer, or a whole run, depends on.

A request's key covers the model's fingerprint, the prompt's texts, the digests of its media with the plan of frames, the
generation settings with the seed, the kind of question and the closed choices. Changing any of them asks anew; a parser, a
metric or a convention is not among them, so changing those only scores anew. Media are named by what the files hold, not by
where they lie: the same picture in a TSV and in a folder is the same request.

Not here: how bytes are digested (`harness.data.media.digest`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from harness.data.frames import plan_record
from harness.types import Generation, Image, MediaSource, Part, Text, Video

Kind = Literal["generate", "loglikelihood"]

Digest = Callable[[MediaSource], str]
"""Names the encoded bytes of a picture or clip; raises `MediaError` if they cannot be had."""

ANNOTATIONS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".parquet", ".xml", ".md", ".yaml", ".yml")
"""Suffixes of files whose content goes into the fingerprint of data; of other files the name and size do."""


def canonical(value: Any) -> bytes:
    """Write a JSON value in the one form that is hashed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def hash_of(value: Any, size: int = 16) -> str:
    """Return ``2 * size`` hex digits that name a JSON value (BLAKE2b)."""
    return hashlib.blake2b(canonical(value), digest_size=size).hexdigest()


def described(part: Part, digest: Digest) -> dict[str, Any]:
    """Return what identifies a part of a prompt: its text, or the digest of its bytes (and which frames of a clip)."""
    if isinstance(part, Text):
        return {"text": part.text} if part.role == "user" else {"text": part.text, "role": part.role}
    if isinstance(part, Image):
        return {"image": digest(part.source)}
    if isinstance(part, Video):
        return {"video": digest(part.source), "frames": plan_record(part.frames)}
    raise TypeError(f"{type(part).__name__} is no part of a prompt (Text, Image or Video)")


def request_key(
    parts: Sequence[Mapping[str, Any]],
    generation: Generation,
    *,
    model: str,
    kind: Kind = "generate",
    choices: Sequence[str] = (),
    ideal: str | None = None,
) -> str:
    """Return the 32 hex digits under which the answer to a request is stored.

    Args:
        parts: the prompt's parts as `described` gives them.
        generation: settings, the seed among them.
        model: the model's fingerprint.
        kind: ``loglikelihood`` weighs ``choices`` instead of producing text.
        choices: the closed set of replies.
        ideal: only for a model that is told the ideal reply.
    """
    told = [] if ideal is None else [ideal]
    return hash_of([1, model, kind, list(parts), asdict(generation), list(choices), told])


def media_group(parts: Iterable[Mapping[str, Any]]) -> str:
    """Return a name that requests with the same media in the same order share; empty without media."""
    media = [part for part in parts if "text" not in part]
    return hash_of(media, 8) if media else ""


def run_fingerprint(identity: Mapping[str, Any]) -> str:
    """Return the 16 hex digits that name a run's folder, from all that makes it the same run (a JSON object)."""
    return hash_of([1, identity], 8)


def data_fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """Return 16 hex digits that name a benchmark's files: names and sizes, and the content of annotation files.

    Args:
        files: pairs of the name below the data folder and the path. Media are not listed here: the key of every request
            covers the bytes of its media.
    """
    entries: list[list[Any]] = []
    for name, path in sorted(files):
        content = ""
        if any(name.lower().removesuffix(".gz").endswith(suffix) for suffix in ANNOTATIONS):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        entries.append([name, path.stat().st_size, content])
    return hash_of(entries, 8)
