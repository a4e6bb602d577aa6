"""Scores replies made elsewhere: from a benchmark's annotations and a file of replies to a finished run folder.

The folder is like any other but for its responses, which nobody asked for here: reply, answer and scores stand in
``scores.parquet``, the questions under ``requests``, and ``run.json`` says under ``replies`` how the file was read and joined.
Media are never opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from harness import keys, provenance, results
from harness.asking import folder_of
from harness.data.frames import plan_record
from harness.data.joining import Joined, join
from harness.data.logs import stated_scores
from harness.data.replies import Reply, ReplyFile, read_replies
from harness.data.reply_files import SUFFIXES, files_of
from harness.errors import DatasetError, ResultError
from harness.graded import REPLAY, Grades, check_judged, grades_of, mean_of_runs, mean_row, score_graded
from harness.plan import Source, convention_of
from harness.rescore import aggregated, without_judge
from harness.results import Result
from harness.run import RUNS, described
from harness.scoring import Answered, score_many, score_reply
from harness.store import FILE, RunLock, Store
from harness.task import Convention, Task
from harness.types import FileSource, Part, Sample, Scored, Text, Video

NAMED = 5
"""How many missing, extra and duplicate replies are named in ``run.json``."""

EXTRACTED = "stored extraction"
"""Stands as judge in ``run.json`` where answers were taken from a field that a judge had filled."""


def score_replies(
    task: Task,
    data: Path | Sequence[Path],
    predictions: Path | Sequence[Path],
    *,
    convention: str = "official",
    model_name: str | None = None,
    runs: Path = RUNS,
    data_name: str = "",
    confidence: float = 0.95,
    config: Mapping[str, Any] | None = None,
) -> Result:
    """Score a file of replies and write it as a run: `score_conventions` for one of them."""
    return score_conventions(
        task,
        data,
        predictions,
        conventions=(convention,),
        model_name=model_name,
        runs=runs,
        data_name=data_name,
        confidence=confidence,
        config=config,
    )[0]


def score_conventions(
    task: Task,
    data: Path | Sequence[Path],
    predictions: Path | Sequence[Path],
    *,
    conventions: Sequence[str],
    grades: Sequence[Path] = (),
    judge: str = REPLAY,
    reply_field: str | None = None,
    grade_field: str | None = None,
    model_name: str | None = None,
    runs: Path = RUNS,
    data_name: str = "",
    confidence: float = 0.95,
    config: Mapping[str, Any] | None = None,
) -> list[Result]:
    """Score a file of replies, read once, under several conventions; each has a result of its own in the run's folder.

    Args:
        task: the benchmark.
        data: the folder or files with its annotations.
        predictions: file, files or folder of replies, in any layout of `harness.data.reply_files.LAYOUTS`.
        conventions: how replies become numbers; new replies take the first for their run's own.
        grades: files with what a judge has said of these replies, in any layout of `harness.data.grades`.
        judge: who gave the grades; ``replay`` takes the name from the files.
        reply_field: where a reply stands in its record, if the reader of the layout would take another.
        grade_field: the same for what the judge said.
        model_name: how the model appears in tables; the name of the first file or folder unless given.
        runs: the root of all run folders.
        data_name: distinguishes runs on other data than the official ones (``mini``).
        confidence: of the intervals.
        config: the resolved configuration, for ``run.json``.

    Raises:
        ReplyError: the replies cannot be read or do not fit the benchmark.
        DatasetError, ConfigError: the annotations are not there, or there is no such convention.
    """
    if grades:
        check_judged(convention_of(task, conventions[0]), conventions[0])
    conventions = [task.convention_named(name) for name in conventions]
    known = not grades and any(convention_of(task, name).extracted for name in conventions)
    source = Source.find(task, data)
    paths = [predictions] if isinstance(predictions, Path) else list(predictions)
    given = _Given.read(task, source, paths, reply_field)
    graded = grades_of(task, given.samples, grades, judge, partial(_asked, task), grade_field) if grades else None
    extracted = known and any(reply.extraction is not None for reply in given.file.replies)
    name, fingerprint = model_name or _bare(paths[0]), source.fingerprint()
    identity: dict[str, Any] = {"replies": _digest(paths), "name": name, "task": [task.name, task.version], "data": fingerprint}
    identity |= {"grades": [*_digest(grades), graded.judge]} if graded else {}
    identity |= {name: one for name, one in (("field", reply_field), ("grade", grade_field)) if one}
    about = {
        "data": source.account(len(given.samples), fingerprint, data_name),
        "judge": EXTRACTED if extracted else _who(task, conventions[0], graded),
        "replies": given.account(),
        "confidence": confidence,
        "config": provenance.plain(config or {}),
    }
    folder = folder_of(runs, name, task.name, data_name, identity)
    folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder):
        _record_questions(folder, task, given)
        run = _record_run(folder, task, name, conventions[0], about)
        found = _record_scores(folder, run, task, conventions, given, graded)
        return [found[one] for one in conventions]


@dataclass(frozen=True)
class _Given:
    """Replies beside the samples that they answer."""

    samples: Sequence[Sample]
    paths: Sequence[Path]
    file: ReplyFile
    joined: Joined

    @classmethod
    def read(cls, task: Task, source: Source, paths: Sequence[Path], reply_field: str | None) -> _Given:
        """Read and join. Raises `ReplyError`, or `DatasetError` if there are no samples."""
        samples = list(source.samples())
        if not samples:
            raise DatasetError(f"{', '.join(map(str, source.where))}: no samples of {task.name} there")
        file = read_replies(paths, reply_field)
        return cls(samples, paths, file, join(samples, partial(_asked, task), file, task.aligned_by))

    @property
    def replies(self) -> Sequence[Reply | None]:
        """The reply to each sample."""
        return self.joined.replies

    @property
    def texts(self) -> list[str | None]:
        """The text of each reply."""
        return [None if reply is None else reply.text for reply in self.replies]

    def account(self) -> dict[str, Any]:
        """Say how the file was read and joined, with the first of what was left over by name."""
        left = {name: getattr(self.joined, name) for name in ("missing", "extra", "duplicates")}
        return {
            "files": [path.name for path in self.paths],
            "layout": self.file.layout,
            "field": self.file.field,
            "n": len(self.file.replies),
            "joined_by": self.joined.rule,
            **({"as_logged": stated} if (stated := stated_scores(self.paths)) else {}),
            **{name: {"n": len(found), "first": list(found[:NAMED])} for name, found in left.items()},
        }


def _asked(task: Task, sample: Sample) -> list[str]:
    """All that a benchmark may have asked of a sample."""
    return [ask(sample) for ask in (task.prompt, *task.prompts.values())]


def _bare(path: Path) -> str:
    """Name a model after its file: without ``.gz`` and the suffix, but with the dots of ``llava-v1.5-13b``."""
    plain = PurePosixPath(path.name.removesuffix(".gz"))
    return plain.stem if plain.suffix.lower() in SUFFIXES else plain.name


def _digest(paths: Sequence[Path]) -> list[str]:
    """Name the replies by what the files hold."""
    files = [file for path in paths for file in files_of(path)]
    return [hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for file in files]


def _record_questions(folder: Path, task: Task, given: _Given) -> None:
    """Keep what was asked, for reports: the recorded prompt or else the benchmark's question, and the media that are here."""
    for path in folder.glob(f"{FILE}*"):
        path.unlink()
    store = Store(folder)
    try:
        for number, (sample, reply) in enumerate(zip(given.samples, given.replies, strict=True)):
            parts = [part for part in map(_found, sample.parts) if part]
            text = reply.question if reply is not None and reply.question else sample.question
            store.add_request(_key(number), sample.id, [*parts, {"text": text}], task.generation)
        store.commit()
    finally:
        store.close()


