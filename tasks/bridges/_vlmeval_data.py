"""What is asked of VLMEvalKit about data; runs in its own environment (`harness.foreign.loop`), where riddle is not installed.

Every command says wholly what it is about, since it may be the first that this process hears. Nothing is downloaded: the TSV
file is linked into a folder of its own, which is VLMEvalKit's ``LMUData`` meanwhile. Result files are written and read by its
code, in a folder that is new each time, so a pickle of an earlier run is never met.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

OPTIONAL = ("torchvision", "decord", "jieba")
"""Packages that its imports want and its scores do not."""

NEEDED = ("numpy", "pandas", "PIL", "torch")

ROOT = "LMUData"
"""The environment variable that says where VLMEvalKit's data lie."""

FAILED = "Failed to obtain answer via API."
"""What VLMEvalKit writes in place of an answer that did not come."""

SCORES = ("hit", "eval_score", "score", "match")
"""The columns in which its result files hold the score of a sample, in the order of trust."""


def commands(load: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The commands by name."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    def kit() -> Any:
        return load("vlmeval.dataset", OPTIONAL, NEEDED)

    def describe(name: str) -> dict[str, Any]:
        found = _class_of(kit(), name)
        if found is None:
            return {"known": sorted({*kit().SUPPORTED_DATASETS, *(one.__name__ for one in kit().DATASET_CLASSES)})}
        url = getattr(found, "DATASET_URL", {})
        about = {"type": getattr(found, "TYPE", ""), "modality": getattr(found, "MODALITY", "IMAGE"), "class": found.__name__}
        return {**about, "url": (url.get(name) or "") if isinstance(url, Mapping) else "", "version": _version()}

    @lru_cache(maxsize=4)
    def built(name: str, tsv: str, root: str) -> Any:
        return _build(kit(), name, Path(tsv), Path(root))

    def rows(name: str, tsv: str, root: str, start: int, count: int) -> dict[str, Any]:
        dataset = built(name, tsv, root)
        os.environ[ROOT] = root
        stop = min(start + count, len(dataset.data))
        return {"n": len(dataset.data), "rows": [_row(dataset, place) for place in range(start, stop)]}

    def evaluate(name: str, tsv: str, root: str, replies: list[tuple[int, str | None]]) -> dict[str, Any]:
        dataset = built(name, tsv, root)
        os.environ[ROOT] = root
        with tempfile.TemporaryDirectory() as folder:
            return _evaluate(dataset, replies, folder)

    return {"describe": describe, "rows": rows, "evaluate": evaluate}


def _version() -> str:
    from importlib import metadata

    return next((metadata.version(one) for one in ("ms-vlmeval", "vlmeval") if _installed(one)), "")


def _installed(name: str) -> bool:
    from importlib import metadata

    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def _class_of(kit: Any, name: str) -> Any:
    """The class that has a data set of that name, or is called so."""
    return next((one for one in kit.DATASET_CLASSES if name in one.supported_datasets() or name == one.__name__), None)


def _build(kit: Any, name: str, tsv: Path, root: Path) -> Any:
    """Build a data set from a TSV file. One of a class goes by the file's stem, as VLMEvalKit names TSV files of users."""
    found = _class_of(kit, name)
    called = name if name in found.supported_datasets() else tsv.stem
    root.mkdir(parents=True, exist_ok=True)
    link = root / f"{called}.tsv"
    if not link.is_symlink():
        link.symlink_to(tsv.resolve())
    os.environ[ROOT] = str(root)
    stated = getattr(found, "DATASET_MD5", {}).get(called)
    if stated and stated != _md5(tsv):
        sys.stderr.write(f"riddle: {tsv} is not the file that VLMEvalKit publishes as {called} (md5 {stated})\n")
    found.DATASET_MD5 = {}  # or it would be downloaded over the user's
    for module in [one for key, one in sys.modules.items() if key.startswith("vlmeval") and hasattr(one, "download_file")]:
        module.download_file = _refused  # type: ignore[attr-defined]
    return found(dataset=called)


def _refused(url: str, filename: str | None = None) -> str:
    raise FileNotFoundError(f"it wants {url}, and nothing is downloaded here")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _row(dataset: Any, place: int) -> dict[str, Any]:
    line = dataset.data.iloc[place]
    columns = {str(name): _plain(line[name]) for name in line.index if name not in ("image", "image_path")}
    parts = [{**one, "value": str(one["value"])} for one in dataset.build_prompt(line)]
    shared = line["image"] if "image" in line else line.get("image_path", place)
    group = columns.get("g_index")
    cluster = hashlib.sha256(repr(shared).encode()).hexdigest()[:16] if group is None else str(group)
    return {"place": place, "columns": columns, "message": parts, "cluster": cluster}


def _plain(value: Any) -> Any:
    """A cell as JSON has it; nothing for an empty one."""
    value = value.item() if hasattr(value, "item") and not isinstance(value, str) else value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)


def _evaluate(dataset: Any, replies: list[tuple[int, str | None]], folder: str) -> dict[str, Any]:
    """Write the replies as VLMEvalKit's own run does, have them evaluated, and read what it says of all and of each."""
    smp = importlib.import_module("vlmeval.smp")
    status = importlib.import_module("vlmeval.smp.status_report")
    data = dataset.data.iloc[[place for place, _ in replies]].copy()
    data["prediction"] = [FAILED if text is None else str(text) for _, text in replies]
    places = {str(index): place for index, (place, _) in zip(data["index"], replies, strict=True)}
    if "image" in data:
        data.pop("image")
    file = smp.get_pred_file_path(folder, "riddle", dataset.dataset_name)
    smp.dump(data, file)
    if not Path(file).exists():
        raise ValueError(f"{Path(file).name} cannot hold these replies; PRED_FORMAT=tsv may")
    stated = status.flatten_summary_metrics(dataset.evaluate(file, model="exact_matching", nproc=1))
    primary = dataset.report_primary_metric(stated) if stated else {}
    overall = next(iter(primary.values()), None)
    return {"stated": stated, "overall": overall, "scores": _scores(smp, Path(file), places)}


def _scores(smp: Any, written: Path, places: Mapping[str, int]) -> list[tuple[int, float]]:
    """The scores of samples, from the first table beside the replies that has some; none if there is none in [0, 1]."""
    for file in sorted(written.parent.glob(f"{written.stem}_*")):
        if file.suffix not in (".xlsx", ".tsv", ".csv"):
            continue
        table = smp.load(str(file))
        column = next((one for one in SCORES if one in table and "index" in table), None)
        if column is None:
            continue
        numbers = [float(value) for value in table[column]]
        if all(0 <= one <= 1 for one in numbers):
            return [(places[str(index)], one) for index, one in zip(table["index"], numbers, strict=True)]
    return []
