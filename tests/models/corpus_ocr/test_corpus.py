"""The whole corpus: the same bytes however many workers and however often it was killed, and every bad file with its reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pymupdf")

from harness.data.tables import read_jsonl
from harness.errors import ConfigError, DatasetError, RunStopped
from harness.store import RunLock
from models.sphinx_x.corpus.ocr.config import OcrConfig, PageConfig
from models.sphinx_x.corpus.ocr.make import make_ocr
from models.sphinx_x.corpus.ocr.pool import Lost, run_jobs
from models.sphinx_x.corpus.records import read_conversations
from tests.models.corpus_ocr import pdfs

ROOT = Path(__file__).parents[3]
PAGE = PageConfig(dpi=60, format="jpeg")


def config(tmp_path: Path, out: str = "out", workers: int = 1, shard: int = 4) -> OcrConfig:
    return OcrConfig(pdfs=(tmp_path / "pdfs",), out=tmp_path / out, page=PAGE, workers=workers, shard=shard)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_file_is_accounted_for_and_conversations_come_in_order_of_names(tmp_path: Path) -> None:
    pdfs.write_all(tmp_path / "pdfs")
    [row] = make_ocr(config(tmp_path))
    assert row["pdfs"] == 11 and row["kept"] == 9 and row["pages_per_s"] > 0
    manifest = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert {one["pdf"]: one["skipped"] for one in manifest if "skipped" in one} == {
        "cut.pdf": "damaged or no PDF",
        "empty.pdf": "damaged or no PDF",
        "locked.pdf": "encrypted",
        "noise.pdf": "damaged or no PDF",
    }
    assert {one["pdf"]: one["dropped"] for one in manifest if "dropped" in one} == {
        "blank.pdf": {"empty page": [1]},
        "russian.pdf": {"other script": [1]},
        "scan.pdf": {"scanned page without text": [1], "mostly figures": [2]},
    }
    shards = sorted((tmp_path / "out").glob("conversations-*.jsonl"))
    told = [one for shard in shards for one in read_conversations(shard)]
    assert [path.name for path in shards] == [f"conversations-{n:05}.jsonl" for n in range(3)]
    assert [one.id for one in told] == sorted(one.id for one in told) and len(told) == 9
    layouts = [row for n in range(3) for row in read_jsonl(tmp_path / "out" / f"layouts-{n:05}.jsonl")]
    assert [one["image"] for one in layouts] == [one.image for one in told]
    assert {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out" / "pages").rglob("*.jpg")} == {
        one.image for one in told
    }
    assert not (tmp_path / "out" / "work").exists()
    first = tree(tmp_path / "out")
    [again] = make_ocr(config(tmp_path))
    assert tree(tmp_path / "out") == first and again["kept"] == 9 and again["pages_per_s"] == 0


def test_another_corpus_in_the_folder_a_second_process_and_a_damaged_journal_are_errors(tmp_path: Path) -> None:
    (tmp_path / "pdfs").mkdir()
    with pytest.raises(ConfigError, match=r"no file that ends in \.pdf"):
        make_ocr(config(tmp_path))
    pdfs.plain(1, 1).save(tmp_path / "pdfs" / "a.pdf")
    work = tmp_path / "out" / "work"
    work.mkdir(parents=True)
    with RunLock(work), pytest.raises(RunStopped, match="is working on"):
        make_ocr(config(tmp_path))
    (work / "journal.jsonl").write_text("no json\n")
    with pytest.raises(DatasetError, match="damaged journal"):
        make_ocr(config(tmp_path))
    (work / "journal.jsonl").write_text('{"key": "cut o')
    assert make_ocr(config(tmp_path))[0]["kept"] == 1
    pdfs.plain(1, 1).save(tmp_path / "pdfs" / "b.pdf")
    with pytest.raises(ConfigError, match=r"differs in shard, the list of PDFs; .*ocr\.out="):
        make_ocr(config(tmp_path, shard=5))


def test_a_worker_that_hangs_or_dies_costs_its_job_only() -> None:
    jobs = ["a", "hang", "die", "b", "leave", "steps", "c"]
    ended = dict(run_jobs(pdfs.misbehave, jobs, workers=2, limit_s=2.5))
    assert set(ended) == set(jobs)
    assert {job: result.reason for job, result in ended.items() if isinstance(result, Lost)} == {
        "hang": "took too long",
        "die": "crashed the parser",
        "leave": "crashed the parser",
    }


def test_jobs_are_taken_only_when_a_worker_is_free() -> None:
    taken: list[int] = []

    def jobs() -> object:
        for number in range(20):
            taken.append(number)
            yield str(number)

    finished = run_jobs(pdfs.misbehave, jobs(), workers=1, limit_s=20)  # type: ignore[arg-type]
    for number, _ in enumerate(finished, start=1):
        assert len(taken) <= number
        if number == 5:
            finished.close()  # type: ignore[attr-defined]
            break


COMMAND = (
    "import sys; sys.path.insert(0, {root!r})\n"
    "from pathlib import Path\n"
    "from models.sphinx_x.corpus.ocr.config import OcrConfig, PageConfig\n"
    "from models.sphinx_x.corpus.ocr.make import make_ocr\n"
    "if __name__ == '__main__':\n"
    "    page = PageConfig(dpi=60, format='jpeg')\n"
    "    make_ocr(OcrConfig(pdfs=(Path({pdfs!r}),), out=Path({out!r}), page=page, workers=2, shard=4))\n"
)


@pytest.mark.slow
def test_a_corpus_killed_again_and_again_has_the_same_bytes_as_one_made_in_peace(tmp_path: Path) -> None:
    pdfs.write_all(tmp_path / "pdfs")
    for number in range(12):
        pdfs.plain(20 + number, 3).save(tmp_path / "pdfs" / f"more {number}.pdf")
    make_ocr(config(tmp_path, "peace"))
    script, kills = tmp_path / "make.py", 0
    script.write_text(COMMAND.format(root=str(ROOT), pdfs=str(tmp_path / "pdfs"), out=str(tmp_path / "war")))
    for attempt in range(60):
        process = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
        time.sleep(1.0 + 0.13 * attempt)
        if process.poll() is None:
            kills += 1
            (os.kill if attempt % 2 else os.killpg)(process.pid, signal.SIGKILL)  # in turn with and without its workers
        if process.wait() == 0:
            break
    assert process.returncode == 0 and kills > 2
    assert tree(tmp_path / "war") == tree(tmp_path / "peace")
