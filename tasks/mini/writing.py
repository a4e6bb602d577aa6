"""Makes mini benchmarks appear on disk whole or not at all, each with a ``mini.json`` that says how it was made.

A folder is written beside its place and renamed into it. What stands there is kept if it was made alike, replaced if it is an
older mini benchmark, and never touched if it is anything else. What a killed process left half written is removed by the next.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from harness.errors import ConfigError, DatasetError
from tasks.mini.sizes import DEFAULT_N, Size

BENCHMARKS: Final = (
    *("mme", "mmbench_en", "mathvista", "refcoco", "docvqa", "videobench", "mvbench", "pope"),
    *("okvqa", "vqav2", "vizwiz", "textvqa", "gqa", "scienceqa", "iconqa", "ocrvqa", "ai2d"),
    *("chartqa", "infovqa", "deepform", "kleister_charity", "wikitablequestions", "tabfact", "visualmrc"),
    *("mmbench_cn", "ccbench", "seedbench", "qbench_a1", "mmvp", "hallusionbench"),
    *("mmmu_val", "cmmmu", "tiny_lvlm_ehub", "aesbench"),
    *("mathverse", "sciverse"),
    *("screenspot", "detection"),
    *("benchlmm", "mmvet", "llava_bench_wild", "infimm_eval"),
)
"""Mini benchmarks, each a module of this package with a function ``write(folder, seed, size)``."""

FAMILIES: Final = {
    **{"scienceqa_all": "scienceqa", "iconqa_txt": "iconqa"},
    **dict.fromkeys(("pose", "text_spotting", "document_layout"), "detection"),
}
"""Tasks whose data lie in the mini benchmark of another."""

MARKER: Final = "mini.json"
LOCK: Final = "lock"
UNMARKED_S: Final = 3600.0
"""So old is a half-written folder without a mark before it counts as abandoned."""

VERSION: Final = 3
"""Goes up whenever the same world, seed and size would be written otherwise."""


def benchmark_of(task: str) -> str:
    """Return the mini benchmark that holds a task's data: ``refcoco+_val`` lies in ``refcoco``.

    Raises:
        ConfigError: there is no mini version of that task.
    """
    family = "refcoco" if task.startswith("refcoco") else FAMILIES.get(task, task)
    if family not in BENCHMARKS:
        raise ConfigError(f"no mini version of {task!r}; there is one of {', '.join(BENCHMARKS)}. Name the data: data=PATH")
    return family


def write(
    root: Path, benchmarks: Sequence[str] = BENCHMARKS, *, seed: int = 0, n: int = DEFAULT_N, each: int | None = None
) -> list[Path]:
    """Write mini benchmarks to ``root/<benchmark>/`` and return these folders.

    Args:
        root: made if missing.
        benchmarks: names of `BENCHMARKS`, or of tasks that lie in one.
        seed: other seeds give other pictures and questions.
        n: questions a benchmark (rounded to whole pictures and splits).
        each: at least so many questions for each part of a benchmark instead (an MME sub-task, a RefCOCO split, a file of POPE).

    Raises:
        ConfigError: an unknown name, or ``n`` or ``each`` below 1.
        DatasetError: a folder is there that is no mini benchmark; it is left as it is.
    """
    size = Size(n, each)
    names = dict.fromkeys(benchmark_of(name) for name in benchmarks)
    root.mkdir(parents=True, exist_ok=True)
    return [_write_one(root, name, seed, size) for name in names]


def _marker(name: str, seed: int, size: Size) -> dict[str, Any]:
    from harness import world

    return {"benchmark": name, "seed": seed, **size.record(), "version": VERSION, "world": world.VERSION}


def _found(folder: Path) -> dict[str, Any] | None:
    """Return what the marker of a folder says, None if there is no folder."""
    if not folder.exists():
        return None
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{folder}: exists but is no mini benchmark (no readable {MARKER}); move it or name another folder"
        ) from error
    return found if isinstance(found, dict) else {}


def _write_one(root: Path, name: str, seed: int, size: Size) -> Path:
    folder, marker = root / name, _marker(name, seed, size)
    if _found(folder) == marker:
        return folder
    _remove_wrecks(root, name)
    with tempfile.TemporaryDirectory(dir=root, prefix=f".{name}-") as scratch, _held(Path(scratch)):
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        import_module(f"tasks.mini.{name}").write(new, seed, size)
        (new / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
        found = _found(folder)
        if found == marker:  # another process was faster
            return folder
        if found is not None:
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if _found(folder) != marker:
                raise
    return folder


@contextmanager
def _held(scratch: Path) -> Iterator[None]:
    """Mark a folder as in use by a process that lives; the system lifts the mark however the process ends."""
    import fcntl

    with (scratch / LOCK).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_wrecks(root: Path, name: str) -> None:
    """Remove what killed processes have left of a benchmark; one that has just begun may not have its mark yet, and is spared."""
    for scratch in root.glob(f".{name}-*"):
        with suppress(OSError):
            if scratch.is_dir() and not scratch.is_symlink() and _abandoned(scratch):
                shutil.rmtree(scratch)


def _abandoned(scratch: Path) -> bool:
    """Whether no process works in a folder. Raises OSError if one does, or if nothing can be said."""
    import fcntl

    if not (scratch / LOCK).exists():
        return time.time() - scratch.stat().st_mtime > UNMARKED_S
    with (scratch / LOCK).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
