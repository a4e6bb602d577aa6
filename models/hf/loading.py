"""Loads a model and its processor with transformers, and says what identifies them.

A model is read from a folder, or by its name on the hub (from the local cache unless ``download`` is set). Code that comes with
weights is never run unless that is asked for. Without torchvision, transformers can load no video processor; the family's
processor is then built for pictures and texts alone (`pictures_only`), which is all that is needed here, since clips are shown
as frames.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils import logging as transformers_logging
from transformers.utils.import_utils import is_torchvision_available

from harness.errors import ConfigError
from models.local import compute_exactly, contents_of, device_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Dtype = Literal["float32", "bfloat16", "float16", "auto"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a model comes from and how it is loaded; `models.hf_chat.HFChat` says what each field is."""

    path: str
    revision: str | None = None
    dtype: Dtype = "float32"
    device: str = "cpu"
    attention: str | None = None
    processor: Mapping[str, Any]
    trust_remote_code: bool = False
    download: bool = False

    @property
    def words(self) -> dict[str, Any]:
        """What every ``from_pretrained`` is told."""
        return {
            "revision": self.revision,
            "trust_remote_code": self.trust_remote_code,
            "local_files_only": not self.download,
        }


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer; ``processor`` is None for models of text alone, ``identity`` is all that decides replies."""

    model: Any
    processor: Any
    tokenizer: Any
    identity: list[Any]

    @property
    def exact(self) -> bool:
        """Whether arithmetic is exact enough that greedy replies can be kept the same in any batch."""
        return bool(self.model.dtype == torch.float32)


def load(source: Source) -> Loaded:
    """Load a model with its processor.

    Raises:
        ConfigError: it is not there, is of a kind that answers no chat, brings code that was not allowed, or a setting is wrong.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if source.dtype not in (*DTYPES, "auto"):
        raise ConfigError(f"model.dtype={source.dtype!r} (must be one of {', '.join((*DTYPES, 'auto'))})")
    spread = source.device == "spread"
    place = device_of("auto" if spread else source.device)
    dtype = source.dtype if source.dtype != "auto" else "bfloat16" if place.type == "cuda" else "float32"
    if dtype == "float32":
        compute_exactly()
    try:
        config = transformers.AutoConfig.from_pretrained(source.path, **source.words)
        kind, sees = _kind_of(config, source)
        processor = _processor(config, source) if sees else None
        tokenizer = (
            processor.tokenizer
            if processor is not None
            else transformers.AutoTokenizer.from_pretrained(source.path, **source.words)
        )
        more = {"attn_implementation": source.attention} if source.attention else {}
        more |= {"device_map": "auto"} if spread else {}
        model = kind.from_pretrained(source.path, config=config, dtype=DTYPES[dtype], **source.words, **more).eval()
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ConfigError(f"model.path={source.path}: cannot be loaded ({_advised(error, source)})") from error
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    precision = dtype if dtype == "float32" else [dtype, place.type]
    made_by = [type(one).__name__ for one in (model, processor, getattr(processor, "image_processor", None), tokenizer)]
    identity = [*_contents(source, config), *made_by, dict(source.processor), precision, source.attention]
    return Loaded(model if spread else model.to(place), processor, tokenizer, identity)


def _kind_of(config: Any, source: Source) -> tuple[Any, bool]:
    """Return the class that loads a model, and whether it sees. Raises `ConfigError` for models that hold no conversation."""
    remote = getattr(config, "auto_map", None) or {}
    if type(config) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING or "AutoModelForImageTextToText" in remote:
        return transformers.AutoModelForImageTextToText, True
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING or "AutoModelForCausalLM" in remote:
        return transformers.AutoModelForCausalLM, False
    raise ConfigError(
        f"model.path={source.path}: a {config.model_type} model answers no questions in text (image-text-to-text or text)"
    )


def _processor(config: Any, source: Source) -> Any:
    known = type(config) in PROCESSOR_MAPPING
    if is_torchvision_available() or not known:
        kind: Any = transformers.AutoProcessor
    else:
        kind = pictures_only(PROCESSOR_MAPPING[type(config)])
    return kind.from_pretrained(source.path, **source.words, **source.processor)


def pictures_only(kind: Any) -> Any:
    """Return a processor class without the processor of clips, which cannot exist where torchvision is not installed.

    ``get_attributes`` is what transformers asks for the parts that a processor consists of and that it loads and saves.
    """
    parts = [name for name in kind.get_attributes() if name != "video_processor"]
    return type(kind.__name__, (kind,), {"get_attributes": classmethod(lambda cls: list(parts)), "__module__": __name__})


def _contents(source: Source, config: Any) -> list[str]:
    """Name what a model holds: the commit of a snapshot of the hub, else the digests of its files."""
    folder = Path(source.path)
    commit = getattr(config, "_commit_hash", None)
    if re.fullmatch(r"[0-9a-f]{40}", folder.resolve().name):
        commit = folder.resolve().name
    if commit:
        return ["commit", commit]
    contents = contents_of(folder)
    if not contents:
        raise ConfigError(f"model.path={source.path}: neither a commit nor files of weights name what the model holds")
    return contents


def _advised(error: Exception, source: Source) -> str:
    said = " ".join(str(error).split())
    asks, said = "trust_remote_code" in said, said[:300]
    if asks:
        return f"it brings code of its own; read it, then say model.trust_remote_code=true. {said}"
    if not Path(source.path).exists() and not source.download:
        return f"no such folder, and not in the local cache; a name on the hub is fetched with model.download=true. {said}"
    return said
