"""Starts a model from its parts as they lie on model hubs: a language model and encoders, each a folder or a file of weights.

Llama, Mixtral and InternLM2; DINOv2, ConvNeXt, CLIP and BLIP-2. Read are safetensors, with or without an index, and pickled files
(tensors alone). Not here: fetching anything. Names and shapes, and what ``config.json`` says of heads, norms and positions, are
compared before anything is copied; one error lists all that does not fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.errors import ConfigError
from models.sphinx_x.encoders import ClipEncoder, Dinov2Encoder, Encoder
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.hub_names import BESIDE, ENCODER_SCHEMES, Scheme, best, language_schemes
from models.sphinx_x.official.layout import CONFIG, read_json
from models.sphinx_x.official.shards import Layered, Pickled
from models.sphinx_x.sources import INDEX_SUFFIX, Converted, Memory, Piece, Safetensors, Source, fill, misfits, parts, refuse
from models.sphinx_x.stored import stored_pieces
from models.sphinx_x.variants import Backbone

SAFETENSORS, PICKLED = "model.safetensors", "pytorch_model.bin"


def initialise_from(model: SphinxX, *, language: Path | None = None, encoders: Mapping[str, Path] | None = None) -> None:
    """Copy published weights of parts into a model; all other tensors stay as they are.

    Args:
        model: in memory; its variant says what must fit.
        language: folder (or file) of a Llama, Mixtral or InternLM2.
        encoders: name of an encoder of the variant to its folder or file.

    Raises:
        ConfigError: an encoder is unknown, a file is missing or damaged, or anything does not fit; nothing is copied then.
    """
    own = list(parts(model))
    stored = {piece.ours[0]: piece for piece in stored_pieces(own)}
    problems: list[str] = []
    sources: list[Source] = []
    for stem, path, schemes, expected in _wanted(model, language, encoders or {}):
        source = open_weights(path)
        names = [name for ours in own if ours.startswith(stem) for name in stored[ours].theirs]
        pieces = best(schemes, [name.removeprefix(stem) for name in names], source.shapes())
        wanted = {name.removeprefix(stem): shape for name, shape in _stored_shapes(model, own).items() if name in set(names)}
        pieces = _untied(pieces, source)
        problems += [f"{path}: {line}" for line in [*_config_problems(path, expected), *_misfits(source, pieces, wanted)]]
        sources.append(Converted(Converted(source, pieces), [_moved(name, stem) for name in wanted]))
    refuse(problems, f"weights do not fit variant {model.variant.name}")
    for source in sources:
        pieces = [piece for piece in stored.values() if set(piece.theirs) <= set(source.shapes())]
        fill(model, Converted(source, pieces), None, [name for piece in pieces for name in piece.ours])


def _wanted(
    model: SphinxX, language: Path | None, encoders: Mapping[str, Path]
) -> Iterator[tuple[str, Path, Sequence[Scheme], Mapping[str, Any]]]:
    """Prefix of our names, path, naming schemes, and what its configuration is to say, of every part asked for."""
    known = {encoder.name: encoder for encoder in model.variant.visual_experts}
    if unknown := sorted(set(encoders) - set(known)):
        raise ConfigError(f"variant {model.variant.name}: has no encoder {', '.join(unknown)}; it has {', '.join(known)}")
    if language is not None:
        backbone = model.variant.backbone
        yield "language_model.", language, language_schemes(backbone), _language_config(backbone)
    for name, path in encoders.items():
        stem = f"vision.encoders.{name}." + ("" if known[name].kind == "qformer" else "trunk.")
        yield stem, path, ENCODER_SCHEMES[known[name].kind], _encoder_config(known[name])


def _language_config(backbone: Backbone) -> dict[str, Any]:
    return {
        "num_attention_heads": backbone.heads,
        "num_key_value_heads": backbone.kv_heads,
        "rms_norm_eps": backbone.norm_eps,
        "rope_theta": backbone.rope_theta,
        "hidden_act": "silu",
    }


def _encoder_config(encoder: Encoder) -> dict[str, Any]:
    if isinstance(encoder, Dinov2Encoder):
        return {"num_attention_heads": encoder.heads, "layer_norm_eps": encoder.norm_eps}
    if isinstance(encoder, ClipEncoder):
        found = {"num_attention_heads": encoder.heads, "layer_norm_eps": encoder.norm_eps}
        return found | {"hidden_act": encoder.activation}
    return {}


def _config_problems(path: Path, expected: Mapping[str, Any]) -> Iterator[str]:
    """What the configuration beside the weights says otherwise; shapes cannot show it."""
    if not path.is_dir() or not (path / CONFIG).is_file():
        return
    config = read_json(path / CONFIG)
    config = config.get("vision_config", config) if "hidden_size" not in config else config
    rope = config.get("rope_parameters") or {}
    values = {**config, **({"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else {})}
    for name, value in expected.items():
        if values.get(name) is not None and values[name] != value:
            yield f"{CONFIG} says {name}={values[name]}, the variant has {value}"
    scaling = (config.get("rope_scaling") or rope).get("rope_type", "default")
    if scaling not in ("default", "linear", "dynamic"):
        yield f"{CONFIG} scales positions by {scaling!r}, which the variant does not"


def _untied(pieces: list[Piece], source: Source) -> list[Piece]:
    """The output head from the embeddings, where a folder ties them."""
    have = source.shapes()
    embeddings = [piece.theirs for piece in pieces if piece.ours == ("model.embed_tokens.weight",)]
    return [
        Piece(embeddings[0], piece.ours) if piece.ours == ("lm_head.weight",) and piece.theirs[0] not in have else piece
        for piece in pieces
    ]


def _misfits(source: Source, pieces: Sequence[Piece], wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Problems with the folder's tensors, under its own names."""
    theirs = Converted(Memory(_bare(wanted)), [piece.inverse() for piece in pieces]).shapes()
    have = {name: shape for name, shape in source.shapes().items() if name in theirs or not BESIDE.fullmatch(name)}
    return misfits(have, theirs)


def _bare(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def _stored_shapes(model: SphinxX, own: Sequence[str]) -> Mapping[str, tuple[int, ...]]:
    return Converted(Memory(parts(model)), [piece.inverse() for piece in stored_pieces(own)]).shapes()


def _moved(name: str, stem: str) -> Piece:
    return Piece((name,), (stem + name,))


def open_weights(path: Path) -> Source:
    """The weights in a folder or a file. Raises `ConfigError` saying which files a folder could hold if there are none."""
    if path.is_file():
        return Safetensors(path) if path.suffix == ".safetensors" else Pickled(path)
    for name in (SAFETENSORS, PICKLED):
        if (path / name).is_file():
            return open_weights(path / name)
    if (path / (SAFETENSORS + INDEX_SUFFIX)).is_file():
        return Safetensors(path / SAFETENSORS)
    index = path / (PICKLED + INDEX_SUFFIX)
    if index.is_file():
        named = {Path(str(name)).name for name in json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()}
        return Layered([(Pickled(path / name), False) for name in sorted(named)])
    raise ConfigError(f"{path}: holds no {SAFETENSORS} or {PICKLED} (alone, or several files with an index)")
