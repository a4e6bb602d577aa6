"""Pairs replies with samples by their order, for benchmarks whose official scorer does, and only where nothing is unsure.

The counts must be equal within each block (the questions of one kind), the blocks must be told apart by a category, a file's
name or the recorded questions, and no recorded question may differ. One line too few is a refusal, never a shift.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.data.questions import Questions
from harness.data.replies import Reply
from harness.types import Sample


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a rule gives: for each reply the samples it may answer, or why the rule is no good."""

    rule: str
    placed: Mapping[int, tuple[int, ...]]
    objection: str = ""


def named_group(text: str, groups: Sequence[str]) -> str:
    """The group whose name stands in a text as a word, the longest if there are several."""
    return next((group for group in groups if re.search(rf"(?<![a-z0-9]){re.escape(group)}(?![a-z0-9])", text, re.I)), "")


def in_order(samples: Sequence[Sample], replies: Sequence[Reply], texts: Questions, group: str) -> Trial:
    """Pair by order within each value of a group, wherever in the file its replies stand."""
    rule = "order" + (f" within each {group}" if group else "")
    blocks: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        blocks[sample.groups.get(group, "") if group else ""].append(number)
    named = _by_name(replies, blocks)
    placed: dict[int, tuple[int, ...]] = {}
    for value, numbers in blocks.items():
        positions = (named.get(value) if value else None) or _stretch(named.get("", []), numbers, replies, texts)
        if positions is None or len(positions) != len(numbers):
            block = value or "the file"
            found = "no part of the file has" if positions is None else f"{len(positions)} replies for"
            return Trial(rule=rule, placed={}, objection=f"{block}: {found} its {len(numbers)} questions")
        pairs = list(zip(positions, numbers, strict=True))
        differing = [pair for pair in pairs if not texts.agrees(replies[pair[0]], pair[1])]
        if differing:
            position, number = differing[0]
            return Trial(
                rule=rule,
                placed={},
                objection=f"{value or 'the file'}: {len(differing)} of {len(pairs)} questions differ, first "
                f"{replies[position].where}: {replies[position].question[:80]!r}, expected {samples[number].question[:80]!r}",
            )
        placed.update((position, (number,)) for position, number in pairs)
    return Trial(rule=rule, placed=placed)


def in_order_of(name: str, samples: Sequence[Sample], replies: Sequence[Reply], texts: Questions, group: str) -> Iterator[Trial]:
    """As `in_order`, by the running numbers in a field, for files whose lines were shuffled; nothing where there are none."""
    numbers = [reply.ids.get(name, "") for reply in replies]
    if not all(map(str.isdecimal, numbers)) or len(set(numbers)) < len(numbers) or not all(reply.question for reply in replies):
        return
    order = sorted(range(len(replies)), key=lambda position: int(numbers[position]))
    if order != list(range(len(replies))):
        trial = in_order(samples, [replies[position] for position in order], texts, group)
        placed = {order[place]: found for place, found in trial.placed.items()}
        yield replace(trial, rule=f"{trial.rule}, sorted by {name}", placed=dict(sorted(placed.items())))


def _by_name(replies: Sequence[Reply], blocks: Mapping[str, Sequence[int]]) -> Mapping[str, list[int]]:
    """The positions of the replies by the block that their category or file names; under ``""`` those that name none.

    One name over more replies than its block has is the name of a model (``random_guess.jsonl``), not of a block.
    """
    values = sorted(filter(None, blocks), key=lambda value: (-len(value), value))
    named: dict[str, list[int]] = defaultdict(list)
    for position, reply in enumerate(replies):
        named[next(filter(None, (named_group(category, values) for category in reply.categories)), "")].append(position)
    if any(len(positions) > len(blocks.get(value, ())) for value, positions in named.items() if value) and len(named) == 1:
        return {"": list(range(len(replies)))}
    return named


def _stretch(positions: Sequence[int], numbers: Sequence[int], replies: Sequence[Reply], texts: Questions) -> list[int] | None:
    """Find the one stretch of replies whose questions are those of the samples; all of them if none records a question."""
    if not any(replies[position].question for position in positions):
        return list(positions) if len(positions) == len(numbers) else None
    found = []
    for start in range(len(positions) - len(numbers) + 1):
        part = positions[start : start + len(numbers)]
        if all(replies[p].question and texts.exact(replies[p], n) for p, n in zip(part, numbers, strict=True)):
            found.append(list(part))
    return found[0] if len(found) == 1 else None
