"""Starts a function of this folder in several real processes that meet over gloo, as ``torchrun`` would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def start(function: str, world: int, **settings: Any) -> list[subprocess.Popen[str]]:
    """Start ``module:function`` of ``tests.models`` with JSON settings in ``world`` processes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world)}
    shared |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.models.processes", function, json.dumps(settings)]
    return [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]


def finish(processes: list[subprocess.Popen[str]], timeout_s: float = 240) -> None:
    """Wait for all; on a failure or after the time, end them and show what they said."""
    try:
        said = [process.communicate(timeout=timeout_s)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-3000:]


def end_of(process: subprocess.Popen[str], timeout_s: float = 240) -> int:
    """Wait for a process and return its exit status, negative if a signal ended it."""
    process.communicate(timeout=timeout_s)
    return process.returncode


def call(function: str, world: int, **settings: Any) -> None:
    """Run a function in ``world`` processes to its end."""
    finish(start(function, world, **settings))


if __name__ == "__main__":
    import importlib

    module, _, name = sys.argv[1].partition(":")
    getattr(importlib.import_module(f"tests.models.{module}"), name)(**json.loads(sys.argv[2]))
