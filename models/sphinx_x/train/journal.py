"""What a run leaves to read: CSV files in its folder, and on request TensorBoard or Weights & Biases.

    train.csv     a row every ``log_steps``: loss, learning rate, gradient norm, speed, records left out
    experts.csv   share of the tokens that each expert of each layer was given (sparse models)
    skipped.csv   every record that was left out, and why

Loggers are imported when they are asked for. None of them is given a secret: they read their own environment.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from models.sphinx_x.train.curves import append, plot_steps
from models.sphinx_x.train.examples import Skipped

TRAIN, EXPERTS, SKIPPED = "train.csv", "experts.csv", "skipped.csv"
_NEEDS = {"tensorboard": "tensorboard", "wandb": "wandb"}


class Journal:
    """Written by the leading process; the skipped records by each into a file of its own."""

    def __init__(self, folder: Path, loggers: Sequence[str], process: int, *, leads: bool, speaks: bool, name: str) -> None:
        self._folder, self._leads, self._speaks = folder, leads, speaks
        self._skipped = folder / (SKIPPED if process == 0 else f"skipped-{process}.csv")
        self._loggers = [_open_logger(kind, folder, name) for kind in loggers] if leads else []

    def go_back(self, step: int) -> None:
        """Forget rows beyond the step from which a killed run goes on."""
        paths = [
            *([self._skipped] if self._speaks else []),
            *([self._folder / TRAIN, self._folder / EXPERTS] if self._leads else []),
        ]
        for path in filter(Path.exists, paths):
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                names, rows = reader.fieldnames or [], [row for row in reader if int(row["step"]) <= step]
            path.unlink()
            for row in rows:
                append(path, {name: row[name] for name in names})

    def skip(self, step: int, skipped: Sequence[Skipped]) -> None:
        """Name records that were left out."""
        for one in skipped if self._speaks else ():
            append(self._skipped, {"step": step, "record": one.name, "reason": one.reason})

    def write(self, row: Mapping[str, Any], load: Sequence[Sequence[float]] = ()) -> None:
        """Add a row of figures and, by layer, the share of each expert."""
        if not self._leads:
            return
        append(self._folder / TRAIN, row)
        for layer, shares in enumerate(load):
            for expert, share in enumerate(shares):
                append(self._folder / EXPERTS, {"step": row["step"], "layer": layer, "expert": expert, "share": round(share, 5)})
        for logger in self._loggers:
            logger(row)

    def close(self) -> None:
        """Draw the curves."""
        if self._leads:
            plot_steps(self._folder)


def _open_logger(kind: str, folder: Path, name: str) -> Any:
    """A function that takes a row. Raises `ConfigError` if the package is not installed."""
    try:
        if kind == "tensorboard":
            writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))
            return lambda row: [writer.add_scalar(key, value, row["step"]) for key, value in row.items() if key != "step"]
        wandb = importlib.import_module("wandb")
    except ImportError as error:
        raise ConfigError(
            f"train.loggers={kind}: {_NEEDS[kind]} is not installed; pip install 'riddle-eval[train-logs]'"
        ) from error
    run = wandb.init(project="riddle", name=name, dir=str(folder))
    return lambda row: run.log(dict(row), step=row["step"])
