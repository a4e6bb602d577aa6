"""A model as a folder that others can read, and that riddle reads too: each part is a folder that plain transformers loads.

    config.json                   the variant; model_type sphinx_x
    model.safetensors             what is SPHINX's own: projection, start and end of image, skip token
    language_model/               AutoModelForCausalLM.from_pretrained(folder, subfolder="language_model")
    vision/NAME/                  ConvNextModel, Dinov2Model, CLIPVisionModel; vision/qformer/{vision_model,qformer}
    tokenizer.json, ...           also in language_model: AutoTokenizer.from_pretrained, with the conversation template
    preprocessor_config.json      how pictures are padded, resized and normalised

Subfolders were chosen over one file with prefixes, because transformers loads a subfolder in every version and without a word
about surplus tensors. Weights have the names that they have on hubs, whatever version of transformers is installed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from transformers import PreTrainedModel

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.hub_names import ENCODER_SCHEMES, Scheme, language_schemes, same
from models.sphinx_x.official.layout import CONFIG
from models.sphinx_x.official.shards import Layered
from models.sphinx_x.sources import Converted, Piece, Safetensors, Source, parts, without_memory
from models.sphinx_x.stored import stored_pieces
from models.sphinx_x.template import ASSISTANT, HUMAN, IMAGE_MARKER, SEPARATOR, STOP, SYSTEM
from models.sphinx_x.tokenizer import BOS, EOS, PAD, Tokenizer
from models.sphinx_x.variants import Variant

PREPROCESSOR, TEMPLATE, TOKENIZER_CONFIG = "preprocessor_config.json", "chat_template.jinja", "tokenizer_config.json"

_CHAT_TEMPLATE = (
    "{{- bos_token -}}"
    "{%- if messages[0]['role'] == 'system' -%}{{- messages[0]['content'] -}}{%- else -%}{{- SYSTEM -}}{%- endif -%}"
    "{{- '\\n\\n' + SEPARATOR -}}"
    "{%- for message in messages if message['role'] != 'system' -%}"
    "{%- set text = message['content'] if message['content'] is string else"
    " message['content'] | selectattr('type', 'equalto', 'text') | map(attribute='text') | join('\\n') -%}"
    "{{- (HUMAN if message['role'] == 'user' else ASSISTANT) + ' ' + text.replace(MARKER, '').strip() + STOP -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- ASSISTANT -}}{%- endif -%}"
)


@dataclass(frozen=True)
class Subfolder:
    """A part of the model that transformers knows.

    Attributes:
        folder: relative to the model's.
        stem: prefix of its tensors in the model.
        scheme: how its tensors are named in the folder.
        module: of a model without memory, for its configuration.
    """

    folder: str
    stem: str
    scheme: Scheme
    module: PreTrainedModel


def subfolders(variant: Variant) -> Iterator[Subfolder]:
    """The parts of a variant that plain transformers loads."""
    with without_memory():
        model = SphinxX(variant)
    yield Subfolder("language_model", "language_model.", language_schemes(variant.backbone)[0], model.language_model)
    for encoder in variant.visual_experts:
        stem, module = f"vision.encoders.{encoder.name}.", model.vision.encoders[encoder.name]
        for name, child in module.named_children():
            if isinstance(child, PreTrainedModel):
                folder = f"vision/{encoder.name}" + ("" if name == "trunk" else f"/{name}")
                scheme = ENCODER_SCHEMES[encoder.kind][0] if name == "trunk" else same
                yield Subfolder(folder, f"{stem}{name}.", scheme, child)


def stored_names(variant: Variant) -> list[str]:
    """Names that the tensors of a variant are stored under."""
    with without_memory():
        own = list(parts(SphinxX(variant)))
    return [name for piece in stored_pieces(own) for name in piece.theirs]


def write_hub(
    folder: Path,
    variant: Variant,
    source: Source,
    tokenizer: Tokenizer | None,
    shard: int = checkpoint.SHARD,
) -> None:
    """Write such a folder from tensors under their stored names, a file of at most ``shard`` bytes at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    names, taken = list(source.shapes()), set()
    for part in subfolders(variant):
        mine = [name for name in names if name.startswith(part.stem)]
        taken.update(mine)
        place = folder / part.folder
        place.mkdir(parents=True, exist_ok=True)
        own = Converted(source, [Piece((name,), (name.removeprefix(part.stem),)) for name in mine])
        pieces = part.scheme([name.removeprefix(part.stem) for name in mine])
        checkpoint.write_weights(place, Converted(own, [piece.inverse() for piece in pieces]), shard=shard)
        _write_config(place, part.module, source.read(mine[0]).dtype, tokenizer if part.folder == "language_model" else None)
    rest = Converted(source, [Piece((name,), (name,)) for name in names if name not in taken])
    checkpoint.write_weights(folder, rest, shard=shard)
    _write_processor(folder, variant, tokenizer)
    listed = [part.folder for part in subfolders(variant)]
    checkpoint.write_config(folder, variant, checkpoint.dtype_of(source), {"model_type": "sphinx_x", "parts": listed})


