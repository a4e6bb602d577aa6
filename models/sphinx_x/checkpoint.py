"""A model as a folder: ``config.json`` (the variant's fields), ``model.safetensors``, and its tokenizer.

Weights of more than `SHARD` bytes lie in ``model-00001-of-0000N.safetensors`` with an index beside. Not here: optimiser state
and other things that only training needs (``train.state``), folders of other people (``official``) and folders for them
(``official.export``). Tensors that are missing, surplus or of another shape are all named in one error; nothing is half-loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from harness.errors import ConfigError
from models.sphinx_x.inference.cut import ALONE, Share, Shared, cut
from models.sphinx_x.model import SphinxX
from models.sphinx_x.sources import INDEX_SUFFIX, Converted, Memory, Piece, Safetensors, Source, fill, misfits, parts, refuse
from models.sphinx_x.sources import without_memory as _without_memory
from models.sphinx_x.stored import stored_pieces
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.variants import Variant

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
OFFICIAL = "meta.json"
"""Stands in folders of the authors."""

UNUSED = "unused.safetensors"
"""Tensors of the authors' files that the model has no use for, kept so that the way back gives the same files."""

TRAINING = "training.json"
"""What the model was trained with, where it was trained here; no answer depends on it."""

SCHEMA = 1
SHARD = 4 * 2**30
"""Bytes of weights in one file."""

Precision = Literal["float16", "bfloat16", "float32"]


def save(folder: Path, model: SphinxX, tokenizer: Tokenizer, dtype: Precision = "float16", shard: int = SHARD) -> None:
    """Write the folder, each file atomically, weights last; ``shard`` is the number of bytes in one file of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = getattr(torch, dtype)
    own = {name: value.detach() for name, value in parts(model).items()}
    stored = Converted(Memory(own), [piece.inverse() for piece in stored_pieces(list(own))])
    write_config(folder, model.variant, dtype)
    _replace(folder / tokenizer.FILE, tokenizer.save)
    write_weights(folder, stored, lambda value: value.to("cpu", kind), shard)


def dtype_of(source: Source) -> str:
    """The precision of a source's first tensor, which stands for all in ``config.json``."""
    return str(source.read(next(iter(source.shapes()))).dtype).removeprefix("torch.")


