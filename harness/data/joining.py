"""Decides which sample each reply of a foreign file answers, or refuses.

Files name their samples in many ways: by the benchmark's id, by a number that is only unique within a sub-task, by picture and
question, by question and expected answer, or not at all. Each way is a rule; the rules are tried from the surest to the
weakest, and the first that places nearly all replies (or samples) is taken, else the best that places at least half.

Two things protect against a shift by one line or a file of another release. A rule by id or order is checked against the
question's text wherever the file records it, and dropped if they differ. And order counts only for tasks whose official
scorer goes by it, with equal counts. A reply that finds no sample is *extra*, a sample without one is *missing*, a second
reply to a sample is a *duplicate* (the first counts); all are counted and named.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.data.alignment import Trial, in_order, in_order_of, named_group
from harness.data.questions import Index, Prompts, Questions, folded
from harness.data.replies import Reply, ReplyFile
from harness.data.reply_files import ID_FIELDS, known_layouts, plain_name
from harness.errors import ReplyError
from harness.types import Image, Sample, Video

ENOUGH, LEAST = 0.9, 0.5
"""Shares of the replies (or samples) that a rule must place to be taken at once, and at all."""

TOLERATED = 0.1
"""Share of differing questions above which a rule is dropped; below it, the pairs that differ are left out."""


_OBJECT = re.compile(r"^(COCO_[a-z]+\d+_\d{12})_\d+$")
"""How lmms-eval's RefCOCO names a picture: with the object's number behind."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Which reply each sample gets, and what was left over.

    Attributes:
        replies: the reply of each sample, in the samples' order; None if it has none.
        rule: how they were joined, in words.
        missing: ids of samples without a reply.
        extra: places of replies that answer no sample.
        duplicates: places of replies to a sample that already had one.
    """

    replies: tuple[Reply | None, ...]
    rule: str
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    duplicates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One way to find samples: the keys of a reply (best first) and of a sample.

    ``by_text`` picks among samples of one key by the recorded question; ``dealt`` hands them out in order; ``once`` refuses
    files with several replies to one question, which must differ in something that they do not record.
    """

    name: str
    of_reply: Callable[[Reply], Iterable[str]]
    of_sample: Callable[[int, Sample], Iterable[str]]
    by_text: bool = False
    dealt: bool = False
    once: bool = False


def join(samples: Sequence[Sample], prompts: Prompts, file: ReplyFile, aligned_by: str | None = None) -> Joined:
    """Give each sample its reply.

    Args:
        samples: of the benchmark, in order.
        prompts: the texts in which a sample may have been asked.
        file: the replies.
        aligned_by: the group within which the official scorer pairs by order (``""``: the whole file); None if it does not.

    Raises:
        ReplyError: no rule places half of the replies or samples; the message says how each rule fared.
    """
    trials = []
    for trial in _trials(samples, file.replies, Questions(samples, prompts, file.replies), aligned_by):
        trials.append(trial)
        if _share(trial, samples, file.replies) >= ENOUGH:
            return _dealt(trial, samples, file.replies)
    best = max(trials, key=lambda trial: _share(trial, samples, file.replies))
    if _share(best, samples, file.replies) < LEAST:
        raise ReplyError(_refusal(samples, file, trials, aligned_by))
    return _dealt(best, samples, file.replies)


def _trials(samples: Sequence[Sample], replies: Sequence[Reply], texts: Questions, aligned_by: str | None) -> Iterator[Trial]:
    """Try one rule after the other, from the surest to the weakest."""
    for rule in _rules(samples, replies):
        yield _try(rule, samples, replies, texts)
    if aligned_by is not None:
        yield in_order(samples, replies, texts, aligned_by)
        for name in dict.fromkeys(name for reply in replies for name in reply.ids):
            yield from in_order_of(name, samples, replies, texts, aligned_by)
    for rule in _by_question(_group_values(samples), texts):
        yield _try(rule, samples, replies, texts)
    if aligned_by is None and _telling(samples, replies, texts):
        yield in_order(samples, replies, texts, "")


