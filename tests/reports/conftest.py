"""Run folders as the engine leaves them, written directly from the schema, so that reports are tested without an engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image, ImageDraw

from harness.store import Store
from harness.types import Generation, Response


@dataclass(frozen=True, kw_only=True)
class Item:
    """One sample of a fixture run."""

    id: str
    reply: str | None = "Yes"
    prediction: Any = "yes"
    score: float = 1.0
    references: Sequence[str] = ("yes",)
    prompt: str = "Is there a dog in the image?"
    picture: Path | None = None
    clip: Path | None = None
    reason: str | None = None
    failed: str | None = None
    missing: bool = False
    truncated: bool = False
    groups: Mapping[str, str] = field(default_factory=lambda: {"category": "random"})


def write_picture(path: Path, size: tuple[int, int] = (320, 240), colour: str = "steelblue") -> Path:
    """Draw a small scene that compresses like the mini world's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).ellipse((size[0] // 8, size[1] // 8, size[0] // 2, size[1] // 2), fill=colour)
    ImageDraw.Draw(picture).rectangle((size[0] // 2, size[1] // 2, size[0] - 20, size[1] - 20), fill="darkorange")
    picture.save(path)
    return path


def _about(model: str, kind: str, task: str, changes: Mapping[str, Any], n: int) -> dict[str, Any]:
    about: dict[str, Any] = {
        "schema": 1,
        "model": {"name": model, "fingerprint": hashlib.sha256(model.encode()).hexdigest()[:16], "kind": kind},
        "task": {
            "name": task,
            "version": 1,
            "title": {"pope": "POPE", "mme": "MME", "docvqa": "DocVQA"}.get(task, task),
            "unit": "points" if task == "mme" else "percent",
            "higher_is_better": True,
            "card": {"title": task, "asks": "What is asked.", "licence": "MIT"},
        },
        "data": {"name": "mini", "layout": "official", "fingerprint": "d" * 16, "n": n},
        "convention": "official",
        "prompt": "default",
        "generation": {"max_new_tokens": 16, "temperature": 0.0},
        "control": "none",
        "seed": 0,
        "started": "2026-01-01T00:00:00+00:00",
    }
    for path, value in changes.items():
        target = about
        *sections, last = path.split(".")
        for section in sections:
            target = target[section]
        target[last] = value
    return about


def _part(kind: str, path: Path) -> dict[str, Any]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32] if path.is_file() else "0" * 32
    frames = {"frames": {"count": 4, "kind": "uniform"}} if kind == "video" else {}
    return {kind: str(path), "digest": digest, "locator": {"kind": "file", "path": str(path)}, **frames}


def _write_store(folder: Path, items: Sequence[Item]) -> None:
    store = Store(folder)
    for position, item in enumerate(items):
        media = [_part("image", item.picture)] if item.picture else [_part("video", item.clip)] if item.clip else []
        store.plan(position, item.id, f"key{position}")
        store.add_request(f"key{position}", item.id, [*media, {"text": item.prompt}], Generation())
        store.put(Response(key=f"key{position}", text=item.reply or ""))
    store.close()


def _write_scores(folder: Path, items: Sequence[Item], keys: bool) -> None:
    columns: dict[str, Any] = {
        "sample_id": [item.id for item in items],
        "cluster": [item.id for item in items],
        "reply": [item.reply for item in items],
        "prediction": [json.dumps(item.prediction) for item in items],
        "reason": pyarrow.array([item.reason for item in items], pyarrow.string()),
        "failed": pyarrow.array([item.failed for item in items], pyarrow.string()),
        "missing": [item.missing for item in items],
        "truncated": [item.truncated for item in items],
        "references": [list(item.references) for item in items],
        "keys": pyarrow.array([[f"key{i}"] if keys else [] for i in range(len(items))], pyarrow.list_(pyarrow.string())),
        "score.accuracy": [item.score for item in items],
        "group.category": [item.groups.get("category") for item in items],
    }
    parquet.write_table(pyarrow.table(columns), folder / "scores.parquet")


def _result(items: Sequence[Item], value: float | None, unit: str) -> dict[str, Any]:
    mean = sum(item.score for item in items) / len(items) if value is None else value
    half = 0.05 if unit == "percent" else 60.0
    metric = {"value": mean, "se": half / 2, "low": mean - half, "high": mean + half, "n": len(items), "clusters": len(items)}
    return {
        "schema": 1,
        "n": len(items),
        "failed": sum(item.failed is not None for item in items),
        "unparsed": sum(item.reason is not None for item in items),
        "missing": sum(item.missing for item in items),
        "truncated": sum(item.truncated for item in items),
        "reused": 0,
        "convention": "official",
        "primary": "accuracy",
        "metrics": [
            {"name": "accuracy", "unit": unit, "method": "t", **metric},
            {"name": "accuracy/random", "unit": unit, "method": "t", **metric},
        ],
    }


def write_run(
    root: Path,
    model: str,
    task: str = "pope",
    *,
    kind: str = "model",
    items: Sequence[Item] | None = None,
    value: float | None = None,
    complete: bool = True,
    fingerprint: str = "f" * 16,
    **changes: Any,
) -> Path:
    """Write a run folder below ``root``; ``changes`` replace fields of run.json, as ``{"data.name": "official"}``."""
    items = items if items is not None else [Item(id=f"{task}/{i}", score=float(i % 4 != 0)) for i in range(8)]
    about = _about(model, kind, task, changes, len(items))
    folder = root / model.replace("/", "_") / f"{task}@{about['data']['name']}" / fingerprint
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(about))
    if kind != "replies":
        _write_store(folder, items)
    if complete:
        _write_scores(folder, items, keys=kind != "replies")
        (folder / "result.json").write_text(json.dumps(_result(items, value, about["task"]["unit"])))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The root under which a test writes its runs."""
    root = tmp_path / "runs"
    root.mkdir()
    return root
