"""The bench of the engine: whole processes are measured, beside the peers and against the aims."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from harness.bench.engine import PEERS, SIDE_PX, Decoder, bench_engine, write_items
from harness.bench.engine import _measured as measured
from harness.bench.engine import _task as task
from harness.data.media import open_image
from harness.errors import HarnessError
from harness.plan import Settings
from harness.run import evaluate
from harness.types import FileSource


def test_rows_stand_beside_the_peers_with_a_verdict() -> None:
    rows = bench_engine(items=20, sizes=(10, 20))
    assert [row["name"] for row in rows[1 : 1 + len(PEERS)]] == [f"{name} (2000 items)" for name, *_ in PEERS]
    own = [row for row in rows if "cpu_s" in row]
    assert [row["items"] for row in own] == [20, 10, 20]
    assert all(row["items_per_cpu_s"] > 0 and row["peak_mib"] > 10 for row in own)
    assert own[0]["ok"] is False, "20 items do not pay for the start"
    assert "ok" not in own[1] and isinstance(own[2]["ok"], bool)


def test_the_load_is_that_of_the_peers(tmp_path: Path) -> None:
    data = write_items(tmp_path / "data", 4, side=SIDE_PX, pictures=4)
    sizes = [path.stat().st_size for path in (data / "images").iterdir()]
    assert 68_000 < sum(sizes) / len(sizes) < 74_000
    assert open_image(FileSource(data / "images/0.png")).size == (224, 224)


def test_a_process_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="DatasetError"):
        measured(tmp_path, "nothing", 1)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    def peak(n: int, turn: int) -> int:
        data = write_items(tmp_path / f"{n}-{turn}", n, side=8, pictures=100)
        tracemalloc.start()
        evaluate(task(), Decoder(), data, Settings(), tmp_path / f"runs-{n}-{turn}")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100, 0)  # imports
    # The least of two: now and then the interpreter makes its table of names anew, 2 MB that are nobody's.
    few, many = (min(peak(n, turn) for turn in range(2)) for n in (4_500, 9_000))  # both above the size of a row group
    assert many - few < 100 * 4_500, "a few bytes a sample: the columns that metrics are computed from"
