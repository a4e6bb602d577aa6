"""A small benchmark on disk and models that misbehave on demand, for the tests of the engine."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.data.sources import layout
from harness.metrics.aggregate import Metric, mean
from harness.model import Capabilities
from harness.task import Card, Convention, Task
from harness.types import FileSource, Image, Parsed, Record, Request, Response, Sample

CARD = Card(title="Toy", asks="a letter", split="test", n=0, paper="", data="", scorer="", licence="CC0")


def png(value: int, side: int = 2, claims: int | None = None) -> bytes:
    """A grey PNG whose bytes depend on ``value``; its header may claim another number of rows and columns than it has."""
    row = b"\0" + bytes([value % 256]) * side
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", claims or side, claims or side, 8, 0, 0, 0, 0)),
        (b"tEXt", b"n\0" + str(value).encode()),
        (b"IDAT", zlib.compress(row * side)),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def write_toy(folder: Path, n: int = 20, pictures: int | None = None) -> Path:
    """Write ``toy.jsonl`` and its pictures; the answers go A, B, A, B."""
    (folder / "images").mkdir(parents=True)
    pictures = n if pictures is None else pictures
    for i in range(pictures):
        (folder / f"images/{i}.png").write_bytes(png(i))
    rows = [
        {"id": i, "image": f"images/{i % pictures}.png", "question": f"Question {i}?", "answer": "AB"[i % 2]} for i in range(n)
    ]
    (folder / "toy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _adapt(row: Record, root: Path) -> Record:
    return {**row, "image": FileSource(root / row["image"])}


def _sample(record: Record) -> Sample:
    return Sample(
        id=f"toy-{record['id']}",
        parts=(Image(record["image"]),),
        question=record["question"],
        options=("A", "B"),
        references=(record["answer"],),
        cluster=record["image"].path.name,
        groups={"parity": str(record["id"] % 2)},
    )


def _parse(reply: str, sample: Sample) -> Parsed:
    word = reply.strip()[:1]
    return Parsed(word) if word in ("A", "B") else Parsed(None, "no letter")


def _score(parsed: Parsed, sample: Sample) -> dict[str, float]:
    return {"correct": float(parsed.answer in sample.references)}


def _lenient(reply: str, sample: Sample) -> Parsed:
    return Parsed("A" if "a" in reply.lower() else "B")


METRICS = (Metric(name="accuracy", estimator=mean("correct")), Metric(name="accuracy", estimator=mean("correct"), by="parity"))


def toy_task(**changes: object) -> Task:
    """A task over `write_toy` with two conventions."""
    values: dict[str, object] = {
        "name": "toy",
        "card": CARD,
        "layouts": (layout("official", "toy.jsonl", steps=(_adapt,)),),
        "to_sample": _sample,
        "prompt": lambda sample: f"{sample.question} Answer A or B.",
        "prompts": {"short": lambda sample: sample.question},
        "conventions": {
            "official": Convention(parse=_parse, score=_score, metrics=METRICS, primary="accuracy"),
            "lenient": Convention(parse=_lenient, score=_score, metrics=METRICS, primary="accuracy", note="any a is A"),
        },
        "ideal": lambda sample: sample.references[0],
        "choices": lambda sample: ("A", "B"),
        **changes,
    }
    return Task(**values)  # type: ignore[arg-type]


Answer = Callable[[Request], object]


class FakeModel:
    """Answers with a function of the request and remembers what it was asked; ``batch`` pulls so many before it answers."""

    def __init__(self, answer: Answer | None = None, *, batch: int = 1, fingerprint: str = "fake-1", name: str = "fake") -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.capabilities = Capabilities(images=True, several_images=True, video=True)
        self.answer = answer or (lambda request: "A")
        self.batch = batch
        self.asked: list[str] = []
        self.requests: list[Request] = []
        self.most_waiting = 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Response]:
        waiting: list[Request] = []
        for request in requests:
            self.asked.append(request.sample_id)
            self.requests.append(request)
            waiting.append(request)
            if len(waiting) == self.batch:
                yield from self._flush(waiting)
        yield from self._flush(waiting)

    def _flush(self, waiting: list[Request]) -> Iterator[Response]:
        self.most_waiting = max(self.most_waiting, len(waiting))
        batch, waiting[:] = list(waiting), []
        answers = [(request, self.answer(request)) for request in batch]
        for request, answer in answers:
            yield answer if not isinstance(answer, str) else Response(key=request.key, text=answer)  # type: ignore[misc]
