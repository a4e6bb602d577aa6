"""Where a number comes from: versions, commit, machine and settings, as they stand in ``run.json``.

Nothing here identifies a person or holds a secret: settings whose name looks like one are replaced.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    *("riddle-eval", "numpy", "pyarrow", "pillow", "scipy", "rapidfuzz", "hydra-core"),
    *("torch", "transformers", "tokenizers", "safetensors", "av"),
)
"""Packages that can decide a number."""

REDACTED = "(redacted)"

_SECRET = re.compile(
    r"(^|[_\-.])(api_?key|key|token|secret|password|passwd|pwd|passphrase|credentials?|authorization|auth|bearer)s?$",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"[\d.,]*")
_ADDRESS_LOGIN = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def now() -> str:
    """Return the time in UTC, to the second (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed `PACKAGES`."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def git(folder: Path | None = None) -> dict[str, Any]:
    """Return commit and whether tracked files differ from it; empty if riddle does not run from a repository."""
    root = folder or Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return {}
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "dirty": bool(changed)}


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def machine() -> dict[str, Any]:
    """Return system, processor type and number of cores."""
    return {"system": platform.system(), "machine": platform.machine(), "cores": os.cpu_count()}


def surroundings() -> dict[str, Any]:
    """Return where a run takes place: `versions`, `git` and `machine`."""
    return {"versions": versions(), "git": git(), "machine": machine()}


def plain(value: Any) -> Any:
    """Turn settings into what JSON holds; a mapping's values under a name like a secret's are replaced."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _guarded(str(name), one) for name, one in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(one) for one in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, str):
        return _ADDRESS_LOGIN.sub(REDACTED, value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def guarded_words(words: Sequence[str]) -> list[str]:
    """Return ``name=value`` words with the values that `plain` would replace replaced; a number is no secret there either."""
    pairs = (word.partition("=") for word in words)
    return [f"{name}{equals}{value if _NUMBERS.fullmatch(value) else _guarded(name, value)}" for name, equals, value in pairs]


def _guarded(name: str, value: Any) -> Any:
    secret = _SECRET.search(name) and isinstance(value, str) and value
    return REDACTED if secret else plain(value)
