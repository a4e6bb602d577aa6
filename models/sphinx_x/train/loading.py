"""The steps of a run in order, prepared ahead by worker processes; where a run stands is the number of its next step.

A step's examples follow from the seed and its number alone, however many processes share it. Not here: the authors' order itself
(``sampler``) and what an example is (``examples``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.errors import ConfigError
from models.sphinx_x.train.annotations import Annotations
from models.sphinx_x.train.examples import Example, Maker, MicroBatch, Skipped, collate, pack
from models.sphinx_x.train.recipe import RecipeConfig
from models.sphinx_x.train.sampler import LengthGroupedSampler, pools


@dataclass(frozen=True, slots=True)
class Step:
    """This process's share of an optimiser step.

    Attributes:
        micro: micro-batches; examples that were left out are missing in them.
        skipped: what was left out.
        examples: how many there are; ``positions`` they take without padding.
    """

    micro: tuple[MicroBatch, ...]
    skipped: tuple[Skipped, ...]
    examples: int
    positions: int


@dataclass(frozen=True)
class Steps(Sequence[Step]):
    """All steps of a run, for one of ``processes`` that share each of them."""

    config: RecipeConfig
    maker: Maker
    process: int = 0
    processes: int = 1

    @cached_property
    def sampler(self) -> LengthGroupedSampler:
        """The authors' order. Raises `ConfigError` if no kind of record fills a step."""
        annotations: Annotations = self.maker.annotations
        sampler = LengthGroupedSampler(
            pools=pools(annotations.kinds, annotations.lengths),
            batch=self.config.micro,
            ranks=self.processes,
            rank=self.process,
            accumulate=self.config.accumulate(self.processes),
            seed=self.config.seed,
        )
        if not sampler.steps:
            raise ConfigError(
                f"train.batch={self.config.batch}: no kind fills a batch, there are {len(annotations)} records in all"
            )
        return sampler

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return self.sampler.steps

    def __len__(self) -> int:
        whole = max(1, round(self.config.epochs * self.per_epoch))
        return min(self.config.steps or whole, whole)

    def places(self, step: int) -> list[int]:
        """Numbers of the records that this process sees in a step, micro-batch by micro-batch."""
        epoch, at = divmod(step, self.per_epoch)
        size = self.config.micro * self.sampler.accumulate
        return self._epoch(epoch)[at * size : (at + 1) * size]

    def _epoch(self, number: int) -> list[int]:
        held: dict[int, list[int]] = self.__dict__.setdefault("_epochs", {})
        if number not in held:
            held.clear()
            held[number] = self.sampler.epoch(number)
        return held[number]

    def __getitem__(self, step: int) -> Step:  # type: ignore[override]
        """Read, encode and lay out a step."""
        made = [self.maker(place) for place in self.places(step)]
        good = [one for one in made if isinstance(one, Example)]
        return Step(
            micro=tuple(self._micro(made)),
            skipped=tuple(one for one in made if isinstance(one, Skipped)),
            examples=len(good),
            positions=sum(example.positions for example in good),
        )

    def _micro(self, made: Sequence[Example | Skipped]) -> Iterator[MicroBatch]:
        start, micro = self.maker.words.bos, self.config.micro
        if self.config.packing == "packed":
            rows = pack([one for one in made if isinstance(one, Example)], self.config.row)
            for at in range(0, max(1, len(rows)), micro):
                yield collate(rows[at : at + micro], start)
            return
        for at in range(0, len(made), micro):
            yield collate([[one] for one in made[at : at + micro] if isinstance(one, Example)], start)


def load(steps: Steps, first: int, last: int) -> Iterator[Step]:
    """The steps from ``first`` up to ``last``, prepared ahead by the workers that the configuration names."""
    from torch.utils.data import DataLoader

    workers = steps.config.data.workers
    options = {"prefetch_factor": steps.config.data.ahead, "multiprocessing_context": "spawn"} if workers else {}
    yield from DataLoader(steps, batch_size=None, sampler=range(first, last), num_workers=workers, **options)
