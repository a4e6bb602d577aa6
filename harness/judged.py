"""The judge phase: puts the replies that no rule can settle to a judge, and keeps what it says.

A judge is a model. Its requests go through the exchange, the store and the retries of any other's, so it may be stopped and goes
on where it was, and nothing is judged twice. What it says lies in a folder of the run's,
``judged/<judge>.<prompt>~<fingerprint>``: ``responses.sqlite`` and ``judge.json``. That folder can be shipped: `Replay` answers
from it, so that a score can be reproduced without the judge.
Not here: what a judge is asked and how it is understood (`harness.judging`), and what its word is worth (`harness.scoring`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import keys, results
from harness.accounts import prices_of, usage
from harness.engine.collect import Collector
from harness.engine.retry import Backoff
from harness.engine.stream import Exchange
from harness.errors import ConfigError, ResultError
from harness.judging import Judging, named, needed, with_judge
from harness.model import Capabilities, Model
from harness.names import as_name
from harness.plan import Planned, Source, described_parts, remembering
from harness.progress import Progress
from harness.scoring import score_stored
from harness.store import Elsewhere, Reader, Store, Stored
from harness.task import Convention
from harness.types import Failure, Query, Request, Response, Sample

FOLDER = "judged"


def folder_of(run: Path, judge: str, fingerprint: str, prompt: str) -> Path:
    """Return where a judge's words on a run's replies lie."""
    return run / FOLDER / f"{as_name(f'{judge}.{prompt}')}~{keys.hash_of(fingerprint, 2)}"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A judge at work on one run.

    Attributes:
        judge: the model that judges.
        convention: whose ``judging`` says how.
        source, replies: the samples, and what the run has stored for them.
        run, runs: the run's folder, and the root below which other runs' judgements are taken over (None takes none).
        allowed: so many failures of the judge are borne.
        invalidate: called before the first word that is not stored yet is asked for or taken over.
        advice: how to go on, for errors.
    """

    judge: Model
    convention: Convention
    judging: Judging
    source: Source
    replies: Reader
    run: Path
    runs: Path | None
    progress: Progress
    allowed: int
    invalidate: Callable[[], None]
    advice: str
    retries: int = 5
    seed: int = 0
    timeout_s: float | None = None
    sleep: Callable[[float], None] = time.sleep
    _failures: dict[str, tuple[str, Failure]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the judge's words are kept."""
        return folder_of(self.run, self.judge.name, self.judge.fingerprint, self.judging.prompt)

    def judge_all(self) -> Path:
        """Have every reply that needs it judged, unreadable words asked for again; return the folder of what was said.

        Raises:
            RunStopped: the judge fails too often, or ends the run itself (a budget is spent).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        about = {"name": self.judge.name, "fingerprint": self.judge.fingerprint}
        record = {"schema": results.SCHEMA, "model": about, "prompt": self.judging.prompt, "prices": prices_of(self.judge)}
        results.write_json(self.folder / "judge.json", record)
        with ExitStack() as stack:
            elsewhere = None
            if self.runs is not None:
                pattern = f"*/*/*/{FOLDER}/*"
                elsewhere = stack.enter_context(Elsewhere(self.runs, self.folder, self.judge.fingerprint, pattern))
            store = Store(self.folder)
            stack.callback(store.close)
            for _ in range(self.judging.attempts + (self.judging.extraction is not None)):
                self._round(store, elsewhere)
                if not self._unread(store):
                    break
            else:
                self._round(store, elsewhere)
        return self.folder

    def _round(self, store: Store, elsewhere: Elsewhere | None) -> None:
        """Ask what is to be asked next about each reply."""
        collector = Collector(
            planned=self._planned(store),
            store=store,
            elsewhere=elsewhere,
            convention=replace(self.convention, parse=self.judging.read, judging=None),
            progress=self.progress.begin(f"judge ({self.judge.name})"),
            allowed=self.allowed,
            invalidate=self.invalidate,
            advice=f"See to the judge, or allow more with max_failures. {self.advice}",
            failures=self._failures,
        )
        exchange = Exchange(
            self.judge.generate,
            collector.record,
            backoff=Backoff(retries=self.retries, seed=self.seed),
            sleep=self.sleep,
            timeout_s=self.timeout_s,
            advice=self.advice,
        )
        exchange.run(collector.requests())

    def _open(self) -> Iterator[tuple[Sample, str]]:
        """The samples whose replies need a judge."""
        for sample, (_, key, stored) in zip(self.source.samples(), self.replies.planned(), strict=True):
            if stored is not None:
                row = score_stored(with_judge(self.convention), sample, key, stored)
                if row.failed is None and row.reply is not None and needed(row.parsed):
                    yield sample, row.reply

    def _planned(self, store: Reader) -> Iterator[Planned]:
        for sample, reply in self._open():
            planned, _ = self._next(store, sample, reply)
            yield planned

    def _unread(self, store: Reader) -> bool:
        """Whether a word that cannot be read may be asked for again."""
        return any(more for _, more in (self._next(store, sample, reply) for sample, reply in self._open()))

    def _next(self, store: Reader, sample: Sample, reply: str) -> tuple[Planned, bool]:
        """Return the request that decides: the first whose word can be read or is not there yet, else the last.

        Also whether it is one that has not been asked although another was before: an earlier word could not be read, or was
        the answer taken out of the reply.
        """
        first = self.judging.extraction
        if first is not None:
            planned = self._request(sample, first.ask(sample, reply), 0)
            taken = store.get(planned.request.key)
            if taken is None or taken.response.failure is not None:
                return planned, False
            reply = first.take(taken.response.text)
        for attempt in range(self.judging.attempts):
            planned = self._request(sample, self.judging.ask(sample, reply, attempt), attempt)
            stored = store.get(planned.request.key)
            if stored is None:
                return planned, attempt > 0 or first is not None
            if stored.response.failure is not None or self._readable(stored, sample):
                break
        return planned, False

    def _readable(self, stored: Stored, sample: Sample) -> bool:
        parsed = self.judging.read(stored.response.text, sample)
        return parsed.answer is not None

    def _request(self, sample: Sample, query: Query, attempt: int) -> Planned:
        """Name what the judge is asked; the seed makes every time a request of its own."""
        from harness.data import media

        generation = replace(query.generation, seed=attempt)
        identity, parts = described_parts(query.parts, remembering(media.digest))
        key = keys.request_key(identity, generation, model=self.judge.fingerprint)
        request = Request(key=key, sample_id=sample.id, parts=query.parts, generation=generation)
        return Planned(sample=sample, request=request, parts=parts)


def account(folder: Path) -> dict[str, Any]:
    """Return what ``result.json`` says of the judge whose words lie in ``folder``."""
    about = results.read_json(folder / "judge.json")
    with Reader(folder) as reader:
        asked, took = reader.count(), usage(reader, about.get("prices"))
    return {
        "name": named(about["model"]["name"], about["prompt"]),
        "model": about["model"],
        "prompt": about["prompt"],
        "folder": f"{FOLDER}/{folder.name}",
        "asked": asked,
        **took,
    }


class Replay:
    """A judge that has spoken already: answers from a folder that a run has left under ``judged``, and asks nobody.

    Args:
        folder: the folder with ``judge.json``, or one above it, such as a run's folder or one that was shipped.
        name: unused; the recorded judge's own name counts (``riddle score`` names by it who gave stored grades).

    Raises:
        ConfigError: no folder, no judge's words in it, or those of several judges.
    """

    capabilities = Capabilities(images=True, several_images=True, video=True)

    def __init__(self, folder: str | None = None, name: str | None = None) -> None:
        if folder is None:
            raise ConfigError("judge.folder: missing; say judge.folder=FOLDER, where a run has left a judge's words")
        found = sorted(Path(folder).rglob("judge.json"))
        models = [results.read_json(path)["model"] for path in found]
        if len({model["fingerprint"] for model in models}) != 1:
            named_ = ", ".join(sorted({model["name"] for model in models})) or "none"
            raise ConfigError(f"judge.folder={folder}: must hold the words of one judge (judge.json), found {named_}")
        self.name, self.fingerprint = str(models[0]["name"]), str(models[0]["fingerprint"])
        self._folders = [path.parent for path in found]

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield what is stored; what is not is a failure."""
        with ExitStack() as stack:
            readers = [stack.enter_context(Reader(folder)) for folder in self._folders]
            for request in requests:
                stored = next((one for reader in readers if (one := reader.get(request.key)) is not None), None)
                failure = Failure("judge", f"no stored word on this reply in {self._folders[0].parent}")
                yield stored.response if stored else Response(key=request.key, finish_reason="error", failure=failure)


def verdicts_of(folder: Path) -> Reader:
    """Open a judge's words. Raises `ResultError` if there are none."""
    if not (folder / "judge.json").is_file():
        raise ResultError(f"{folder}: holds no judge's words; give the run's command again")
    return Reader(folder)
