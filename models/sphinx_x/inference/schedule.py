"""Which prompts run together: windows of a stream, groups that share a prefix, batches of similar length.

Not here: tensors. Everything is a pure function of prompts, and none of it may change a reply, only the time it takes. The
choice a reader may question: a group's shared prefix is its longest common run of tokens, found here, so that nobody has to
declare which part of a template is shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.types import Image, Request, Video


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request as the model will read it.

    Attributes:
        ids: start token, then the text; the picture's positions go after the start token.
        group: prompts with equal ``group`` show the same pictures.
        visual: positions that the pictures take.
        room: tokens that may be generated.
        tail: how many of the last ids are weighed (a choice, for log-likelihood) and thus never shared.
        number, index: which request of its window this is for, and which of that request's prompts it is.
    """

    request: Request
    ids: tuple[int, ...]
    group: str
    visual: int
    room: int
    tail: int = 0
    number: int = 0
    index: int = 0

    @property
    def positions(self) -> int:
        """Length of the prompt."""
        return self.visual + len(self.ids)

    def numbered(self, number: int, index: int) -> Prompt:
        """The same with its place in the window."""
        return replace(self, number=number, index=index)


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts on the same pictures that run side by side; the first ``shared`` ids of all are equal."""

    prompts: tuple[Prompt, ...]
    shared: int

    @property
    def prefix(self) -> int:
        """Positions of what is shared."""
        return self.prompts[0].visual + self.shared

    @property
    def positions(self) -> int:
        """Positions that the prompts take together."""
        return self.prefix + len(self.prompts) * self.suffix

    @property
    def reread(self) -> int:
        """Tokens that would be run again, were nothing shared but the start token and the pictures."""
        return (self.shared - 1) * (len(self.prompts) - 1)

    @property
    def suffix(self) -> int:
        """Tokens of the longest part that is not shared."""
        return max(len(prompt.ids) for prompt in self.prompts) - self.shared

    @property
    def room(self) -> int:
        """Longest reply that is allowed."""
        return max(prompt.room for prompt in self.prompts)


def media_count(request: Request) -> int:
    """Pictures and frames that a request shows."""
    return sum(part.frames.count if isinstance(part, Video) else 1 for part in request.parts if isinstance(part, Image | Video))


def group_of(request: Request) -> str:
    """What requests with the same pictures have in common; empty for text alone."""
    return (request.group or request.key) if media_count(request) else ""


def windows(requests: Iterable[Request], size: int, pictures: int) -> Iterator[list[Request]]:
    """Cut a stream into lists of at most ``size`` requests with at most ``pictures`` distinct pictures (one request at least)."""
    window: list[Request] = []
    seen: set[str] = set()
    shown = 0
    for request in requests:
        group = group_of(request)
        more = 0 if group in seen else media_count(request)
        if window and (len(window) >= size or shown + more > pictures):
            yield window
            window, seen, shown, more = [], set(), 0, media_count(request)
        window.append(request)
        seen.add(group)
        shown += more
    if window:
        yield window


def common_prefix(prompts: Sequence[Prompt]) -> int:
    """Length of the longest common run of ids from the start; at least one id before the tail of each stays unshared."""
    first, last = min(prompt.ids for prompt in prompts), max(prompt.ids for prompt in prompts)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return min(same, *(len(prompt.ids) - prompt.tail - 1 for prompt in prompts))


class Waiting:
    """Groups of prompts in the order in which they are to run.

    They are sorted by how many prompts they have, the length of their prefix, and how long replies may get, so that few slots
    are empty and little is padding.
    """

    def __init__(self, prompts: Sequence[Prompt], max_rows: int) -> None:
        """Group prompts by their pictures, at most ``max_rows`` together."""
        by_media: dict[str, list[Prompt]] = {}
        for prompt in prompts:
            by_media.setdefault(prompt.group, []).append(prompt)
        groups: list[Group] = []
        for members in by_media.values():
            members.sort(key=lambda prompt: (prompt.room, len(prompt.ids)))
            for start in range(0, len(members), max_rows):
                part = tuple(members[start : start + max_rows])
                groups.append(Group(part, common_prefix(part)))
        groups.sort(key=lambda group: (len(group.prompts), group.prefix // 8, group.room, group.prefix, group.suffix))
        self._groups = deque(groups)

    def __bool__(self) -> bool:
        """Whether any are left."""
        return bool(self._groups)

    def take(self, rows: int, tokens: int, *, some: bool = True) -> list[Group]:
        """The next groups that fit into ``rows`` (empty slots counted) and ``tokens``, sorted by the length of their prefix.

        ``some``: one group at least, if any is left.
        """
        batch: list[Group] = []
        slots = 0
        while self._groups:
            group = self._groups[0]
            slots, tokens = max(slots, len(group.prompts)), tokens - group.positions
            if (batch or not some) and (slots * (len(batch) + 1) > rows or tokens < 0):
                break
            batch.append(self._groups.popleft())
        return sorted(batch, key=lambda group: group.prefix)
