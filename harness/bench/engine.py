"""What the engine costs beside the model: items per CPU second and memory, start-up included, and how both grow.

The load is that of the measured peers: multiple-choice items, each with a 224 px picture of noise (about 70 kB as PNG), asked
of a model that decodes the picture and always says the same. Every run is a process of its own, and its CPU time and peak
memory are what the system says of it at its end. Peers' figures were measured on one core of a 2-core machine without a GPU
(lmms-eval 0.7.3, ms-vlmeval 0.0.20, inspect-ai 0.3.285; Python 3.11), once each but inspect; compare orders of magnitude.
"""

from __future__ import annotations

import itertools
import json
import random
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.bench.process import measured
from harness.model import Capabilities
from harness.types import FileSource, Image, Parsed, Record, Request, Response, Sample

if TYPE_CHECKING:
    from harness.task import Task

ITEMS = 2000
SIDE_PX = 224
FLOOR, CEILING_MIB = 200.0, 250.0
"""The aim: at least so many items per CPU second, in at most so much memory."""

GROWTH = 1.35
"""The largest run may take so many times the memory and the time an item of the smaller ones."""

PEERS = (("lmms-eval", 55.9, 801.0), ("VLMEvalKit", 49.5, 1389.0), ("inspect_ai", 26.1, 229.0))
"""Items per CPU second and peak MiB of the same load."""


class Decoder:
    """Decodes every picture and answers A."""

    name = "decoder"
    fingerprint = "decoder-1"
    capabilities = Capabilities()

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        """Yield the reply to each request once its picture is decoded."""
        from harness.data.media import open_image

        for request in requests:
            for part in request.parts:
                if isinstance(part, Image):
                    open_image(part.source)
            yield Response(key=request.key, text="A")


def bench_engine(items: int = ITEMS, sizes: Sequence[int] = (1_000, 10_000, 100_000)) -> list[dict[str, Any]]:
    """Return a row a run: items per CPU second, CPU seconds, peak memory, beside the peers' and the aims.

    Args:
        items: size of the run with large pictures.
        sizes: numbers of items of the runs with tiny pictures, which show growth.
    """
    with tempfile.TemporaryDirectory(prefix="riddle-bench-") as folder:
        root = Path(folder)
        main = _measured(
            write_items(root / "noise", items, side=SIDE_PX, pictures=items), f"{items} items, {SIDE_PX} px noise", items
        )
        main |= {"ok": main["items_per_cpu_s"] >= FLOOR and main["peak_mib"] <= CEILING_MIB}
        peers = [{"name": f"{name} (2000 items)", "items_per_cpu_s": rate, "peak_mib": peak} for name, rate, peak in PEERS]
        growth = [_measured(write_items(root / str(n), n, side=8, pictures=min(n, 1000)), f"{n} small items", n) for n in sizes]
    for smaller, larger in itertools.pairwise(growth):
        linear = larger["cpu_s"] <= GROWTH * smaller["cpu_s"] * larger["items"] / smaller["items"]
        larger["ok"] = linear and larger["peak_mib"] <= GROWTH * growth[0]["peak_mib"]
    return [main, *peers, *growth]


def write_items(folder: Path, n: int, *, side: int, pictures: int) -> Path:
    """Write ``items.jsonl`` and PNG files of seeded noise in nine levels a channel (71 kB at 224 px)."""
    (folder / "images").mkdir(parents=True)
    draw = random.Random(0)
    keep = bytes(value * 9 // 256 * 28 for value in range(256))
    for i in range(pictures):
        rows = b"".join(b"\0" + draw.randbytes(3 * side).translate(keep) for _ in range(side))
        (folder / f"images/{i}.png").write_bytes(_png(rows, side))
    with (folder / "items.jsonl").open("w", encoding="ascii") as file:
        for i in range(n):
            options = [f"option {draw.randrange(1000)}" for _ in range(4)]
            row = {"id": i, "image": f"{i % pictures}.png", "question": f"Which one is number {i}?", "options": options}
            file.write(json.dumps({**row, "answer": draw.choice("ABCD")}) + "\n")
    return folder


def _png(rows: bytes, side: int) -> bytes:
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _measured(data: Path, name: str, items: int) -> dict[str, Any]:
    """Evaluate in a process of its own. Raises `HarnessError` with what it wrote if it fails."""
    taken = measured(["-m", "harness.bench.engine", str(data)], f"n={items}")
    return {"name": name, "items": items, "items_per_cpu_s": round(items / taken.cpu_s, 1), **taken.row()}


def _task() -> Task:
    from harness.data.sources import layout
    from harness.metrics.aggregate import Metric, mean
    from harness.task import Card, Convention, Task

    words = dict.fromkeys(("title", "asks", "split", "paper", "data", "scorer", "licence"), "")
    metrics = (Metric(name="accuracy", estimator=mean("correct")),)
    return Task(
        name="bench",
        card=Card(**words, n=0),
        layouts=(
            layout("jsonl", "items.jsonl", steps=(lambda row, root: row.but(image=FileSource(root / "images" / row["image"])),)),
        ),
        to_sample=_sample,
        prompt=lambda sample: "\n".join((sample.question, *sample.options)) + "\nAnswer with the letter.",
        conventions={"official": Convention(parse=_parse, score=_score, metrics=metrics, primary="accuracy")},
        ideal=lambda sample: sample.references[0],
        choices=lambda sample: ("A", "B", "C", "D"),
    )


def _sample(record: Record) -> Sample:
    return Sample(
        id=str(record["id"]),
        parts=(Image(record["image"]),),
        question=record["question"],
        options=tuple(f"{letter}. {option}" for letter, option in zip("ABCD", record["options"], strict=True)),
        references=(record["answer"],),
        cluster=record["image"].path.name,
    )


def _parse(reply: str, sample: Sample) -> Parsed:
    return Parsed(reply) if reply in ("A", "B", "C", "D") else Parsed(None, "no letter")


def _score(parsed: Parsed, sample: Sample) -> dict[str, float]:
    return {"correct": float(parsed.answer in sample.references)}


def _child(data: Path) -> None:
    """Evaluate the items in ``data``; what the parent measures."""
    from harness.progress import progress_on
    from harness.run import evaluate

    result = evaluate(_task(), Decoder(), data, runs=data.parent / f"{data.name}-runs", progress=progress_on(sys.stderr, "bench"))
    sys.stdout.write(f"n={result.n}\n")


if __name__ == "__main__":
    _child(Path(sys.argv[1]))
