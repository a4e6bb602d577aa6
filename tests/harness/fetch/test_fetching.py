"""``riddle data fetch``: what it plans, fetches, skips and refuses, and that it goes on after kill -9."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.cli import main
from harness.fetch.sources import HubFiles
from harness.store import RunLock
from tests.harness.fakes import write_toy
from tests.harness.fetch.server import Server, serving

ROOT = Path(__file__).parents[3]
DATA = os.urandom(1 << 20)

TASK = '''
"""A benchmark of the tests' own, with sources on the server at {url}."""

from harness.fetch.sources import HubFiles, Offer, WebFile, on_hub
from tests.harness.fakes import toy_task

TASKS = tuple(
    toy_task(name=name, sources=(
        on_hub("lab/toy", "data/*.parquet", note="pictures included"),
        Offer(layout="packed", parts=(WebFile(url="{url}/toy.zip", unpack="."),), terms="ask the authors at toys.org"),
        Offer(layout="large", parts=(WebFile(url="{url}/large.bin", size=1048576),)),
    ))
    for name in ("toybench", "toybench_hard")
)
'''

Riddle = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/toybench.py").write_text(TASK.replace("{url}", server.url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return tmp_path


@pytest.fixture
def riddle(place: Path, capsys: pytest.CaptureFixture[str]) -> Riddle:
    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "task_dirs=[tasks]"])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def toy_zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        packed.writestr("toy.jsonl", "{}")
    return held.getvalue()


def test_a_plan_says_files_sizes_and_licence_and_fetches_nothing(riddle: Riddle, server: Server, place: Path) -> None:
    server.hub("lab/toy", {"data/a.parquet": DATA, "data/b.parquet": b"b" * 1500, "README.md": b""})
    code, out, _ = riddle("data", "fetch", "task=toybench", "dry=true")
    assert code == 0
    assert "data/a.parquet  1.0 MB  missing  sha256" in out and "licence: CC0" in out and "note: pictures included" in out
    assert "to fetch: 1.1 MB; nothing was fetched" in out
    assert not (place / "data").exists() and not any("resolve" in path for path, _ in server.asked)


def test_files_are_fetched_once_for_all_tasks_of_a_file(riddle: Riddle, server: Server, place: Path) -> None:
    server.hub("lab/toy", {"data/a.parquet": DATA})
    words = ("data", "fetch", "task=[toybench,toybench_hard]", "output=json")
    code, out, _ = riddle(*words)
    (row,) = json.loads(out)["results"]
    assert code == 0 and row["tasks"] == ["toybench", "toybench_hard"] and row["folder"] == "data/toybench"
    (file,) = row["files"]
    assert (file["state"], file["checked"], file["sha256"]) == ("fetched", "sha256", hashlib.sha256(DATA).hexdigest())
    assert (place / "data/toybench/data/a.parquet").read_bytes() == DATA
    assert json.loads(riddle(*words)[1])["results"][0]["files"][0]["state"] == "there"
    assert sum("resolve" in path for path, _ in server.asked) == 1


def test_terms_are_accepted_first(riddle: Riddle, server: Server, place: Path) -> None:
    server.put("/toy.zip", toy_zip())
    code, _, err = riddle("data", "fetch", "task=toybench", "layout=packed", "to=here")
    assert code == 2 and "toybench: ask the authors at toys.org" in err and "accept=true" in err and not server.asked
    words = ("data", "fetch", "task=toybench", "layout=packed", "to=here", "accept=true")
    code, out, _ = riddle(*words)
    assert code == 0 and (place / "here/toy.jsonl").read_text() == "{}" and "not verified" in out
    assert riddle(*words)[0] == 0 and len(server.asked) == 1, "what was unpacked is there"
    (place / "here/toy.jsonl").unlink()
    assert riddle(*words)[0] == 0 and (place / "here/toy.jsonl").exists() and len(server.asked) == 2
    assert [path.name for path in (place / "here/.fetched").iterdir() if "toy.zip" in path.name and "json" not in path.name] == []


def test_what_was_fetched_is_what_a_run_reads(riddle: Riddle, server: Server, place: Path) -> None:
    folder = write_toy(place / "made", n=4)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        for path in sorted(folder.rglob("*.*")):
            packed.write(path, path.relative_to(folder))
    server.put("/toy.zip", held.getvalue())
    assert riddle("data", "fetch", "task=toybench", "layout=packed", "accept=true")[0] == 0
    code, out, err = riddle("eval", "task=toybench", "data=official", "model=constant", "model.reply=A", "output=json")
    assert code == 0, err
    (row,) = json.loads(out)["results"]
    assert (row["n"], row["failed"], row["value"]) == (4, 0, 0.5)


def test_a_plan_that_cannot_be_made_still_says_what_is_known(riddle: Riddle) -> None:
    code, out, err = riddle("data", "fetch", "task=toybench", "dry=true")
    assert code == 1 and "lab/toy: data/*.parquet" in out and "licence: CC0" in out and "no such file (404)" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "task: missing; say task=NAME"),
        (["task=toybench", "layout=tsv"], "nothing of toybench is offered so (known: hf_parquet, packed, large)"),
        (["task=[toybench,pope]", "to=x"], "a folder holds one benchmark"),
        (["task=toybenhc"], "did you mean 'toybench'"),
    ],
)
def test_wrong_orders_are_usage_errors(riddle: Riddle, words: list[str], message: str) -> None:
    code, _, err = riddle("data", "fetch", *words)
    assert code == 2 and message in err


def test_missing_data_say_how_to_fetch_them(riddle: Riddle, place: Path) -> None:
    (place / "r.jsonl").write_text('{"id": "toy-0", "reply": "A"}\n')
    for data in ("official", "tasks"):
        code, _, err = riddle("score", "task=toybench", "predictions=r.jsonl", f"data={data}")
        assert code == 1 and "riddle data fetch task=toybench fetches them" in err


def test_two_do_not_fetch_into_one_folder(riddle: Riddle, server: Server, place: Path) -> None:
    server.put("/large.bin", DATA)
    folder = place / "data/toybench/.fetched"
    folder.mkdir(parents=True)
    with RunLock(folder):
        code, _, err = riddle("data", "fetch", "task=toybench", "layout=large")
    assert code == 1 and "is working on this" in err and not server.asked


def test_a_card_says_what_can_be_fetched(riddle: Riddle) -> None:
    out = riddle("ls", "task", "toybench")[1]
    assert "can be fetched  hf_parquet: pictures included" in out and "large: complete" in out


def test_a_fetch_that_was_killed_goes_on_where_it_was(riddle: Riddle, server: Server, place: Path) -> None:
    server.put("/large.bin", DATA, pace=(1 << 16, 0.02))
    words = ["data", "fetch", "task=toybench", "layout=large", "task_dirs=[tasks]"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "harness.cli", *words]
    process = subprocess.Popen(command, cwd=place, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    folder = place / "data/toybench/.fetched"
    deadline = time.monotonic() + 60
    while not any(one.stat().st_size > 200_000 for one in folder.glob("*.partial")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (partial,) = folder.glob("*.partial")
    kept = partial.stat().st_size
    assert 0 < kept < len(DATA) and not (place / "data/toybench/large.bin").exists()
    assert "begun" in riddle("data", "fetch", "task=toybench", "layout=large", "dry=true")[1]
    server.files["/large.bin"].pace = None
    code, _, err = riddle("data", "fetch", "task=toybench", "layout=large")
    assert code == 0 and server.ranges("/large.bin") == [None, f"bytes={kept}-"] and "going on from" in err
    assert (place / "data/toybench/large.bin").read_bytes() == DATA


def test_what_tasks_offer_fits_their_layouts() -> None:
    offers = [(entry.task, offer) for entry in Catalog().entries().values() for offer in entry.task.sources]
    for task, offer in offers:
        assert offer.layout in {layout.name for layout in task.layouts}, f"{task.name} has no layout {offer.layout}"
        for part in offer.parts:
            if isinstance(part, HubFiles):
                assert part.repo.count("/") == 1 and part.files
            else:
                assert part.url.startswith("https://")
    assert len({task.name for task, _ in offers}) > 20
