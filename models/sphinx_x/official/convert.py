"""Between the authors' folders and ours: load them as a model, or turn one kind of folder into another.

Not here: names (``names``, ``encoders``), files (``shards``), and folders for transformers (``export``). Everything is checked by
names and shapes before a single tensor is read, and one error lists all that does not fit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.export import write_hub
from models.sphinx_x.official.layout import CONFIG, META, config_of, kind_of, read_json, read_variant, variant_of
from models.sphinx_x.official.names import is_encoder, is_unused, pieces
from models.sphinx_x.official.shards import Layered, open_folders, write_shards
from models.sphinx_x.official.tokenizer import find_tokenizer
from models.sphinx_x.sources import (
    Converted,
    Memory,
    Piece,
    Safetensors,
    Source,
    fill,
    misfits,
    parts,
    refuse,
    shapes_made,
    without_memory,
)
from models.sphinx_x.stored import stored_pieces
from models.sphinx_x.tokenizer import Tokenizer
from models.sphinx_x.variants import Variant
from models.sphinx_x.vision import EncoderBuilder

Part = Literal["language", "connector", "encoders"]
Form = Literal["riddle", "official", "hf"]


@dataclass(frozen=True)
class Official:
    """The authors' folders, checked, nothing read yet.

    Attributes:
        model: of the right variant, its parameters without memory (see `sources.fill`).
        tensors: under our names.
        unused: under the authors' names, what the model has no place for.
        config: ``config.json`` as it stood.
    """

    model: SphinxX
    tensors: Converted
    unused: Source
    tokenizer: Tokenizer | None
    kind: str
    config: dict[str, Any]


def part_of(name: str) -> Part:
    """What a tensor of the authors' files belongs to."""
    if is_encoder(name):
        return "encoders"
    language = name.startswith(("llma.layers.", "llma.tok_embeddings.", "llma.norm.", "llma.output."))
    return "language" if language else "connector"


def open_official(
    folders: Sequence[Path],
    *,
    optional: Collection[Part] = (),
    build_encoder: EncoderBuilder | None = None,
    max_positions: int | None = None,
) -> Official:
    """Open the authors' folders; later ones override earlier ones, a ``model-diff`` is added onto what stands before it.

    Args:
        folders: the last one with a ``meta.json`` says what the model is; the last one with a tokenizer gives it.
        optional: parts that may be wholly absent (Meta's files hold the language model alone).
        build_encoder: other modules in the encoders' places, for tests.
        max_positions: longest sequence; by default as in ``config.json``.

    Raises:
        ConfigError: a file is missing, damaged or holds code, or tensors do not fit; one message names them all.
    """
    described = [folder for folder in folders if (folder / META).is_file()]
    if not described:
        raise ConfigError(f"{', '.join(map(str, folders)) or 'no folder'}: holds no {META}, which says what the model is")
    tokenizers = [one for folder in folders if folder.is_dir() and (one := find_tokenizer(folder))]
    variant = read_variant(described[-1], vocab=tokenizers[-1].size if tokenizers else None)
    if max_positions:
        variant = replace(variant, backbone=replace(variant.backbone, max_positions=max_positions))
    with without_memory():
        model = SphinxX(variant, build_encoder)
    found = open_folders(folders, variant.backbone.experts)
    table = pieces(variant, list(parts(model)))
    _check(found, model, table, optional, f"{', '.join(map(str, folders))}: does not fit {variant.name}{_vocabulary(tokenizers)}")
    unused = Converted(found, [Piece((name,), (name,)) for name in found.shapes() if is_unused(name)])
    kind = str(read_json(described[-1] / META)["llama_type"])
    config = read_json(described[-1] / CONFIG)
    tokenizer = tokenizers[-1] if tokenizers else None
    return Official(model.eval(), Converted(found, table), unused, tokenizer, kind, config)


def _vocabulary(tokenizers: Sequence[Tokenizer]) -> str:
    return f" with the tokenizer's {tokenizers[-1].size} ids" if tokenizers else ""


def _check(found: Layered, model: SphinxX, table: Iterable[Piece], optional: Collection[Part], head: str) -> None:
    """Raise one error for all tensors that do not fit."""
    own = {name: tuple(value.shape) for name, value in parts(model).items()}
    wanted = shapes_made([piece.inverse() for piece in table], own)
    have = {name: shape for name, shape in found.shapes().items() if not is_unused(name)}
    absent = {part for part in optional if not any(part_of(name) == part for name in have)}
    refuse(misfits(have, wanted, may_lack=lambda name: part_of(name) in absent), head)


def load_official(
    folders: Sequence[Path],
    *,
    dtype: torch.dtype | None = torch.float32,
    optional: Collection[Part] = (),
    build_encoder: EncoderBuilder | None = None,
    max_positions: int | None = None,
) -> tuple[SphinxX, Tokenizer | None]:
    """A model in evaluation mode, and its tokenizer if a folder has one; arguments and errors are those of `open_official`.

    ``dtype`` None keeps the stored precision. Parts that are absent keep random weights.
    """
    opened = open_official(folders, optional=optional, build_encoder=build_encoder, max_positions=max_positions)
    model, held = opened.model, list(opened.tensors.shapes())
    if len(held) < len(parts(model)):
        model = SphinxX(model.variant, build_encoder).eval().to(dtype or torch.float32)
    fill(model, opened.tensors, dtype, held)
    return model, opened.tokenizer


