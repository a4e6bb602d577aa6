"""How a run grows from 10^4 to 10^6 requests: throughput, memory, size of the store, time to score and to report.

Synthetic closed questions without pictures, asked of the constant model in several worker processes, so that what is measured is
planning, handing out, storing and scoring. Each size is a process of its own, and the board of its run another. The exponent says
how time grows with size: 1 is linear. Seconds are those of the clock; on a busy machine take the processor's beside them.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.process import measured
from harness.types import Parsed, Record, Sample, Text

if TYPE_CHECKING:
    from harness.task import Task

LINEAR = 1.1
"""The largest exponent that counts as linear."""

GROWING = ("generate_s", "score_s", "report_s", "cpu_s", "peak_mib", "store_mib")


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
    return {
        "name": f"{n} requests, {workers} workers",
        "requests": n,
        "per_s": round(n / told["generate_s"], 1),
        "generate_s": told["generate_s"],
        "score_s": told["score_s"],
        "report_s": round(report.wall_s, 2),
        "cpu_s": round(run.cpu_s, 1),
        "peak_mib": round(run.peak_mib, 1),
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


def _child(folder: Path, workers: int) -> None:
    """Evaluate the questions in ``folder``; what the parent measures."""
    from harness.commands.rooms import CONSTANT
    from harness.engine.crew import Crew
    from harness.engine.processes import Processes
    from harness.engine.worker import Order
    from harness.results import read_json
    from harness.run import evaluate
    from harness.store import FILE

    with Crew(Processes(Order(model={"_target_": CONSTANT, "reply": "A"})), workers, chunk=64) as crew:
        result = evaluate(scale_task(), crew, folder / "questions.jsonl", runs=folder / "runs")
    seconds = read_json(result.folder / "timings.json")["sessions"][-1]["seconds"]
    store_mib = round((result.folder / FILE).stat().st_size / (1 << 20), 2)
    told = {"n": result.n, "generate_s": seconds["generate"], "score_s": seconds["score"], "store_mib": store_mib}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]))
