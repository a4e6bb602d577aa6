"""Loading a checkpoint takes little more memory than the model itself; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from models.sphinx_x.official.layout import LAYOUTS
from tests.models.official_specimens import DENSE, layouts_are, official_folder, random_model, small_layout

BACKBONE = replace(DENSE, vocab=16000, width=512, layers=10, heads=8, kv_heads=8, ffn=1536)
"""About 50 million weights."""

MEASURE = r"""
import re, sys
from pathlib import Path
from models.sphinx_x.official import layout
from models.sphinx_x.official.convert import convert, load_official
from tests.models.official_specimens import small_layout
own = {name: small_layout(name) for name in layout.LAYOUTS.values()}
layout.find_variant = own.get
def memory(kind):
    return int(re.search(kind + r":\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = memory("VmRSS")
if sys.argv[2] == "load":
    load_official([Path(sys.argv[1])])
else:
    convert([Path(sys.argv[1])], Path(sys.argv[3]), sys.argv[2], shards=4, max_shard_mb=20)
print(memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is measured on Linux")
@pytest.mark.parametrize(("what", "share"), [("load", 1.5), ("riddle", 0.75), ("official", 0.9)])
def test_the_peak_stays_near_the_models_size(what: str, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts_are(monkeypatch, *(small_layout(name) for name in LAYOUTS.values()))
    model = random_model(small_layout("sphinx_tiny_1k", BACKBONE))
    size = sum(parameter.nbytes for parameter in model.parameters()) / 2**20
    assert size > 150
    folder = official_folder(tmp_path / "a", model, 2)
    command = [sys.executable, "-c", MEASURE, str(folder), what, str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    peak = float(done.stdout.split()[-1])
    assert peak < share * size, f"{what}: {peak:.0f} MB more for a model of {size:.0f} MB"
    sys.stderr.write(f"{what}: peak {peak:.0f} MB over what was there, model {size:.0f} MB\n")