DIFFERENT = 0.9
"""Share of the questions that must differ for their order to tell which sample is which."""


def _telling(samples: Sequence[Sample], replies: Sequence[Reply], texts: Questions) -> bool:
    """Whether all questions are alike in order, and so many different ones that no other order of the samples would do."""
    different = {reply.question for reply in replies if reply.question}
    if len(samples) != len(replies) or len(different) < DIFFERENT * len(replies):
        return False
    return all(reply.question and texts.exact(reply, number) for number, reply in enumerate(replies))


def _share(trial: Trial, samples: Sequence[Sample], replies: Sequence[Reply]) -> float:
    """The larger of the shares of replies and of samples that a rule places; 0 with an objection."""
    if trial.objection or not trial.placed:
        return 0.0
    found = {number for numbers in trial.placed.values() for number in numbers}
    return max(len(trial.placed) / len(replies), len(found) / len(samples))


def _rules(samples: Sequence[Sample], replies: Sequence[Reply]) -> Iterator[_Rule]:
    """The rules that go by more than the question; lmms-eval's ``doc_id`` is a place, no id."""
    names = dict.fromkeys(name for reply in replies for name in reply.ids)
    groups = _group_values(samples)
    for name in names:
        if name != "docid":
            yield from _by_id(name, samples, groups)
    yield _Rule(name="picture and question", of_reply=_pictures, of_sample=_shown, by_text=True)
    yield _Rule(name="expected answer and question", of_reply=_expected, of_sample=_references, by_text=True)
    yield _Rule(
        name="picture and expected answer",
        of_reply=lambda reply: (f"{name}|{answer}" for name in _pictures(reply) for answer in _expected(reply)),
        of_sample=lambda number, sample: (
            f"{name}|{one}" for name in _shown(number, sample) for one in _references(number, sample)
        ),
    )
    yield _Rule(name="picture, where each has one question", of_reply=_pictures, of_sample=_shown)
    if all(reply.question for reply in replies):
        for name in names:
            yield from (_by_place(name, first) for first in (0, 1))
    elif all(_is_box(_canonical(reply.reference)) for reply in replies):
        yield _Rule(name="expected box", of_reply=_expected, of_sample=_references, dealt=True)


def _by_place(name: str, first: int) -> _Rule:
    """Running numbers: only tried where every reply records its question, so that a wrong start shows."""
    return _Rule(
        name=f"{name} = the place in the data, counted from {first}",
        of_reply=lambda reply: (reply.ids[name],) if name in reply.ids else (),
        of_sample=lambda number, _: (str(number + first),),
    )


def _by_question(groups: Sequence[str], texts: Questions) -> Iterator[_Rule]:
    """The rules for files that name nothing but the question."""
    yield _Rule(
        name="sub-task and question, where no two are the same",
        of_reply=lambda reply: (f"{_group(one, groups)}/{text}" for one in reply.categories for text in texts.asked_by(reply)),
        of_sample=lambda number, sample: (f"{one}/{text}" for one in sample.groups.values() for text in texts.forms(number)),
        once=True,
    )
    yield _Rule(
        name="question, where no two are the same",
        of_reply=texts.asked_by,
        of_sample=lambda number, _: texts.forms(number),
        once=True,
    )


def _by_id(name: str, samples: Sequence[Sample], groups: Sequence[str]) -> Iterator[_Rule]:
    """The rules for one field of ids: the sample's id, that within a sub-task, and a field of the sample of the same name."""

    def ids(reply: Reply) -> Iterable[str]:
        return (reply.ids[name],) if name in reply.ids else ()

    def within(reply: Reply) -> Iterable[str]:
        return (f"{_group(category, groups)}/{one}" for one in ids(reply) for category in reply.categories)

    yield _Rule(name=f"{name} = the sample's id", of_reply=ids, of_sample=lambda _, sample: (sample.id,))
    yield _Rule(name=f"sub-task and {name} = the sample's id", of_reply=within, of_sample=lambda _, sample: (sample.id,))
    names = {name, *(ID_FIELDS if name in ("key", "id") else ())}
    for own in (field for field in samples[0].fields if plain_name(field) in names):
        yield _Rule(name=f"{name} = the sample's {own}", of_reply=ids, of_sample=_field(own))