def write_official(
    folder: Path,
    variant: Variant,
    source: Source,
    *,
    ranks: int = 1,
    unused: Source | None = None,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Write a folder that the authors' code reads.

    Args:
        folder: receives weights, ``config.json`` and ``meta.json``.
        variant: one of the published layouts, with any language model.
        source: tensors under their stored names.
        ranks: model-parallel size.
        unused: tensors under the authors' names that are written too.
        config: ``config.json`` as it once stood; taken if it still says what the variant is.

    Raises:
        ConfigError: there is no such layout, or the ranks do not divide the model.
    """
    kind, backbone = kind_of(variant), variant.backbone
    sizes = {"heads": backbone.heads, "key-value heads": backbone.kv_heads, "channels": backbone.width}
    sizes |= {"feed-forward width": backbone.ffn, "vocabulary": backbone.vocab}
    bad = [f"{name}: {size}" for name, size in sizes.items() if ranks < 1 or size % ranks]
    refuse(bad, f"shards={ranks}: does not divide the model")
    back = [piece.inverse() for piece in pieces(variant, list(source.shapes()))]
    write_shards(Layered([(Converted(source, back), False), (unused or Memory({}), False)]), folder, ranks, backbone.experts)
    if config is None or variant_of(kind, config, vocab=backbone.vocab) != variant:
        config = config_of(variant)
    for name, values in ((CONFIG, config), (META, {"llama_type": kind})):
        (folder / name).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Opened:
    """A model's folder of any form: its tensors under their stored names, nothing read yet."""

    variant: Variant
    tensors: Source
    tokenizer: Tokenizer | None
    unused: Source
    official: Mapping[str, Any]


def open_model(folders: Sequence[Path]) -> Opened:
    """Open a folder of any form. Raises `ConfigError` for all that is missing or does not fit, in one message."""
    if any((folder / META).is_file() for folder in folders):
        found = open_official(folders)
        back = [piece.inverse() for piece in stored_pieces(list(parts(found.model)))]
        stored = Converted(found.tensors, back)
        return Opened(found.model.variant, stored, found.tokenizer, found.unused, found.config)
    if len(folders) != 1:
        raise ConfigError(f"from={','.join(map(str, folders))}: several folders can only be the authors', with a {META}")
    (folder,) = folders
    config = checkpoint.load_config(folder)
    variant = Variant.from_json(config["variant"])
    tensors = checkpoint.open_tensors(folder, variant)
    with without_memory():
        own = parts(SphinxX(variant))
    wanted = Converted(Memory(own), [piece.inverse() for piece in stored_pieces(list(own))]).shapes()
    refuse(misfits(tensors.shapes(), wanted), f"{folder}: does not fit variant {variant.name}")
    unused: Source = Safetensors(folder / checkpoint.UNUSED) if (folder / checkpoint.UNUSED).is_file() else Memory({})
    return Opened(variant, tensors, find_tokenizer(folder), unused, config.get("official", {}))


def convert(
    source: Sequence[Path], target: Path, form: Form, *, shards: int = 1, max_shard_mb: int = 4096
) -> list[dict[str, str]]:
    """Write a model's folder in another form, tensor by tensor and bit by bit.

    Args:
        source: folder of the authors, of riddle or for transformers; or several of the authors', later ones over earlier ones.
        target: folder to write to.
        form: ``riddle``, ``official`` (the authors') or ``hf`` (parts that plain transformers loads).
        shards: model-parallel ranks of the authors' form.
        max_shard_mb: size of one file of weights in the other forms.

    Returns:
        one row that says where the model is.

    Raises:
        ConfigError: the source is damaged or does not fit, or the target is the source.
    """
    if target.resolve() in {folder.resolve() for folder in source} or min(shards, max_shard_mb) < 1:
        raise ConfigError(f"to={target}: must be another folder than from, and shards and max_shard_mb at least 1")
    opened = open_model(source)
    target.mkdir(parents=True, exist_ok=True)
    if form == "official":
        config = opened.official or None
        write_official(target, opened.variant, opened.tensors, ranks=shards, unused=opened.unused, config=config)
    elif form == "hf":
        write_hub(target, opened.variant, opened.tensors, opened.tokenizer, max_shard_mb * 2**20)
    else:
        checkpoint.write_weights(target, opened.tensors, shard=max_shard_mb * 2**20)
        extra = {"official": dict(opened.official)} if opened.official else {}
        checkpoint.write_config(target, opened.variant, checkpoint.dtype_of(opened.tensors), extra)
    if form != "official" and opened.unused.shapes():
        checkpoint.write_weights(target, opened.unused, shard=2**62, name=checkpoint.UNUSED)
    if form != "hf" and opened.tokenizer is not None:
        opened.tokenizer.save(target / opened.tokenizer.FILE)
    return [{"kind": "model", "folder": str(target), "variant": opened.variant.name, "format": form}]
