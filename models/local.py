"""What models that run here share: which device and precision a setting names, and what names a file of weights.

Not here: any model. Torch is imported only by what needs it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError

if TYPE_CHECKING:
    import torch


def digest_of(path: Path) -> str:
    """Return 32 hex digits that name what a file holds (BLAKE2b, 128 bit). Raises `ConfigError` if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error


NAMING = (".safetensors", ".bin", ".json", ".jinja", ".model", ".txt", ".tiktoken", ".py")
"""Suffixes of files that decide replies: weights, settings, templates, vocabularies, and code if that is run."""


def contents_of(folder: Path) -> list[str]:
    """Name what a folder of a published model holds, file by file; empty if it is no folder of one."""
    files = sorted(file for file in folder.iterdir() if file.suffix in NAMING and file.is_file()) if folder.is_dir() else []
    return [f"{file.name} {digest_of(file)}" for file in files]


def compute_exactly() -> None:
    """Let GPUs compute float32 products and convolutions in float32, not in TensorFloat-32 (torch's default for convolutions).

    Its ten bits of mantissa would make greedy replies depend on the batch.
    """
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def device_of(name: str) -> torch.device:
    """Return the device of a name (``cpu``, ``cuda``, ``cuda:N``, ``auto``). Raises `ConfigError` for one that is not here.

    Of several processes on a machine (``LOCAL_RANK``), ``auto`` and ``cuda`` give each a GPU of its own.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and os.environ.get("LOCAL_RANK", "").isdigit():
        name = f"cuda:{int(os.environ['LOCAL_RANK']) % max(torch.cuda.device_count(), 1)}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"model.device={name!r}: no such device (cpu, cuda, cuda:N or auto)") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"model.device={name}: this machine has {torch.cuda.device_count()} CUDA device(s)")
    return device


def devices_of(name: str, count: int) -> list[torch.device]:
    """The devices of a model that is cut over so many processes: neighbouring GPUs from that of `device_of` on, or the CPU.

    Of several such models on a machine (``LOCAL_RANK``), each gets GPUs of its own. Raises `ConfigError` if they do not suffice.
    """
    import torch

    if count < 1:
        raise ConfigError(f"model.tensor_parallel={count} (must be at least 1)")
    first = device_of(name)
    if first.type != "cuda" or count == 1:
        return [first] * count
    start = (first.index or 0) * (count if name in ("auto", "cuda") else 1)
    if start + count > torch.cuda.device_count():
        raise ConfigError(
            f"model.tensor_parallel={count}: needs {start + count} CUDA devices, here are {torch.cuda.device_count()}"
        )
    return [torch.device("cuda", start + number) for number in range(count)]
