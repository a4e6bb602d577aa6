"""Where the authors' numbers are: the bundled ones, and more folders named by the environment.

``RIDDLE_GOLDEN_SPHINX`` holds directories (separated like ``PATH``); each is a model folder or a folder of model folders in the
format that ``tests/golden/sphinx_x/README.md`` describes.
"""

from __future__ import annotations

import os
from pathlib import Path

BUNDLED = Path(__file__).parent.parent / "golden" / "sphinx_x"
VARIABLE = "RIDDLE_GOLDEN_SPHINX"


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "cases.json").is_file()


def model_folders() -> list[Path]:
    """All model folders, bundled ones first."""
    named = [Path(part) for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    found: list[Path] = []
    for root in (BUNDLED, *named):
        inside = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        found += [folder for folder in (root, *inside) if _is_model(folder)]
    return found


def pictures_folder(model: Path) -> Path:
    """The folder ``images`` beside a model folder, or the bundled one."""
    beside = model.parent / "images"
    return beside if beside.is_dir() else BUNDLED / "images"
