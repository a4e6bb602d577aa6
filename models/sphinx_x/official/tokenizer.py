"""Tokenizers as they come with published weights: sentencepiece's ``tokenizer.model``, or a ``tokenizer.json``.

Not here: the vocabulary of models trained in this repository (``models.sphinx_x.tokenizer``). Here the end signal of an answer
is several tokens, so ``stop`` is the end token, and the engine finds the signal in the text, as it does with any stop string.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from harness.errors import ConfigError
from models.sphinx_x.template import open_prompt
from models.sphinx_x.tokenizer import Tokenizer

SENTENCEPIECE, FAST, FAST_CONFIG = "tokenizer.model", "tokenizer.json", "tokenizer_config.json"


class SentencePieceTokenizer(Tokenizer):
    """Llama's kind. ``pad`` is the unknown token 0, which the authors pad with."""

    FILE = SENTENCEPIECE

    def __init__(self, model: bytes, source: str = SENTENCEPIECE) -> None:
        try:
            from sentencepiece import SentencePieceProcessor
        except ImportError as error:
            raise ConfigError(f"{source}: reading it needs sentencepiece; pip install 'riddle-eval[local]'") from error
        try:
            self._processor: Any = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise ConfigError(f"{source}: is no sentencepiece model ({error})") from error
        self._model = model
        self.bos, self.eos = int(self._processor.bos_id()), int(self._processor.eos_id())
        self.pad, self.stop = 0, self.eos
        if min(self.bos, self.eos) < 0:
            raise ConfigError(f"{source}: has no start or no end token")

    @property
    def size(self) -> int:
        """Number of ids."""
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, no start token."""
        return list(self._processor.encode(text))

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; start and end tokens, padding and ids beyond the vocabulary are left out."""
        return str(self._processor.decode([i for i in ids if i < self.size and i not in (self.bos, self.eos, self.pad)]))

    def save(self, path: Path) -> None:
        """Write `FILE`."""
        path.write_bytes(self._model)

    @staticmethod
    def load(path: Path) -> SentencePieceTokenizer:
        """Read ``tokenizer.model``. Raises `ConfigError` naming the file if it is missing or damaged."""
        return SentencePieceTokenizer(_bytes(path), str(path))


class FastTokenizer(Tokenizer):
    """A ``tokenizer.json`` of somebody else; start and end token stand in ``tokenizer_config.json``."""

    def __init__(self, backend: Backend, bos: str, eos: str, source: str = FAST) -> None:
        self.backend = backend
        self.bos, self.eos = self._id(bos, source), self._id(eos, source)
        self.pad, self.stop = 0, self.eos
        self._named = {"bos_token": bos, "eos_token": eos}

    def save(self, path: Path) -> None:
        """Write `FILE`, and beside it which its start and end token are."""
        super().save(path)
        path.with_name(FAST_CONFIG).write_text(json.dumps(self._named) + "\n", encoding="utf-8")

    def encode_prompt(self, question: str) -> list[int]:
        """Start token, then the open prompt of one question."""
        return [self.bos, *self.encode(open_prompt(question))]

    @staticmethod
    def load(path: Path) -> FastTokenizer:
        """Read ``tokenizer.json`` and what stands beside it. Raises `ConfigError` naming the file that is missing or damaged."""
        beside = path.with_name(FAST_CONFIG)
        try:
            backend = Backend.from_str(_bytes(path).decode("utf-8"))
            config = json.loads(_bytes(beside))
            bos, eos = (_token(config[key]) for key in ("bos_token", "eos_token"))
        except ConfigError:
            raise
        except Exception as error:  # the library raises bare Exception for a file that it cannot read
            raise ConfigError(f"{path}: is no tokenizer with start and end token ({type(error).__name__}: {error})") from error
        return FastTokenizer(backend, bos, eos, str(path))


def find_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer of a folder, of whatever kind; None if it holds none. Raises `ConfigError` for a damaged one."""
    if (folder / SENTENCEPIECE).is_file():
        return SentencePieceTokenizer.load(folder / SENTENCEPIECE)
    if (folder / FAST).is_file():
        return (FastTokenizer if (folder / FAST_CONFIG).is_file() else Tokenizer).load(folder / FAST)
    return None


def _token(value: Any) -> str:
    return str(value["content"] if isinstance(value, dict) else value)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
