"""How a run grows from 10^4 to 10^6 requests: throughput, memory, size of the store, time to score and to report.

Synthetic closed questions without pictures, asked of the constant model in several worker processes, so that what is measured is
planning, handing out, storing and scoring. Each size is a process of its own, and the board of its run another. The exponent says
how time grows with size: 1 is linear. Seconds are those of the clock; on a busy machine take the processor's (``_cpu_s``) beside
them, of which ``cpu_s`` are the whole run's, workers and start included. Memory is the peak so far, that of one process.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.bench.process import measured, peak_mib
from harness.progress import Progress
from harness.types import Parsed, Record, Sample, Text

if TYPE_CHECKING:
    from harness.task import Task

LINEAR = 1.1
"""The largest exponent that counts as linear."""

MEMORY = ("generate_mib", "score_mib", "report_mib")
GROWING = ("generate_s", "score_s", "report_s", "cpu_s", "score_cpu_s", "report_cpu_s", *MEMORY, "store_mib")


def bench_scale(n: int = 1_000_000, workers: int = 2) -> list[dict[str, Any]]:
    """Return a row a size (a hundredth of ``n``, a tenth, all) and one with the exponents of growth between them."""
    with tempfile.TemporaryDirectory(prefix="riddle-scale-") as folder:
        rows = [_measured(Path(folder, str(size)), size, workers) for size in (max(n // 100, 1), max(n // 10, 1), n)]
    exponents = {name: round(exponent([row["requests"] for row in rows], [row[name] for row in rows]), 3) for name in GROWING}
    return [*rows, {"name": "exponent", **exponents, "ok": max(exponents.values()) <= LINEAR}]


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return b of the least-squares fit of log(value) = a + b log(size); nan for fewer than two sizes."""
    xs, ys = [math.log(size) for size in sizes], [math.log(max(value, 1e-9)) for value in values]
    x, y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    spread = math.fsum((one - x) ** 2 for one in xs)
    return math.fsum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / spread if spread else math.nan


def _measured(folder: Path, n: int, workers: int) -> dict[str, Any]:
    folder.mkdir()
    write_questions(folder / "questions.jsonl", n)
    run = measured(["-m", "harness.bench.scale", str(folder), str(workers)], f'"n": {n}')
    told: Mapping[str, Any] = json.loads(run.said.splitlines()[-1])
    words = ["-m", "harness.cli", "report", f"runs={folder / 'runs'}", f"out={folder / 'board'}", "samples=false"]
    report = measured([*words, "output=json"], '"ok": true')
    report_row = {"report_s": report.wall_s, "report_cpu_s": report.cpu_s, "report_mib": report.peak_mib}
    row = {**told["phases"], "cpu_s": run.cpu_s, **report_row}
    return {
        "name": f"{n} requests, {workers} workers",
        "requests": n,
        "per_s": round(n / row["generate_s"], 1),
        **{name: round(row[name], 2) for name in GROWING if name in row},
        "store_mib": told["store_mib"],
    }


def write_questions(path: Path, n: int) -> None:
    """Write ``n`` questions that all differ."""
    with path.open("w", encoding="ascii") as file:
        for i in range(n):
            file.write(json.dumps({"id": i, "question": f"Is {i * 7919 % n} a number?", "answer": "AB"[i % 2]}) + "\n")


def scale_task() -> Task:
    """A benchmark of closed questions without pictures."""
    from harness.data.sources import layout
    from harness.metrics.aggregate import Metric, mean
    from harness.task import Card, Convention, Task

    words = dict.fromkeys(("title", "asks", "split", "paper", "data", "scorer", "licence"), "")
    metrics = (Metric(name="accuracy", estimator=mean("correct")),)
    return Task(
        name="scale",
        card=Card(**{**words, "title": "Scale"}, n=0),
        layouts=(layout("jsonl", "questions.jsonl"),),
        to_sample=_sample,
        prompt=lambda sample: f"{sample.question} Answer A or B.",
        conventions={"official": Convention(parse=_parse, score=_score, metrics=metrics, primary="accuracy")},
        ideal=lambda sample: sample.references[0],
    )


def _sample(record: Record) -> Sample:
    return Sample(
        id=str(record["id"]), parts=(Text(record["question"]),), question=record["question"], references=(record["answer"],)
    )


def _parse(reply: str, sample: Sample) -> Parsed:
    return Parsed(reply) if reply in ("A", "B") else Parsed(None, "no letter")


def _score(parsed: Parsed, sample: Sample) -> dict[str, float]:
    return {"correct": float(parsed.answer in sample.references)}


@dataclass
class _Phases(Progress):
    """Notes what each phase took of this process: seconds, processor seconds, and the peak of memory at its end."""

    taken: dict[str, float] = field(default_factory=dict)
    _begun: tuple[float, float] = (0.0, 0.0)

    def begin(self, phase: str, total: int = 0) -> Self:
        """End the phase before and start another."""
        self.end()
        self._begun = (time.perf_counter(), time.process_time())
        return super().begin(phase, total)

    def end(self) -> None:
        """Note what the phase that has begun took."""
        name, (wall, cpu) = self.phase.partition(" ")[0], self._begun
        if name:
            self.taken[f"{name}_s"] = time.perf_counter() - wall
            self.taken[f"{name}_cpu_s"] = time.process_time() - cpu
            self.taken[f"{name}_mib"] = peak_mib(resource.getrusage(resource.RUSAGE_SELF))


def _child(folder: Path, workers: int) -> None:
    """Evaluate the questions in ``folder``; what the parent measures."""
    from harness.commands.rooms import CONSTANT
    from harness.engine.crew import Crew
    from harness.engine.processes import Processes
    from harness.engine.worker import Order
    from harness.run import evaluate
    from harness.store import FILE

    phases = _Phases()
    with Crew(Processes(Order(model={"_target_": CONSTANT, "reply": "A"})), workers, chunk=64) as crew:
        result = evaluate(scale_task(), crew, folder / "questions.jsonl", runs=folder / "runs", progress=phases)
    phases.end()
    store_mib = round((result.folder / FILE).stat().st_size / (1 << 20), 2)
    sys.stdout.write(json.dumps({"n": result.n, "phases": phases.taken, "store_mib": store_mib}) + "\n")


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]))
