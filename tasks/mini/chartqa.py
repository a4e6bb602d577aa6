"""ChartQA in small: which bar is the highest or lowest (as people ask), and what value a bar has (as the program asks)."""

from __future__ import annotations

import json
from pathlib import Path

from harness.world import Chart, Dice
from tasks.mini.draws import encoded, worlds
from tasks.mini.findings import extremes
from tasks.mini.sizes import Size
from tasks.mini.wordings import wording


def write(folder: Path, seed: int, size: Size) -> None:
    """Write the questions below ``folder``; both files are the parts."""
    (folder / "test" / "png").mkdir(parents=True)
    dice = Dice("chartqa", seed, "eval")
    values = ((chart, "value", dice.pick(chart.bars)) for chart in worlds(Chart, "chart", "chartqa/value", seed))
    best = ((chart, kind, bar) for chart, kind, bar, _ in extremes("chartqa/extreme", seed))
    for part, stream, wanted in zip(("human", "augmented"), (best, values), size.split((1, 1)), strict=True):
        records = []
        for number in range(wanted):
            chart, kind, bar = next(stream)
            name = f"{part}_{number}.png"
            (folder / "test" / "png" / name).write_bytes(encoded(chart.image))
            label = str(bar.value) if kind == "value" else bar.name
            records.append({"imgname": name, "query": wording(f"chartqa/{kind}", name=bar.name), "label": label})
        (folder / "test" / f"test_{part}.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