def open_hub(folder: Path, variant: Variant) -> Source:
    """The tensors of such a folder under their stored names."""
    names = stored_names(variant)
    layers: list[tuple[Source, bool]] = [(Safetensors(folder / checkpoint.WEIGHTS), False)]
    for part in subfolders(variant):
        own = [name.removeprefix(part.stem) for name in names if name.startswith(part.stem)]
        read = Converted(Safetensors(folder / part.folder / checkpoint.WEIGHTS), part.scheme(own))
        layers.append((Converted(read, [Piece((name,), (part.stem + name,)) for name in own]), False))
    return Layered(layers)


def _write_config(folder: Path, module: PreTrainedModel, dtype: Any, tokenizer: Tokenizer | None) -> None:
    config = module.config
    config.architectures = [type(module).__name__]
    config.dtype = dtype
    if tokenizer is not None:
        config.bos_token_id, config.eos_token_id = tokenizer.bos, tokenizer.eos
        generation = {"bos_token_id": tokenizer.bos, "eos_token_id": sorted({tokenizer.eos, tokenizer.stop}), "do_sample": False}
        _write_json(folder / "generation_config.json", generation)
    config.save_pretrained(folder)


def _write_processor(folder: Path, variant: Variant, tokenizer: Tokenizer | None) -> None:
    _write_json(folder / PREPROCESSOR, preprocessor(variant))
    for place in (folder, folder / "language_model"):
        (place / TEMPLATE).write_text(chat_template(), encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save(place / tokenizer.FILE)
            _write_json(place / TOKENIZER_CONFIG, tokenizer_config(tokenizer))


def preprocessor(variant: Variant) -> dict[str, Any]:
    """How a picture becomes the padded square that views are cut from, in transformers' words where it has them.

    Where pictures are centred on the mean colour, as published, transformers' ``LlavaImageProcessor`` makes the same square.
    """
    side = variant.image_size
    found = {
        "image_processor_type": "LlavaImageProcessor",
        "do_pad": True,
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": 3,
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(variant.mean),
        "image_std": list(variant.std),
        "do_convert_rgb": True,
    }
    views = {"grid": variant.grid, "padding": variant.padding, "fill": variant.fill, "skip_token": variant.skip_token}
    if (variant.padding, variant.fill) != ("centre", "mean"):
        found["image_processor_type"] = "SphinxXImageProcessor"
    return {**found, "sphinx_x": {**views, "view_sizes": sorted({encoder.cut_size for encoder in variant.visual_experts})}}


def tokenizer_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """What transformers is to know of a tokenizer."""
    if tokenizer.FILE.endswith(".model"):
        return {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | {
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
        }
    known = {name: token for name, token in (("bos_token", BOS), ("eos_token", EOS), ("pad_token", PAD))}
    held = {name: token for name, token in known.items() if tokenizer.backend.token_to_id(token) is not None}
    return {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **held}


def chat_template() -> str:
    """The conversation template in Jinja; its first token is the start token, behind which pictures stand."""
    words = {
        "SYSTEM": SYSTEM,
        "SEPARATOR": SEPARATOR,
        "HUMAN": HUMAN,
        "ASSISTANT": ASSISTANT,
        "STOP": STOP,
        "MARKER": IMAGE_MARKER,
    }
    head = "".join(f"{{%- set {name} = {json.dumps(text)} -%}}" for name, text in words.items())
    return head + _CHAT_TEMPLATE


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


class HubApi(Protocol):
    """What is used of ``huggingface_hub.HfApi``."""

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> Any:
        """Make the repository if there is none."""
        ...

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str, ignore_patterns: Sequence[str]) -> Any:
        """Upload all files of a folder."""
        ...


def _hub_api() -> Any:
    from huggingface_hub import HfApi

    return HfApi()


def push(folder: Path, repo_id: str, *, api: HubApi | None = None, private: bool = True) -> str:
    """Upload a folder to a model hub; huggingface_hub knows the key. Returns what the hub says of the upload."""
    if not (folder / CONFIG).is_file():
        raise ConfigError(f"{folder}: holds no {CONFIG}; write it with riddle data convert format=hf")
    hub = _hub_api() if api is None else api
    hub.create_repo(repo_id, private=private, exist_ok=True)
    done = hub.upload_folder(
        repo_id=repo_id,
        folder_path=str(folder),
        commit_message="Upload a model of riddle",
        ignore_patterns=["*.partial", ".*"],
    )
    return str(done)
