"""Checkpoints of one-stage training: a folder a step, whole or not there, the last few kept.

    folder/checkpoints/step-00000500/progress.json     where the run stands, and what it must agree with
    folder/checkpoints/step-00000500/state-0001.safetensors ...   WEIGHT NAME/weight, /exp_avg, /exp_avg_sq in fp32

States are whole, not shards of processes, and written weight by weight, so a run may go on with another number of processes and
another engine. Frozen weights are not in them: they come from where the run started. Data order and random numbers follow from
the seed and the step.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from harness.errors import ConfigError
from harness.results import sync

FILE_BYTES = 4 * 2**30
_PROGRESS = "progress.json"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a run stands: ``step`` steps done, ``applied`` of them updates; ``agrees`` is what must be the same to go on."""

    step: int = 0
    applied: int = 0
    skipped: int = 0
    agrees: dict[str, Any] | None = None


def save_snapshot(
    root: Path, standing: Standing, states: Iterable[tuple[str, dict[str, Tensor]]], *, leads: bool, keep: int
) -> None:
    """Write a checkpoint from the leading process; all must call this, since going through ``states`` may communicate."""
    final = root / f"step-{standing.step:08}"
    partial = root / f".{final.name}.partial"
    if leads:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    held: dict[str, Tensor] = {}
    places: dict[str, str] = {}
    number = size = 0
    for name, parts in states:
        if not leads:
            continue
        if held and size + sum(value.nbytes for value in parts.values()) > FILE_BYTES:
            number, size, held = _write(partial, number, held, places), 0, {}
        held |= {f"{name}/{part}": value.detach().to("cpu", torch.float32).contiguous() for part, value in parts.items()}
        size = sum(value.nbytes for value in held.values())
    if not leads:
        return
    _write(partial, number, held, places)
    (partial / _PROGRESS).write_text(json.dumps({**asdict(standing), "places": places}, indent=1) + "\n", encoding="utf-8")
    sync(partial / _PROGRESS)
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    sync(root)
    for old in _whole(root)[:-keep]:
        shutil.rmtree(old)


def _write(folder: Path, number: int, held: dict[str, Tensor], places: dict[str, str]) -> int:
    path = folder / f"state-{number + 1:04}.safetensors"
    save_file(held, path)
    sync(path)
    places |= dict.fromkeys(held, path.name)
    return number + 1


def _whole(root: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(path for path in root.glob("step-*") if (path / _PROGRESS).is_file())


class Snapshot:
    """The newest checkpoint below a folder."""

    def __init__(self, folder: Path) -> None:
        """Read where it stands. Raises `ConfigError` if it cannot be read."""
        self.folder = folder
        try:
            values = json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
            self._places: dict[str, str] = values.pop("places")
            self.standing = Standing(**values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{folder}: is no checkpoint ({type(error).__name__}: {error}); remove it to go on from the one before"
            ) from error

    @staticmethod
    def newest(root: Path, agrees: dict[str, Any]) -> Snapshot | None:
        """The one to go on from, if there is any. Raises `ConfigError` naming every setting that differs from the run's."""
        found = _whole(root)
        if not found:
            return None
        snapshot = Snapshot(found[-1])
        stored = snapshot.standing.agrees or {}
        differ = [f"{key}={value!r}, was {stored.get(key)!r}" for key, value in agrees.items() if stored.get(key) != value]
        if differ:
            raise ConfigError(f"{found[-1]}: another run's checkpoint ({'; '.join(differ)}); choose another train.folder")
        return snapshot

    def read(self, name: str, part: str) -> Tensor:
        """One whole tensor. Raises `ConfigError` naming it if it is missing or damaged."""
        key = f"{name}/{part}"
        try:
            with safe_open(self.folder / self._places[key], framework="pt") as file:
                found: Tensor = file.get_tensor(key)
                return found
        except (OSError, KeyError, SafetensorError) as error:
            raise ConfigError(f"{self.folder}: holds no {key} ({type(error).__name__}: {error})") from error
