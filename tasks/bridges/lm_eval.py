"""lm-eval: any of its tasks, with its own prompts, filters and per-document scores, asked by this harness.

Paper: Biderman et al., Lessons from the Trenches on Reproducible Evaluation of Language Models, arXiv 2405.14782.
Data: as the task's YAML says; lm-eval loads them through the datasets library.
Licence: of each task's data.
Official scorer: lm_eval.api.task.ConfigurableTask.process_results, called, not copied.
Differences: questions go through the model's chat template; multiple choices are weighed as whole answers.

``task=lm_eval/NAME task_dirs=[FOLDER]`` looks in lm-eval's own tasks and in the YAML files of the folders. Python that a YAML
names with ``!function`` is run by lm-eval, as task files of ours are. Not here: how its requests become ours
(`harness.continuations`). What cannot be had is refused by name: several contexts a question, repeats, rolling likelihoods,
tasks marked ``unsafe_code``. Metrics that are no mean over documents, or need what models here do not say, are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.continuations import PROBE, answer_of, continues, ended, generation_of
from harness.errors import ConfigError
from harness.metrics.aggregate import Metric, mean
from harness.task import Card, Convention, Layout, Task
from harness.types import Parsed, Record, Sample

FEWSHOT_SEED = 1234
"""What ``lm_eval`` seeds its choice of examples with."""

NEEDS_GREEDY = {"multiple_choice": ("exact_match",)}
"""Metrics by a continuation's being greedy, which is not known of several at once."""

KINDS = {"generate_until": "generate", "loglikelihood": "generate", "multiple_choice": "loglikelihood"}
"""How each kind of task is asked: a single continuation is compared with the model's own."""


def tasks_of(name: str, task_dirs: Sequence[Path] = ()) -> tuple[Task, ...]:
    """Return the tasks that a name of lm-eval's stands for: a task, a group or a tag.

    Raises:
        ConfigError: lm-eval is not installed, has no such task or cannot load it, or the task asks what cannot be asked here.
    """
    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        cure = "pip install 'riddle-eval[bridges]'"
        raise ConfigError(f"lm_eval/{name}: needs lm-eval ({error.name} is missing); {cure}") from error
    from harness.names import unknown

    folders = [str(folder) for folder in task_dirs]
    own = TaskManager(include_path=folders, include_defaults=False) if folders else None
    manager = own if own is not None and name in own.all_subtasks else TaskManager(include_path=folders or None)
    if name not in manager.all_tasks:
        near = [one for one in manager.all_tasks if one[:3] == name[:3]]
        raise ConfigError(unknown("task of lm-eval", name, near) + "; YAML files of your own: task_dirs=[FOLDER]")
    try:
        found: Mapping[str, Any] = manager.load([name])["tasks"]
    except Exception as error:  # data sets, YAML and code of others: anything may go wrong in them
        raise ConfigError(f"lm_eval/{name}: lm-eval cannot load it ({type(error).__name__}: {error})") from error
    return tuple(_Bridged(one, task).as_task() for one, task in found.items())