def write_config(folder: Path, variant: Variant, dtype: str, extra: Mapping[str, Any] | None = None) -> None:
    """Write ``config.json``."""
    config = {"schema": SCHEMA, "dtype": dtype, "variant": variant.to_json(), **(extra or {})}
    _replace(folder / CONFIG, lambda path: path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8"))


def write_training(folder: Path, account: Mapping[str, Any]) -> None:
    """Write what the model was trained with."""
    _replace(folder / TRAINING, lambda path: path.write_text(json.dumps(account, indent=2) + "\n", encoding="utf-8"))


def read_training(folder: Path) -> dict[str, Any]:
    """What the model was trained with, if it was trained here, under ``training``; empty otherwise."""
    path = folder / TRAINING
    return {"training": json.loads(path.read_text(encoding="utf-8"))} if path.is_file() else {}


def write_weights(
    folder: Path, source: Source, convert: Callable[[Tensor], Tensor] = Tensor.contiguous, shard: int = SHARD, name: str = WEIGHTS
) -> None:
    """Write tensors as one safetensors file, or as several and an index if they hold more than ``shard`` bytes.

    Files are written one after another, so no more than one of them is in memory.
    """
    groups = _groups(source, convert, shard)
    stem, _, suffix = name.rpartition(".")
    written: list[tuple[Path, list[str], int]] = []
    for number, group in enumerate(groups, start=1):
        path = folder / f"{stem}-{number:05}.{suffix}.partial"
        save_file(group, path, metadata={"format": "pt"})
        written.append((path, list(group), sum(value.nbytes for value in group.values())))
        source.release()
    if len(written) == 1:
        written[0][0].replace(folder / name)
        (folder / (name + INDEX_SUFFIX)).unlink(missing_ok=True)
        return
    places: dict[str, str] = {}
    for number, (partial, names, _) in enumerate(written, start=1):
        path = folder / f"{stem}-{number:05}-of-{len(written):05}.{suffix}"
        partial.replace(path)
        places |= dict.fromkeys(names, path.name)
    index = {"metadata": {"total_size": sum(size for _, _, size in written)}, "weight_map": places}
    text = json.dumps(index, indent=2) + "\n"
    _replace(folder / (name + INDEX_SUFFIX), lambda path: path.write_text(text, encoding="utf-8"))
    (folder / name).unlink(missing_ok=True)


def _groups(source: Source, convert: Callable[[Tensor], Tensor], shard: int) -> Iterator[dict[str, Tensor]]:
    """Tensors in order, in groups of at most ``shard`` bytes (or of one tensor that is larger)."""
    held: dict[str, Tensor] = {}
    size = 0
    for name in source.shapes():
        value = convert(source.read(name)).contiguous()
        if held and size + value.nbytes > shard:
            yield held
            held, size = {}, 0
        held[name] = value
        size += value.nbytes
    yield held


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    partial = path.with_name(path.name + ".partial")
    write(partial)
    partial.replace(path)


def load_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder. Raises `ConfigError` naming the file if it is missing, no JSON or of another schema."""
    path = folder / CONFIG
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        needs = f"a model folder holds {CONFIG}, {WEIGHTS} and {TOKENIZER}"
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {needs}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: is not JSON ({error})") from error
    if values.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: schema {values.get('schema')!r}, this version reads {SCHEMA}")
    return values


def load_variant(folder: Path) -> Variant:
    """The variant of a folder, without its weights."""
    return Variant.from_json(load_config(folder)["variant"])


def load(
    folder: Path,
    *,
    active_experts: int | None = None,
    expert_cache: int | None = None,
    share: Share = ALONE,
    dtype: torch.dtype = torch.float32,
) -> tuple[SphinxX, Tokenizer]:
    """Model (in evaluation mode) and tokenizer of a folder: of ours, or of one in the form of the authors.

    Args:
        folder: where it lies.
        active_experts: experts a token is routed to; by default as trained.
        expert_cache: leave the experts in the folder's file; so many a layer come into memory (``inference.offload``).
        share: the part of the language model that this process gets (``cut``).
        dtype: precision in which weights come into memory; the authors' form comes in float32.

    Raises:
        ConfigError: something is missing or does not fit, or the form of the folder does not allow it.
    """
    if share.world > 1:
        model = _load_share(folder, share, dtype)
    elif expert_cache is not None:
        model = _load_without_experts(folder, expert_cache)
    elif (folder / OFFICIAL).is_file():
        from models.sphinx_x.official.convert import load_official

        model, _ = load_official([folder])
    else:
        with _without_memory():
            model = SphinxX(load_variant(folder))
        load_into(model, folder, dtype=dtype)
    if active_experts is not None:
        model.set_active_experts(active_experts)
    return model.eval(), load_tokenizer(folder)


def _load_without_experts(folder: Path, cache: int) -> SphinxX:
    from models.sphinx_x.inference.offload import is_expert, offload

    if (folder / OFFICIAL).is_file() or (folder / "language_model").is_dir():
        raise ConfigError(f"model.expert_cache={cache}: {folder} holds every expert in pieces; riddle data convert joins them")
    with _without_memory():
        model = SphinxX(load_variant(folder))
    load_into(model, folder, leave=is_expert)
    offload(model, folder / WEIGHTS, cache)
    return model


def _load_share(folder: Path, share: Share, dtype: torch.dtype) -> SphinxX:
    if (folder / OFFICIAL).is_file():
        raise ConfigError(
            f"model.tensor_parallel={share.world}: {folder} is in the authors' form; riddle data convert changes it"
        )
    with _without_memory():
        model = SphinxX(load_variant(folder))
    source = open_tensors(folder, model.variant)
    pieces = _checked(model, source, str(folder / WEIGHTS))
    cut(model, share)
    fill(model, Shared(Converted(source, pieces), share), dtype)
    return model


def weight_files(folder: Path) -> list[Path]:
    """All files that decide what a model answers, but its configuration: weights in any form, and the tokenizer, last."""
    held = [folder / WEIGHTS]
    if not held[0].is_file() or (folder / "language_model").is_dir() or (folder / OFFICIAL).is_file():
        held = sorted({*folder.rglob("*.safetensors"), *folder.glob("consolidated.*.pth")} - {folder / UNUSED})
    tokenizers = [folder / name for name in (TOKENIZER, "tokenizer.model") if (folder / name).is_file()]
    return [*(held or [folder / WEIGHTS]), *(tokenizers[:1] or [folder / TOKENIZER])]


def load_into(
    model: SphinxX, folder: Path, leave: Callable[[str], bool] = lambda name: False, dtype: torch.dtype = torch.float32
) -> None:
    """Fill a model with the weights of a folder, but those to ``leave``. Raises one `ConfigError` for all that do not fit."""
    _fill(model, open_tensors(folder, model.variant), str(folder / WEIGHTS), leave, dtype)


def open_tensors(folder: Path, variant: Variant) -> Source:
    """The tensors of a folder under their stored names: of one of ours, or of one whose parts plain transformers loads."""
    if (folder / "language_model" / CONFIG).is_file():
        from models.sphinx_x.official.export import open_hub

        return open_hub(folder, variant)
    return Safetensors(folder / WEIGHTS)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder, of whatever kind. Raises `ConfigError` naming the file if there is none."""
    from models.sphinx_x.official.tokenizer import find_tokenizer

    found = find_tokenizer(folder)
    return Tokenizer.load(folder / TOKENIZER) if found is None else found


def assign(model: SphinxX, weights: dict[str, Tensor], *, source: str) -> None:
    """Copy weights into the model; one `ConfigError` lists every tensor that is missing, surplus or of another shape."""
    _fill(model, Memory(weights), source)


def _fill(
    model: SphinxX,
    source: Source,
    where: str,
    leave: Callable[[str], bool] = lambda name: False,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Check everything, then copy."""
    pieces = _checked(model, source, where)
    fill(model, Converted(source, pieces), dtype, [name for name in parts(model) if not leave(name)])


def _checked(model: SphinxX, source: Source, where: str) -> list[Piece]:
    """How the model's tensors are made of a source's. Raises one `ConfigError` for all that do not fit."""
    own = parts(model)
    pieces = stored_pieces(list(own))
    stored = Converted(Memory(own), [piece.inverse() for piece in pieces]).shapes()
    refuse(misfits(source.shapes(), stored), f"{where}: does not fit variant {model.variant.name}")
    return pieces