def _field(name: str) -> Callable[[int, Sample], Iterable[str]]:
    return lambda _, sample: (str(sample.fields.get(name, "")),)


def _expected(reply: Reply) -> Iterable[str]:
    return (_canonical(reply.reference),) if reply.reference else ()


def _references(_: int, sample: Sample) -> Iterable[str]:
    return map(_canonical, sample.references)


def _is_box(text: str) -> bool:
    return bool(re.fullmatch(r"-?[\d.]+(,-?[\d.]+){3}", text))


def _group_values(samples: Sequence[Sample]) -> tuple[str, ...]:
    """The values of the samples' groups with few of them, longest first: what a file's name may hold."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sample in samples:
        for name, value in sample.groups.items():
            counts[name][value] += 1
    values = {value for count in counts.values() if len(count) <= 100 for value in count if value}
    return tuple(sorted(values, key=lambda value: (-len(value), value)))


def _group(category: str, groups: Sequence[str]) -> str:
    """The group that a category or the name of a file names: ``coco_pope_random_answers`` is ``random``; else the text itself."""
    return named_group(category, groups) or category


def _pictures(reply: Reply) -> Iterator[str]:
    """Names of the picture from the most to the least exact; ids that look like a file's name count too."""
    named = [reply.picture, *(value for value in reply.ids.values() if re.search(r"[/.]", value))]
    for name in filter(None, named):
        path = PurePosixPath(name.replace("\\", "/"))
        yield path.with_suffix("").as_posix()
        for category in reply.categories:
            yield f"{category}/{path.stem}"
        yield path.stem
        yield _OBJECT.sub(r"\1", path.stem)


def _shown(_: int, sample: Sample) -> Iterator[str]:
    """Names under which a sample's pictures may be recorded."""
    if sample.cluster:
        yield sample.cluster
        yield PurePosixPath(sample.cluster).name
    for part in sample.parts:
        if isinstance(part, Image | Video):
            path = PurePosixPath(part.source.label.replace("\\", "/"))
            yield path.stem
            yield f"{path.parent.name}/{path.stem}"


def _canonical(text: str) -> str:
    """Write an expected answer so that ``[14.67, 133.56]`` and ``14.67,133.56`` are the same."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", text)
    if len(numbers) > 1 and not re.search(r"[^\d\s.,;\[\]()-]", text):
        return ",".join(f"{float(number):.2f}" for number in numbers)
    return folded(text)


def _try(rule: _Rule, samples: Sequence[Sample], replies: Sequence[Reply], texts: Questions) -> Trial:
    """Apply a rule to all replies."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, sample in enumerate(samples):
        for key in filter(None, dict.fromkeys(rule.of_sample(number, sample))):
            places[key].append(number)
    indexes: dict[str, Index] = {}
    groups = _group_values(samples)
    placed: dict[int, tuple[int, ...]] = {}
    unsure, differing = 0, []
    for position, reply in enumerate(replies):
        key = next((key for key in rule.of_reply(reply) if key in places), "")
        found: Sequence[int] = places.get(key, [])
        if rule.by_text and found:
            if key not in indexes:
                indexes[key] = texts.index(found)
            found = texts.pick(reply, found, indexes[key])
        found = _in_category(reply, found, samples, groups)
        if not found:
            continue
        if not rule.dealt and not texts.same_ask(found):
            unsure += 1
        elif rule.by_text or texts.agrees(reply, found[0]):
            placed[position] = tuple(found)
        else:
            differing.append((position, found[0]))
    objection = _objection(rule, placed, unsure, differing, samples, replies)
    return Trial(rule=rule.name, placed=placed, objection=objection)