@dataclass(frozen=True, eq=False)
class _Bridged:
    """One task object of lm-eval under its name."""

    name: str
    theirs: Any

    @cached_property
    def documents(self) -> Mapping[str, list[Any]]:
        """The requests of each document, in lm-eval's order."""
        self.theirs.set_fewshot_seed(seed=FEWSHOT_SEED)
        self.theirs.build_all_requests(limit=None, rank=0, world_size=1)
        found: dict[str, list[Any]] = {}
        for one in self.theirs.instances:
            found.setdefault(str(one.doc_id), []).append(one)
        return found

    @property
    def kind(self) -> str:
        return str(self.theirs.OUTPUT_TYPE)

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are means over documents, and known."""
        from lm_eval.api.metrics import mean as their_mean

        hidden = NEEDS_GREEDY.get(self.kind, ())
        return tuple(name for name, way in self.theirs.aggregation().items() if way is their_mean and name not in hidden)

    def problem(self) -> str:
        """Why the task cannot be asked here; empty if it can."""
        config = self.theirs.config
        problems = (
            (self.kind not in KINDS, f"output_type {self.kind} is not supported"),
            ((config.repeats or 1) > 1, f"repeats={config.repeats}: a question is asked once here"),
            (bool(getattr(config, "unsafe_code", False)), "it executes what the model writes (unsafe_code)"),
            (bool(getattr(self.theirs, "multiple_input", 0)), "its choices stand in several contexts"),
            ("acc_mutual_info" in self.theirs.aggregation(), "acc_mutual_info weighs choices without the question"),
            (bool(config.doc_to_image or config.doc_to_audio), "it shows pictures or sounds"),
            (not self.metrics, f"none of its metrics is a mean over documents ({', '.join(self.theirs.aggregation())})"),
        )
        return next((text for bad, text in problems if bad), "")

    def as_task(self) -> Task:
        """Compose the task. Raises `ConfigError` if it cannot be asked here."""
        if problem := self.problem():
            raise ConfigError(f"lm_eval/{self.name}: {problem}")
        generation = generation_of(self.theirs.config.generation_kwargs or {}) if self.kind == "generate_until" else PROBE
        return Task(
            name=f"lm_eval/{self.name}",
            card=self.card(),
            layouts=(Layout(name="lm_eval", files=("*",), read=self.records),),
            to_sample=self.sample,
            prompt=lambda sample: sample.question,
            conventions={"official": self.convention(generation.stop)},
            ideal=lambda sample: sample.references[0],
            choices=lambda sample: sample.options,
            generation=generation,
            needs=frozenset(),
            higher_is_better=bool(self.theirs.higher_is_better().get(self.metrics[0], True)),
            kind="loglikelihood" if KINDS[self.kind] == "loglikelihood" else "generate",
            version=int(float(self.theirs.VERSION or 0)) if str(self.theirs.VERSION).replace(".", "").isdigit() else 1,
        )

    def card(self) -> Card:
        """The bridge's card under the task's name, with the metrics that are left out."""
        card = Card.of(__doc__, split=str(self.theirs.config.test_split or "validation"), n=len(self.theirs.eval_docs))
        left = sorted(set(self.theirs.aggregation()) - set(self.metrics))
        differences = f"{card.differences} Left out: {', '.join(left)}." if left else card.differences
        return replace(card, title=self.name, differences=differences)

    def convention(self, stop: Sequence[str]) -> Convention:
        """Lm-eval's filters and metrics over replies that end at ``stop``."""
        names = [_shown(metric, one.name) for one in self.theirs._filters for metric in self.metrics]
        return Convention(
            parse=lambda reply, sample: Parsed(ended(reply, stop)),
            weighed=lambda weights, sample: Parsed(list(weights)),
            score=self.score,
            metrics=tuple(Metric(name=name, estimator=mean(name)) for name in names),
            primary=names[0],
        )

    def records(self, where: Sequence[Path]) -> Iterator[Record]:
        """Yield documents. They come from where the YAML says; ``where`` only names their files for the run."""
        for doc_id, instances in self.documents.items():
            yield {"doc_id": doc_id, "context": instances[0].args[0], "answers": [one.args[1] for one in instances]}

    def sample(self, record: Record) -> Sample:
        """Make a sample; its references are the document's target, as text."""
        doc_id = record["doc_id"]
        answers = record["answers"] if self.kind == "multiple_choice" else []
        target = self.theirs.doc_to_target(self.documents[doc_id][0].doc)
        gold = [target] if isinstance(target, str | int | float) else list(target)
        texts = [answers[one] if isinstance(one, int) and 0 <= one < len(answers) else str(one) for one in gold]
        return Sample(
            id=doc_id,
            question=record["context"],
            options=tuple(map(answer_of, answers)),
            references=tuple(answer_of(text) or repr(text) for text in texts),
            cluster=doc_id,
        )

    def score(self, parsed: Parsed, sample: Sample) -> dict[str, float]:
        """Have lm-eval filter and score one document."""
        instances = [copy(one) for one in self.documents[sample.id]]
        filters = self.theirs._filters
        if parsed.answer is None:
            return {_shown(metric, one.name): 0.0 for one in filters for metric in self.metrics}
        for one, said in zip(instances, self._said(parsed.answer, instances), strict=True):
            one.resps, one.filtered_resps = [said], {}
        found: dict[str, float] = {}
        for ensemble in filters:
            ensemble.apply(instances)
            scores = self.theirs.process_results(instances[0].doc, [one.filtered_resps[ensemble.name] for one in instances])
            found |= {_shown(metric, ensemble.name): float(scores[metric]) for metric in self.metrics}
        return found

    def _said(self, answer: Any, instances: Sequence[Any]) -> list[Any]:
        """What lm-eval's models would have said to a document's requests."""
        if self.kind == "generate_until":
            return [answer]
        if self.kind == "loglikelihood":
            return [(0.0, continues(answer, instances[0].args[1]))]
        return [(weight, False) for weight in answer]


def _shown(metric: str, filter_name: str) -> str:
    """A metric's name here: lm-eval's, with the filter if it has one."""
    return metric if filter_name == "none" else f"{metric}.{filter_name}"