def _key(number: int) -> str:
    return f"reply {number}"


def _found(part: Part) -> dict[str, Any] | None:
    """Describe a picture or clip without opening it; None if its file is not there."""
    if isinstance(part, Text) or (isinstance(part.source, FileSource) and not part.source.path.exists()):
        return None
    shown = {"digest": None, "locator": part.source.locator()}
    if isinstance(part, Video):
        return {"video": part.source.label, **shown, "frames": plan_record(part.frames)}
    return {"image": part.source.label, **shown}


def _record_run(folder: Path, task: Task, name: str, convention: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``run.json``; replies that were scored before keep their first start and, if that scoring ended, its convention."""
    started = provenance.now()
    try:
        before = results.read_json(folder / "run.json")
        started = before["started"]
        if (folder / results.result_name()).exists():
            convention = before["convention"]
    except (ResultError, KeyError):
        pass
    record = {
        "schema": results.SCHEMA,
        "model": {"name": name, "fingerprint": keys.hash_of(["replies", name], 8), "kind": "replies"},
        "task": described(task),
        "convention": convention if convention in task.conventions else task.convention_named("official"),
        "prompt": "default",
        "generation": asdict(task.generation) | {"recorded": False},
        "kind": "generate",
        "control": "none",
        "seed": None,
        "limit": None,
        **provenance.surroundings(),
        "started": started,
        **about,
    }
    results.write_json(folder / "run.json", record)
    return record


def _record_scores(
    folder: Path,
    run: Mapping[str, Any],
    task: Task,
    names: Sequence[str],
    given: _Given,
    grades: Grades | None = None,
) -> dict[str, Result]:
    """Score by the run's own convention and by those asked for, and return all results by convention."""
    found: dict[str, Result] = {}
    for one in dict.fromkeys((str(run["convention"]), *names)):
        convention = convention_of(task, one)
        by_grades = grades if convention.judging else None
        who = None if run.get("judge") == EXTRACTED else _who(task, one, by_grades)
        suffix = results.suffix_of(run, one, who)
        judged = _by_run(convention, given, by_grades) if by_grades else ()

        rows = partial(_rows, convention, given, judged)
        (folder / results.result_name(suffix)).unlink(missing_ok=True)
        results.write_scores(folder / results.scores_name(suffix), rows)
        found[one] = aggregated(folder, run, task, one, judge=who)
        if by_grades:
            found[one] = mean_of_runs(found[one], convention, judged, by_grades)
        found[one].write()
    return found


def _rows(convention: Convention, given: _Given, judged: Sequence[Sequence[Scored]]) -> Iterator[Scored]:
    """The rows of a scoring: means over the runs of grades, or of the replies alone where there are none."""
    if convention.whole:
        texts = zip(given.samples, given.texts, strict=True)
        alone = score_many(convention, (Answered(sample, text, missing=text is None) for sample, text in texts))
    else:
        alone = (score_foreign(convention, *pair) for pair in zip(given.samples, given.replies, strict=True))
    scored = map(mean_row, zip(*judged, strict=True)) if judged else alone
    return (replace(row, keys=(_key(number),)) for number, row in enumerate(scored))


def _who(task: Task, name: str, grades: Grades | None) -> dict[str, Any] | None:
    """Who judges under a convention: whoever gave the grades, or what stands for a judge where there are none."""
    return grades.who if grades else without_judge(task, name)


def _by_run(convention: Convention, given: _Given, grades: Grades) -> list[list[Scored]]:
    """The rows of each run of grades."""
    rows = [
        score_graded(convention, sample, text, words, grades.runs)
        for sample, text, words in zip(given.samples, given.texts, grades.words, strict=True)
    ]
    return [list(run) for run in zip(*rows, strict=True)]


def score_foreign(convention: Convention, sample: Sample, reply: Reply | None) -> Scored:
    """Score one reply of a file; an answer that a judge has taken out of it counts where the convention knows such a step."""
    if reply is None or (reply.text is None and reply.extraction is None):
        return score_reply(convention, sample, None, missing=True)
    if reply.extraction is None or convention.extracted is None:
        return score_reply(convention, sample, reply.text, missing=reply.text is None)
    scored = score_reply(replace(convention, parse=convention.extracted), sample, reply.extraction)
    return replace(scored, reply=reply.extraction if reply.text is None else reply.text)
