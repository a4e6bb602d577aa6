"""A model as a folder: ``model.safetensors``, ``config.json`` (the variant's fields), ``tokenizer.json``.

Not here: optimiser state and other things that only training needs (``train.state``). Weights are stored in half precision
and loaded as float32; tensors that are missing, surplus or of another shape are all named in one error, nothing half-loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from harness.errors import ConfigError
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.variants import Variant

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
SCHEMA = 1


Precision = Literal["float16", "bfloat16", "float32"]


def save(folder: Path, model: SphinxX, tokenizer: Tokenizer, dtype: Precision = "float16") -> None:
    """Write the folder, each file atomically, weights last."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = getattr(torch, dtype)
    weights = {name: value.detach().to("cpu", kind).contiguous() for name, value in model.state_dict().items()}
    config = {"schema": SCHEMA, "dtype": dtype, "variant": model.variant.to_json()}
    _replace(folder / CONFIG, lambda path: path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8"))
    _replace(folder / TOKENIZER, tokenizer.save)
    _replace(folder / WEIGHTS, lambda path: save_file(weights, path))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(path.name + ".partial")
    write(partial)
    partial.replace(path)


def load_variant(folder: Path) -> Variant:
    """The variant of a folder, without its weights."""
    path = folder / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        needs = f"a model folder holds {CONFIG}, {WEIGHTS} and {TOKENIZER}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {needs}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: is not JSON ({error})") from error
    if values.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: schema {values.get('schema')!r}, this version reads {SCHEMA}")
    return Variant.from_json(values["variant"])


def load(folder: Path, *, active_experts: int | None = None) -> tuple[SphinxX, Tokenizer]:
    """Model (float32, in evaluation mode) and tokenizer of a folder."""
    model = SphinxX(load_variant(folder))
    try:
        weights = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{folder / WEIGHTS}: cannot be read ({error})") from error
    assign(model, weights, source=str(folder / WEIGHTS))
    if active_experts is not None:
        model.set_active_experts(active_experts)
    return model.eval(), Tokenizer.load(folder / TOKENIZER)


def assign(model: SphinxX, weights: dict[str, Tensor], *, source: str) -> None:
    """Copy weights into the model; one `ConfigError` lists every tensor that is missing, surplus or of another shape."""
    wanted = model.state_dict()
    problems = [f"{name}: missing" for name in wanted if name not in weights]
    problems += [f"{name}: unknown" for name in weights if name not in wanted]
    problems += [
        f"{name}: shape {tuple(weights[name].shape)}, expected {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if problems:
        raise ConfigError(f"{source}: does not fit variant {model.variant.name}:\n  " + "\n  ".join(problems))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
