r"""From a conversation to token ids and labels, exactly as the authors' dataset class makes them.

After LLaMA2-Accessory, ``accessory/data/conversation/dataset.py``. The whole conversation is encoded as one string; targets are
the tokens of each ``"{answer}\n###"``, found by encoding that piece on its own and looking it up behind the previous match.
Everything else, the final end token included, has label 0, which is ignored. Since 0 also pads, a genuine token 0 is never a
target. Not here: pictures (``tiling``), their place in the sequence (``model.splice``), batches and their order (``sampler``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from models.sphinx_x.corpus.records import Conversation
from models.sphinx_x.segments import Words, encode_segment
from models.sphinx_x.template import STOP, conversation

IGNORED = 0
"""Label of what is not learned, and id of the padding."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One conversation, padded on the right or cut to its room.

    Attributes:
        ids: token ids.
        labels: the same ids where they are targets, else 0; as long as ``ids``.
        tokens: how many of ``ids`` are not padding.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    tokens: int

    @property
    def mask(self) -> tuple[float, ...]:
        """1 for a token, 0 for padding."""
        return (1.0,) * self.tokens + (0.0,) * (len(self.ids) - self.tokens)


def conversation_text(turns: Sequence[tuple[str, str]]) -> str:
    """The whole conversation as the one string that is encoded."""
    return conversation(turns)


def to_predict(turns: Sequence[tuple[str, str]]) -> list[str]:
    """The strings to learn, in order: each answer with the signal that ends it."""
    return [f"{answer}{STOP}" for _, answer in turns]


def label(words: Words, turns: Sequence[tuple[str, str]], room: int) -> Labelled | None:
    """Encode and label a conversation, start and end token included.

    Args:
        words: the tokenizer.
        turns: questions and answers without markers and outer spaces.
        room: positions for text: the longest sequence, less the visual positions if there is a picture.

    Returns:
        None if an answer is not found in the encoded conversation, or no target is left within ``room``; the authors then
        take the sample before it.
    """
    ids = [words.bos, *words.encode(conversation_text(turns)), words.eos]
    labels = [IGNORED] * len(ids)
    place = 0
    for text in to_predict(turns):
        piece = encode_segment(words, text)
        found = find(piece, ids, place)
        if found is None:
            return None
        place = found + len(piece)
        labels[found:place] = piece
    ids, labels = ids[:room], labels[:room]
    if not any(labels):
        return None
    padding = (IGNORED,) * (room - len(ids))
    return Labelled((*ids, *padding), (*labels, *padding), len(ids))


def find(piece: Sequence[int], ids: Sequence[int], start: int = 0) -> int | None:
    """Where ``piece`` first occurs in ``ids`` at or after ``start``."""
    for place in range(start, len(ids) - len(piece) + 1):
        if list(ids[place : place + len(piece)]) == list(piece):
            return place
    return None


@dataclass(frozen=True)
class Dialogs(Sequence[Labelled]):
    """Conversations as labelled examples; one that cannot be labelled is replaced by the nearest before it that can.

    Attributes:
        conversations: in the order of the dataset.
        words: the tokenizer.
        max_words: positions of a whole sequence.
        image_words: visual positions, taken from those of a conversation with a picture: one number, or a function of the
            conversation where pictures take different numbers of positions.
    """

    conversations: Sequence[Conversation]
    words: Words
    max_words: int
    image_words: int | Callable[[Conversation], int] = 0

    def __len__(self) -> int:
        return len(self.conversations)

    def __getitem__(self, index: int) -> Labelled:  # type: ignore[override]
        """The example at a place, or the one in its stead."""
        return self.resolve(index)[1]

    def resolve(self, index: int) -> tuple[Conversation, Labelled]:
        """The conversation at a place after replacement, and its example. Raises ValueError if none can be learned."""
        for back in range(len(self)):
            chosen = self.conversations[(index - back) % len(self)]
            example = label(self.words, chosen.turns, self.room(chosen))
            if example is not None:
                return chosen, example
        raise ValueError(f"no conversation of {len(self)} has an answer within {self.max_words} positions")

    def room(self, chosen: Conversation) -> int:
        """Positions left for a conversation's text. Raises ValueError if its picture leaves none."""
        if chosen.image is None:
            return self.max_words
        visual = self.image_words(chosen) if callable(self.image_words) else self.image_words
        if visual >= self.max_words:
            raise ValueError(f"{chosen.id}: its picture takes {visual} of {self.max_words} positions; none is left for text")
        return self.max_words - visual


def trimmed(batch: Sequence[Labelled]) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Ids and labels of a batch, cut after the last column that holds any label, as before the authors' forward pass."""
    last = max(place for example in batch for place, target in enumerate(example.labels) if target != IGNORED)
    return [example.ids[: last + 1] for example in batch], [example.labels[: last + 1] for example in batch]


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy (nats) over the targets of a micro-batch.

    Args:
        logits: at the positions of the text, [n, positions, vocabulary]. With a picture these are the last ones of the sequence,
            so the first stands at the picture's end and predicts the token after the start token.
        labels: [n, positions], 0 where nothing is learned.
    """
    return cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=IGNORED)
