"""What tracing the routing costs: the engine on the mini suite with and without it, in turns, in CPU seconds.

Not here: the engine against others (``bench``), whose prompts and clock these are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, get_args

import torch

from harness.types import Request
from models.sphinx_x import checkpoint
from models.sphinx_x.bench.generate import TASKS, mini_requests
from models.sphinx_x.bench.meter import Meter
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.inference.routing import Detail
from models.sphinx_x.plugin import weights_folder

AIM = 0.10
"""Share of the time without traces that counting may add."""


def bench_routing(n: int = 40, rounds: int = 3, weights: str = "nano_moe", tasks: Sequence[str] = TASKS) -> list[dict[str, Any]]:
    """Return a row for no traces, counts, and every token's choices; counts are ``ok`` below 10 % with the same replies.

    Args:
        n: questions of each benchmark.
        rounds: how often everything is measured; the median counts, each time with a new engine.
        weights: of a sparse model.
        tasks: which mini benchmarks.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
            return _rows(weights, list(mini_requests(Path(folder), n, tasks)), rounds)
    finally:
        torch.set_num_threads(threads)


def _rows(weights: str, requests: Sequence[Request], rounds: int) -> list[dict[str, Any]]:
    details: tuple[Detail, ...] = get_args(Detail)
    seconds: dict[str, list[float]] = {detail: [] for detail in details}
    said: dict[str, dict[str, str]] = {}
    sizes: dict[str, int] = {}
    for number in range(rounds + 1):
        for detail in details:
            model, tokenizer = checkpoint.load(weights_folder(weights))  # anew, since a traced model keeps its hooks
            engine = Engine(model, tokenizer, EngineOptions(threads=0, trace_routing=detail))
            responses, took = Meter(torch.device("cpu")).timed(lambda engine=engine: list(engine.generate(requests)))  # type: ignore[misc]
            if number:  # the first round warms up
                seconds[detail].append(took)
            said[detail] = {response.key: response.text for response in responses}
            sizes[detail] = sum(len(trace) for response in responses for trace in response.traces.values())
    base = median(seconds["none"])
    rows: list[dict[str, Any]] = []
    for detail in details:
        overhead = median(seconds[detail]) / base - 1
        row = {"name": f"traces: {detail}", "n": len(requests), "cpu_s": median(seconds[detail]), "overhead": overhead}
        same = sum(said["none"][key] == text for key, text in said[detail].items())
        aim = {"ok": overhead < AIM and same == len(requests)} if detail == "counts" else {}
        rows.append({**row, "bytes_a_request": sizes[detail] / len(requests), "replies_equal": same, **aim})
    return rows
