"""How long a board of many runs takes, and how much memory: ``riddle bench report``.

Synthetic runs are written first (scores of their own, the same stored responses behind all of them), then the board is built from
them in a process of its own, without pages of samples. The aim is 100 models on 40 benchmarks with 1,000 samples each in a
minute and 2 GiB; a smaller board has its share of the minute. Processor seconds count (one thread), so that other work on the
machine hardly matters.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.results import result_name, scores_name
from harness.store import FILE, Store
from harness.types import Generation, Response

AIM_SECONDS, AIM_MIB, AIM_RUNS = 60.0, 2048.0, 4000

_CHILD = """
import json, resource, sys, time
from pathlib import Path
start, used = time.perf_counter(), time.process_time()
from reports.leaderboard import build_leaderboard
result = build_leaderboard(Path(sys.argv[1]), Path(sys.argv[2]), samples=False)
seconds, cpu = time.perf_counter() - start, time.process_time() - used
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
page = result.index.stat().st_size / (1 << 20)
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak, "page_mib": page, "numbers": len(result.rows)}))
"""


def bench_report(models: int = 100, benchmarks: int = 40, samples: int = 1000, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Write synthetic runs into a temporary folder and measure the board of them.

    Args:
        models: rows of the board.
        benchmarks: its columns.
        samples: of each run.
        seed: decides the scores.
    """
    with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
        runs, out = Path(folder) / "runs", Path(folder) / "out"
        write_runs(runs, models=models, benchmarks=benchmarks, samples=samples, seed=seed)
        done = subprocess.run([sys.executable, "-c", _CHILD, str(runs), str(out)], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    share = max(0.1, models * benchmarks / AIM_RUNS * samples / 1000)  # starting Python and its packages is no share
    yield {
        "name": f"{models} models x {benchmarks} benchmarks x {samples} samples",
        **measured,
        "aim_seconds": AIM_SECONDS * share,
        "aim_mib": AIM_MIB,
        "ok": measured["cpu_seconds"] <= AIM_SECONDS * share and measured["peak_mib"] <= AIM_MIB,
    }


def write_runs(root: Path, *, models: int, benchmarks: int, samples: int, seed: int = 0) -> None:
    """Write finished runs of made-up models on made-up benchmarks: right or wrong, four samples a cluster, some unparsed."""
    import numpy as np

    random = np.random.default_rng(seed)
    _write_store(root, samples)
    for place in range(benchmarks):
        hard = random.uniform(-1, 1, samples)
        for model in range(models):
            folder = root / f"model{model:02}/task{place:02}@bench/0"
            folder.mkdir(parents=True)
            os.link(root / FILE, folder / FILE)
            right = (hard + random.normal(2 * model / models - 1, 1, samples) > 0).astype(np.float64)
            _write_run(folder, f"model{model:02}", f"task{place:02}", right)


def _write_store(folder: Path, samples: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder)
    for sample in range(samples):
        store.plan(sample, str(sample), f"k{sample}")
        store.add_request(f"k{sample}", str(sample), [{"text": f"Question {sample}?\nA. yes\nB. no"}], Generation())
        store.put(Response(key=f"k{sample}", text="A", prompt_tokens=300, completion_tokens=1))
    store.close()


def _write_run(folder: Path, model: str, task: str, right: Any) -> None:
    from harness.columns import booleans, floats, string_lists, strings

    n = len(right)
    unparsed = [None if sample % 50 else "no option named" for sample in range(n)]
    columns = {
        "sample_id": strings([str(sample) for sample in range(n)]),
        "cluster": strings([str(sample // 4) for sample in range(n)]),
        "reply": strings([f"The answer is {'AB'[int(one)]}." for one in right]),
        "prediction": strings([f'"{"AB"[int(one)]}"' for one in right]),
        "reason": strings(unparsed),
        "failed": strings([None] * n),
        "missing": booleans([False] * n),
        "truncated": booleans([False] * n),
        "references": string_lists([["B"]] * n),
        "keys": string_lists([[f"k{sample}"] for sample in range(n)]),
        "score.correct": floats([float(one) for one in right]),
        "group.category": strings([f"category {sample % 10}" for sample in range(n)]),
    }
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), folder / scores_name(), compression="zstd")
    counts = {"failed": 0, "unparsed": sum(reason is not None for reason in unparsed), "missing": 0, "truncated": 0, "reused": 0}
    result = {"schema": 1, "n": n, **counts, "convention": "official", "primary": "accuracy", "metrics": _metrics(right)}
    (folder / result_name()).write_text(json.dumps(result))
    (folder / "run.json").write_text(json.dumps(_about(model, task, n)))
    (folder / "timings.json").write_text(json.dumps({"schema": 1, "sessions": [{"seconds": {"generate": 9.5}, "asked": n}]}))


def _metrics(right: Any) -> list[dict[str, Any]]:
    """The mean with its clustered error, and the same for ten categories."""
    import numpy as np

    clusters = -(-len(right) // 4)
    sums = np.bincount(np.arange(len(right)) // 4, weights=right - right.mean(), minlength=clusters)
    se = math.sqrt(clusters / (clusters - 1) * float((sums**2).sum())) / len(right)
    value = float(right.mean())
    whole = {"value": value, "se": se, "low": value - 2 * se, "high": value + 2 * se, "n": len(right), "clusters": clusters}
    names = ["accuracy", *(f"accuracy/category {number}" for number in range(10))]
    return [{"name": name, "unit": "percent", "method": "t", **whole} for name in names]


def _about(model: str, task: str, n: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": {"name": model, "fingerprint": model * 4, "kind": "model"},
        "task": {
            "name": task,
            "version": 1,
            "title": task.title(),
            "unit": "percent",
            "higher_is_better": True,
            "card": {"asks": "?"},
        },
        "data": {"name": "bench", "layout": "official", "fingerprint": "d" * 16, "n": n},
        "convention": "official",
        "prompt": "default",
        "generation": {"max_new_tokens": 16, "temperature": 0.0},
        "control": "none",
        "seed": 0,
        "config": {"model": {"name": model}, "suite": {"name": "bench"}},
        "started": "2026-01-01T00:00:00+00:00",
    }
