"""Compares the questions that a file of replies records with those of a benchmark.

A file may record the bare question, the whole prompt of some toolkit, or the benchmark's own prompt with another instruction at
its end. So texts are compared folded (case, blanks), against every prompt of the task, and without the words that nearly all
texts of the same side share at their ends.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from harness.data.replies import Reply
from harness.types import Sample

Prompts = Callable[[Sample], Iterable[str]]
"""The texts in which a sample may have been asked: each of the task's prompts."""

Index = Mapping[str, Sequence[int]]

FEW = 200
"""Among more samples than this, a question is only looked up, not searched for."""

ALIKE = 80.0
"""Similarity in percent (rapidfuzz token sort ratio) from which two questions, without what all share, are the same."""


def folded(text: str) -> str:
    """Write a text without case and with single blanks."""
    return " ".join(text.casefold().split())


class Questions:
    """Compares the questions that a file records with those of the samples."""

    def __init__(self, samples: Sequence[Sample], prompts: Prompts, replies: Sequence[Reply]) -> None:
        self._questions = [folded(sample.question) for sample in samples]
        self._samples = samples
        self._prompts = prompts
        self._folded: dict[int, tuple[str, ...]] = {}
        self._core = _without_common(self._questions)
        self._replies = replies
        self._asks = [
            (sample.cluster or f"\0{number}", self._questions[number], sample.options) for number, sample in enumerate(samples)
        ]

    @cached_property
    def _reply_core(self) -> Callable[[str], str]:
        return _without_common([folded(reply.question) for reply in self._replies if reply.question])

    def same_ask(self, numbers: Sequence[int]) -> bool:
        """Whether samples ask the same about the same, so that one reply answers all."""
        return len({self._asks[number] for number in numbers}) == 1

    def texts(self, number: int) -> tuple[str, ...]:
        """All forms in which a sample may have been asked."""
        if number not in self._folded:
            self._folded[number] = (self._questions[number], *map(folded, self._prompts(self._samples[number])))
        return self._folded[number]

    def forms(self, number: int) -> Iterator[str]:
        """All forms of a sample's question, and its core."""
        yield from dict.fromkeys(self.texts(number))
        yield f"\0{self._core(self._questions[number])}"

    def asked_by(self, reply: Reply) -> Iterator[str]:
        """The recorded question, and its core; nothing if none is recorded."""
        if reply.question:
            yield folded(reply.question)
            yield f"\0{self._reply_core(folded(reply.question))}"

    def exact(self, reply: Reply, number: int) -> bool:
        """Whether the reply records the question, apart from instructions, word for word."""
        asked = folded(reply.question)
        return asked in self.texts(number) or self._reply_core(asked) == self._core(self._questions[number])

    def agrees(self, reply: Reply, number: int) -> bool:
        """Whether the recorded question can be the sample's; true if none is recorded."""
        if not reply.question or not self._questions[number] or self.exact(reply, number):
            return True
        asked = folded(reply.question)
        if len(self._questions[number]) > 3 and any(
            _contains(asked, text) or _contains(text, asked) for text in self.texts(number)
        ):
            return True
        from rapidfuzz.fuzz import token_sort_ratio

        return token_sort_ratio(self._reply_core(asked), self._core(self._questions[number])) >= ALIKE

    def index(self, numbers: Sequence[int]) -> Index:
        """Samples by each form of their question, for `pick`."""
        found: dict[str, list[int]] = defaultdict(list)
        for number in numbers:
            for form in self.forms(number):
                found[form].append(number)
        return found

    def pick(self, reply: Reply, numbers: Sequence[int], index: Index) -> list[int]:
        """The samples among ``numbers`` that the recorded question asks: word for word, else the longest one contained."""
        for form in self.asked_by(reply):
            if form in index:
                return list(index[form])
        if not reply.question or len(numbers) > FEW:
            return []
        asked = folded(reply.question)
        inside = [number for number in numbers if _contains(asked, self._questions[number])]
        longest = max((len(self._questions[number]) for number in inside), default=0)
        return [number for number in inside if len(self._questions[number]) == longest]


def _contains(text: str, part: str) -> bool:
    """Whether ``part`` stands in ``text`` and does not begin or end within a word."""
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        if not (at and text[at - 1].isalnum() and part[0].isalnum()) and not (
            end < len(text) and text[end].isalnum() and part[-1].isalnum()
        ):
            return True
        at = text.find(part, at + 1)
    return False


def _without_common(texts: Sequence[str]) -> Callable[[str], str]:
    """Return a function that takes off the words with which four of five of ``texts`` begin and end: instructions."""
    words = [text.split(" ") for text in texts]
    head = _common([tuple(one) for one in words])
    tail = _common([tuple(reversed(one)) for one in words])[::-1]

    def core(text: str) -> str:
        own = text.split(" ")
        if head and tuple(own[: len(head)]) == head and len(own) > len(head):
            own = own[len(head) :]
        if tail and tuple(own[-len(tail) :]) == tail and len(own) > len(tail):
            own = own[: -len(tail)]
        return " ".join(own)

    return core


def _common(texts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest beginning that at least four of five share; empty for fewer than five texts."""
    common: tuple[str, ...] = ()
    while len(texts) >= 5:
        ((longer, count),) = Counter(text[: len(common) + 1] for text in texts).most_common(1)
        if count < 0.8 * len(texts) or len(longer) == len(common):
            break
        common = longer
    return common