def _objection(
    rule: _Rule,
    placed: Mapping[int, tuple[int, ...]],
    unsure: int,
    differing: Sequence[tuple[int, int]],
    samples: Sequence[Sample],
    replies: Sequence[Reply],
) -> str:
    """Say why a rule must not be used, if it must not."""
    if unsure:
        return f"{unsure} replies could each answer several samples"
    uses = Counter(placed.values())
    if rule.dealt and (len(placed) != len(replies) or any(len(found) != uses[found] for found in uses)):
        return "not as many replies as samples for each"
    if rule.once and any(uses[found] > len(found) for found in uses):
        return "several replies to one question"
    if len(differing) > TOLERATED * (len(differing) + len(placed)):
        position, number = differing[0]
        return (
            f"{len(differing)} of {len(differing) + len(placed)} questions differ, first {replies[position].question[:80]!r} in "
            f"{replies[position].where} and {samples[number].question[:80]!r} in sample {samples[number].id!r}"
        )
    if not rule.by_text and _off_by_one(placed, samples, replies, rule):
        return "the file counts from another number than the benchmark (off by one)"
    return ""


def _in_category(reply: Reply, numbers: Sequence[int], samples: Sequence[Sample], groups: Sequence[str]) -> Sequence[int]:
    """Of several samples those of the sub-tasks that the reply names (VLMEvalKit joins them by commas), if there are any."""
    if len(numbers) < 2:
        return numbers
    named = {named_group(name, groups) for category in reply.categories for name in category.split(",")} - {""}
    return [number for number in numbers if named & set(samples[number].groups.values())] or numbers


def _off_by_one(placed: Mapping[int, object], samples: Sequence[Sample], replies: Sequence[Reply], rule: _Rule) -> bool:
    """Whether ids without a question are consecutive numbers here and there, but shifted: joined, every reply would be wrong."""
    if len(placed) == len(replies) or len(replies) != len(samples) or any(reply.question for reply in replies):
        return False
    keys = [
        [key for reply in replies for key in rule.of_reply(reply)],
        [key for n, s in enumerate(samples) for key in rule.of_sample(n, s)],
    ]
    if not all(key.isdecimal() for some in keys for key in some):
        return False
    theirs, ours = (sorted(map(int, some)) for some in keys)
    consecutive = all(some[-1] - some[0] == len(some) - 1 == len(set(some)) - 1 for some in (theirs, ours) if some)
    return consecutive and bool(theirs) and bool(ours) and abs(theirs[0] - ours[0]) == 1


def _dealt(trial: Trial, samples: Sequence[Sample], replies: Sequence[Reply]) -> Joined:
    """Hand out the replies: the first to the first sample that asks for it; samples that ask the same share what is left."""
    given: dict[int, int] = {}
    duplicates = []
    for position, numbers in trial.placed.items():
        free = next((number for number in numbers if number not in given), None)
        if free is None:
            duplicates.append(position)
        else:
            given[free] = position
    for position, numbers in trial.placed.items():
        for number in numbers:
            given.setdefault(number, position)
    return Joined(
        replies=tuple(replies[given[number]] if number in given else None for number in range(len(samples))),
        rule=trial.rule,
        missing=tuple(sample.id for number, sample in enumerate(samples) if number not in given),
        extra=tuple(reply.where for position, reply in enumerate(replies) if position not in trial.placed),
        duplicates=tuple(replies[position].where for position in duplicates),
    )


def _refusal(samples: Sequence[Sample], file: ReplyFile, trials: Sequence[Trial], aligned_by: str | None) -> str:
    fared = "; ".join(f"by {trial.rule}: {trial.objection or f'{len(trial.placed)} placed'}" for trial in trials)
    order = "" if aligned_by is not None else " Order alone is not used, as the official scorer does not go by it."
    return (
        f"{len(file.replies)} replies ({file.layout}, reply in field {file.field!r}) do not fit the {len(samples)} samples. "
        f"{fared}.{order} The samples are named {', '.join(repr(sample.id) for sample in samples[:3])}, ... "
        f"The first record: {file.first}. {known_layouts()}"
    )
