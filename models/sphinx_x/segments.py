"""Pieces of a conversation as tokens: what a string becomes inside of a longer one, for any tokenizer.

Not here: the tokenizers themselves and the template. Some tokenizers (Llama's) put a space before whatever they encode, others
(InternLM's, byte-level ones) do not; a probe sentence tells them apart, as in the authors' code (LLaMA2-Accessory,
``accessory/model/tokenizer.py``), so that no tokenizer needs to be known by name.
"""

from __future__ import annotations

from typing import Protocol

from harness.errors import ConfigError
from models.sphinx_x.template import STOP

_PROBE, _PROBE_END = "Hi my darling", "my darling"
_STANDALONE = ("@", "\n", "\\", "=", ">", "`")
"""Characters that most vocabularies do not merge with what follows them."""


class Words(Protocol):
    """What is needed of a tokenizer here; ids of the text alone, no start or end token."""

    bos: int
    eos: int

    def encode(self, text: str) -> list[int]:
        """Ids of a text."""
        ...


def needs_space(words: Words) -> bool:
    """Whether a segment that follows a space must be encoded with that space, found out by a probe sentence.

    Raises:
        ConfigError: a word's tokens depend on what stands before it in neither of the two known ways.
    """
    whole = words.encode(_PROBE)
    for space in (False, True):
        part = words.encode(" " * space + _PROBE_END)
        if whole[-len(part) :] == part:
            return space
    raise ConfigError(
        f"tokenizer: {_PROBE_END!r} has other tokens within {_PROBE!r} than alone; no answer can be found in a text"
    )


def encode_segment(words: Words, text: str) -> list[int]:
    """Ids that ``text`` has where it follows a space; its own leading spaces do not matter."""
    text = text.lstrip(" ")
    return words.encode(f" {text}" if needs_space(words) else text)


def encode_continuation(words: Words, text: str) -> list[int]:
    """Ids that ``text`` has where it follows another text without a space.

    Raises:
        ConfigError: every character that could stand before it is merged with it.
    """
    if needs_space(words):
        return words.encode(text)
    for mark in _STANDALONE:
        alone, together = words.encode(mark), words.encode(mark + text)
        if together[: len(alone)] == alone:
            return together[len(alone) :]
    raise ConfigError(f"tokenizer: merges {text!r} with every character before it")


def stop_sequences(words: Words, stop: str = STOP) -> list[list[int]]:
    """The id sequences that end a reply: the end token, and the end signal in either of its two tokenisations."""
    return [[words.eos], encode_segment(words, stop), encode_continuation(words, stop)]
