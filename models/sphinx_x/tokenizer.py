"""Text to ids and back: a byte-level BPE in the ``tokenizers`` library's own file format.

Not here: the template's wording. Models of this repository use a small vocabulary trained on their own corpus, in which the
template and the benchmarks' instruction sentences are single tokens (they carry no information that a small model should pay
positions for) and every two-decimal fraction is one token, so that a box is four informative tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from harness.errors import ConfigError
from models.sphinx_x.template import ASSISTANT, HUMAN, SEPARATOR, STOP, SYSTEM, open_prompt

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
FRACTIONS = tuple(f"{hundredths / 100:.2f}" for hundredths in range(101))
"""``0.00`` to ``1.00``: each one token where it stands alone."""


class Tokenizer:
    """Encodes whole prompts; ``bos``, ``eos``, ``pad`` and ``stop`` are ids."""

    FILE = "tokenizer.json"
    """Name of its file in a model's folder."""

    def __init__(self, backend: Backend, source: str = "tokenizer") -> None:
        self.backend = backend
        self.bos = self._id(BOS, source)
        self.eos = self._id(EOS, source)
        self.pad = self._id(PAD, source)
        stop = self.encode(STOP)
        if len(stop) != 1:
            raise ConfigError(f"{source}: the end signal {STOP!r} must be one token, but is {len(stop)}")
        self.stop = stop[0]

    def _id(self, token: str, source: str) -> int:
        found = self.backend.token_to_id(token)
        if found is None:
            raise ConfigError(f"{source}: has no token {token!r}")
        return int(found)

    @property
    def size(self) -> int:
        """Number of ids, added tokens included."""
        return int(self.backend.get_vocab_size())

    def encode(self, text: str) -> list[int]:
        """Ids of the text alone, no start token."""
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_prompt(self, question: str) -> list[int]:
        """Start token, then the open prompt of one question; pictures are spliced in after the start token."""
        return [self.bos, *self.encode(open_prompt(question))]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; start, end and padding tokens are left out."""
        return str(self.backend.decode([i for i in ids if i not in (self.bos, self.eos, self.pad)], skip_special_tokens=False))

    def save(self, path: Path) -> None:
        """Write `FILE`."""
        path.write_text(self.backend.to_str(pretty=True), encoding="utf-8")

    @staticmethod
    def load(path: Path) -> Tokenizer:
        """Read ``tokenizer.json``. Raises `ConfigError` naming the file if it is missing or lacks a needed token."""
        if not path.is_file():
            raise ConfigError(f"{path}: no such tokenizer file")
        return Tokenizer(Backend.from_file(str(path)), str(path))


def train_tokenizer(texts: Iterable[str], size: int, phrases: Sequence[str] = ()) -> Tokenizer:
    """A byte-level BPE of at most ``size`` ids whose template pieces, ``phrases`` and fractions are single tokens.

    Digits and capital letters (but a sentence's first) stand alone before merging: numbers are read digit by digit, printed
    words and codes glyph by glyph.
    """
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{Lu}?\p{Ll}+|\d|\n|\p{Lu}| ?[^\s\p{L}\d]"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    pieces = [f"{SYSTEM}\n\n{SEPARATOR}", HUMAN, ASSISTANT, STOP, *phrases]
    specials = [AddedToken(token, special=True, normalized=False) for token in (PAD, BOS, EOS)]
    added = [AddedToken(piece, special=False, normalized=False) for piece in pieces]
    added += [AddedToken(fraction, special=False, normalized=False, single_word=True) for fraction in FRACTIONS]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(added),
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    backend.add_tokens(added)
    return Tokenizer(backend)
