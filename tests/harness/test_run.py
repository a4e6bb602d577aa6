"""One evaluation: what is asked, what lies in the folder afterwards, and what makes two runs the same run."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

import harness
from harness import provenance
from harness.errors import CapabilityError, ConfigError, DatasetError, ResultError
from harness.model import Capabilities
from harness.plan import Settings, Source
from harness.progress import Lines, Live, duration, progress_on
from harness.results import Result, load_result, load_results
from harness.run import allowed_failures, evaluate, run_folder, score_run
from harness.scoring import score_all, score_reply
from harness.store import Reader, Stored
from harness.types import Failure, Image, Parsed, Request, Response, Sample, Text
from tests.harness.fakes import FakeModel, png, toy_task, write_toy


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "data")


def run(tmp_path: Path, model: FakeModel | None = None, **settings: object) -> Result:
    return evaluate(toy_task(), model or FakeModel(), tmp_path / "data", Settings(**settings), tmp_path / "runs")  # type: ignore[arg-type]


def test_a_run_asks_every_sample_once_and_scores_it(tmp_path: Path, data: Path) -> None:
    model = FakeModel(batch=3)
    result = run(tmp_path, model)
    assert model.asked == [f"toy-{i}" for i in range(20)]
    assert (result.n, result.failed, result.unparsed, result.missing, result.truncated, result.reused) == (20, 0, 0, 0, 0, 0)
    assert [(one.name, one.value, one.unit) for one in result.metrics] == [
        ("accuracy", 0.5, "percent"),
        ("accuracy/0", 1.0, "percent"),
        ("accuracy/1", 0.0, "percent"),
        ("position/A", 1.0, "percent"),
        ("position/B", 0.0, "percent"),
    ]
    assert load_results(tmp_path / "runs") == [result]


def test_the_folder_is_complete_in_itself(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path).folder
    assert folder.parent == tmp_path / "runs" / "fake" / "toy"
    names = {path.name for path in folder.iterdir()}
    assert names == {"run.json", "responses.sqlite", "scores.parquet", "result.json", "timings.json", "log.txt", "lock"}
    record = json.loads((folder / "run.json").read_text())
    assert record["model"] == {"name": "fake", "fingerprint": "fake-1", "kind": "model"}
    assert record["task"]["name"] == "toy"
    assert record["task"]["card"]["licence"] == "CC0"
    assert record["data"]["n"] == 20
    assert record["data"]["layout"] == "official"
    assert (record["convention"], record["prompt"], record["control"], record["seed"]) == ("official", "default", "none", 0)
    assert record["versions"]["python"]
    assert record["machine"]["cores"]


def test_requests_can_be_shown_later_with_prompt_and_media(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path).folder
    keys = parquet.read_table(folder / "scores.parquet")["keys"].to_pylist()
    with Reader(folder) as reader:
        asked = reader.request(keys[3][0])
    assert asked is not None
    picture, text = asked["parts"]
    assert asked["sample_id"] == "toy-3"
    assert text == {"text": "Question 3? Answer A or B."}
    assert picture["image"].endswith("images/3.png")
    assert picture["locator"] == {"kind": "file", "path": str(data / "images/3.png")}
    assert len(picture["digest"]) == 32


def test_a_request_carries_what_a_model_needs_and_no_more(tmp_path: Path, data: Path) -> None:
    model = FakeModel()
    run(tmp_path, model, generation={"max_new_tokens": 5, "stop": ["."]}, seed=7)
    request = model.requests[0]
    assert isinstance(request.parts[0], Image) and isinstance(request.parts[1], Text)
    assert (request.generation.max_new_tokens, request.generation.stop, request.generation.seed) == (5, (".",), 7)
    assert request.choices == ("A", "B")
    assert request.ideal is None, "only the oracle is told"


def test_a_model_that_needs_the_ideal_reply_gets_it_and_is_no_model(tmp_path: Path, data: Path) -> None:
    model = FakeModel(lambda request: request.ideal or "?")
    model.capabilities = Capabilities(needs_ideal=True)
    result = run(tmp_path, model)
    assert result.metric().value == 1.0
    assert result.run["model"]["kind"] == "baseline"


def test_the_same_question_about_the_same_picture_is_asked_once_and_serves_both(tmp_path: Path) -> None:
    write_toy(tmp_path / "data", n=6, pictures=1)
    task = toy_task(prompt=lambda sample: "The same question.")
    model = FakeModel(batch=6)
    result = evaluate(task, model, tmp_path / "data", runs=tmp_path / "runs")
    assert model.asked == ["toy-0"]
    assert (result.n, result.metric().value) == (6, 0.5)


def test_limit_takes_the_first_samples(tmp_path: Path, data: Path) -> None:
    model = FakeModel()
    assert run(tmp_path, model, limit=4).n == 4
    assert model.asked == ["toy-0", "toy-1", "toy-2", "toy-3"]


def test_a_named_prompt_is_asked(tmp_path: Path, data: Path) -> None:
    model = FakeModel()
    run(tmp_path, model, prompt="short", limit=1)
    assert model.requests[0].parts[1] == Text("Question 0?")


def test_log_likelihood_takes_the_likeliest_choice(tmp_path: Path, data: Path) -> None:
    class Weighs(FakeModel):
        def loglikelihood(self, requests: Iterable[Request]) -> Iterator[Response]:
            for request in requests:
                yield Response(key=request.key, logprobs=(-3.0, -1.0))

    model = Weighs()
    with pytest.raises(CapabilityError, match="cannot weigh choices"):
        run(tmp_path, model, kind="loglikelihood")
    model.capabilities = Capabilities(loglikelihood=True)
    result = run(tmp_path, model, kind="loglikelihood")
    assert result.metric("accuracy/1").value == 1.0
    assert model.asked == []


def test_what_a_model_cannot_take_is_said_before_the_first_sample(tmp_path: Path, data: Path) -> None:
    model = FakeModel()
    model.capabilities = Capabilities(images=False)
    with pytest.raises(CapabilityError, match="model 'fake' takes no images, which task 'toy' sends"):
        run(tmp_path, model)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": "long"}, r"prompt='long' .*known: default, short"),
        ({"convention": "other"}, r"convention='other' .*known: official, lenient"),
    ],
)
def test_unknown_names_are_answered_with_the_known(tmp_path: Path, data: Path, settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, **settings)


def test_all_settings_out_of_range_are_named_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(limit=0, max_failures=2.0, control="deaf", workers=-1, generation={"tokens": 3})  # type: ignore[arg-type]
    for word in ("limit=0", "max_failures=2.0", "control='deaf'", "workers=-1", "generation.tokens"):
        assert word in str(caught.value)


def test_empty_data_and_missing_data_are_errors(tmp_path: Path, data: Path) -> None:
    (data / "toy.jsonl").write_text("\n")
    with pytest.raises(DatasetError, match="no samples of toy"):
        run(tmp_path)
    with pytest.raises(DatasetError, match=r"toy\.jsonl"):
        evaluate(toy_task(), FakeModel(), tmp_path / "nowhere", runs=tmp_path / "runs")


def test_a_repeated_sample_id_is_an_error_that_names_it(tmp_path: Path, data: Path) -> None:
    lines = (data / "toy.jsonl").read_text()
    (data / "toy.jsonl").write_text(lines + lines.splitlines()[4] + "\n")
    with pytest.raises(DatasetError, match="'toy-4' occurs again at position 20"):
        run(tmp_path)


SAME = [{"convention": "lenient"}, {"max_failures": 0.5}, {"workers": 0}, {"window": 1}, {"retries": 0}, {"confidence": 0.9}]
OTHER = [
    *({"limit": 5}, {"seed": 1}, {"prompt": "short"}, {"generation": {"max_new_tokens": 5}}),
    *({"control": "blind"}, {"control": "swapped"}, {"kind": "loglikelihood"}),
]


@pytest.mark.parametrize("settings", SAME)
def test_what_does_not_decide_a_reply_does_not_name_the_folder(settings: dict[str, object]) -> None:
    default = run_folder(toy_task(), FakeModel(), "d", Settings())
    assert run_folder(toy_task(), FakeModel(), "d", Settings(**settings)) == default  # type: ignore[arg-type]


def test_whatever_decides_a_reply_names_the_folder() -> None:
    base = toy_task(), FakeModel(), "d"
    folders = [
        run_folder(*base, Settings()),
        *(run_folder(*base, Settings(**settings)) for settings in OTHER),  # type: ignore[arg-type]
        run_folder(toy_task(version=2), FakeModel(), "d", Settings()),
        run_folder(toy_task(), FakeModel(fingerprint="fake-2"), "d", Settings()),
        run_folder(toy_task(), FakeModel(), "d2", Settings()),
    ]
    assert len({folder.name for folder in folders}) == len(folders)


def test_names_become_safe_folders() -> None:
    model = FakeModel(name="../org/model: 7b")
    folder = run_folder(toy_task(), model, "d", Settings(), Path("runs"), "my data/..")
    assert folder.parts[:3] == ("runs", "_org_model_7b", "toy@my_data_")


def test_scoring_anew_needs_no_model_and_adds_files(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path, FakeModel(lambda request: "Banana")).folder
    before = (folder / "result.json").read_bytes()
    lenient = score_run(folder, "lenient", task=toy_task())
    assert lenient.metric("accuracy/0").value == 1.0
    assert load_result(folder, "lenient") == lenient
    assert (folder / "result.json").read_bytes() == before
    assert score_run(folder, task=toy_task()).metric("accuracy/1").value == 1.0
    assert (folder / "result.json").read_bytes() == before


def test_scoring_anew_takes_the_changed_parser_of_the_task(tmp_path: Path, data: Path) -> None:
    task = toy_task()
    folder = run(tmp_path).folder
    official = task.conventions["official"]
    strict = replace(official, score=lambda parsed, sample: {"correct": 0.0})
    changed = replace(task, conventions={**task.conventions, "official": strict})
    assert score_run(folder, task=changed).metric().value == 0.0


def test_scoring_anew_refuses_other_versions_and_other_data(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path).folder
    with pytest.raises(ResultError, match="made with version 1 of toy, this is version 2"):
        score_run(folder, task=toy_task(version=2))
    with pytest.raises(ConfigError, match="convention='x'"):
        score_run(folder, "x", task=toy_task())
    (data / "toy.jsonl").write_text((data / "toy.jsonl").read_text() + "\n")
    with pytest.raises(DatasetError, match="not the data of the run"):
        score_run(folder, task=toy_task())


STORED = Stored(Response(key="k", text="A"))


@pytest.mark.parametrize(
    ("planned", "error", "message"),
    [
        ([("s0", "k", STORED), ("other", "k", STORED)], DatasetError, "sample 1 is 's1' in the data and 'other' in the run"),
        ([("s0", "k", STORED)], DatasetError, "sample 1 is 's1' in the data and None in the run"),
        ([(f"s{i}", "k", STORED) for i in range(3)], DatasetError, "the data end after 2 samples, the run has more"),
        ([("s0", "k", STORED), ("s1", "k", None)], ResultError, "sample 's1' has no response yet"),
    ],
)
def test_replies_are_never_shifted_to_other_samples(planned: list[Any], error: type[Exception], message: str) -> None:
    convention = toy_task().conventions["official"]
    with pytest.raises(error, match=message):
        list(score_all(convention, [Sample(id="s0"), Sample(id="s1")], planned))


def test_a_sample_without_a_reply_stays_in_the_denominator_and_earns_nothing() -> None:
    missing = score_reply(toy_task().conventions["official"], Sample(id="s", references=("A",)), None, missing=True)
    assert (missing.scores, missing.parsed, missing.failed, missing.missing) == (
        {"correct": 0.0},
        Parsed(None, "no reply"),
        None,
        True,
    )


def test_scoring_needs_annotations_only(tmp_path: Path, data: Path) -> None:
    folder = run(tmp_path).folder
    for picture in (data / "images").iterdir():
        picture.unlink()
    moved = tmp_path / "moved"
    data.rename(moved)
    assert score_run(folder, "lenient", task=toy_task(), data=[moved]).n == 20


def test_a_second_convention_asks_nothing_and_leaves_the_first_in_its_place(tmp_path: Path, data: Path) -> None:
    first = run(tmp_path)
    model = FakeModel()
    second = run(tmp_path, model, convention="lenient")
    assert model.asked == []
    assert (second.convention, second.folder) == ("lenient", first.folder)
    assert load_result(first.folder).convention == "official"


def test_media_in_several_layouts_are_the_same_request(tmp_path: Path, data: Path) -> None:
    run(tmp_path)
    copy = write_toy(tmp_path / "copy")
    (copy / "toy.jsonl").write_text((copy / "toy.jsonl").read_text().replace("Question 0?", "Question zero?"))
    model = FakeModel()
    result = evaluate(toy_task(), model, copy, runs=tmp_path / "runs")
    assert model.asked == ["toy-0"]
    assert result.reused == 19


def test_data_may_be_named_as_a_file(tmp_path: Path, data: Path) -> None:
    result = evaluate(toy_task(), FakeModel(), [data / "toy.jsonl"], runs=tmp_path / "runs", data_name="mine")
    assert result.folder.parent.name == "toy@mine"
    assert result.run["data"]["name"] == "mine"


def test_secrets_are_not_recorded(tmp_path: Path, data: Path) -> None:
    config = {"model": {"api_key": "sk-123", "url": "https://me:pw@host/v1", "token": "t", "max_new_tokens": 5, "key": None}}
    result = evaluate(toy_task(), FakeModel(), data, runs=tmp_path / "runs", config=config)
    text = (result.folder / "run.json").read_text()
    assert all(secret not in text for secret in ("sk-123", "me:pw", '"t"'))
    assert result.run["config"]["model"]["max_new_tokens"] == 5


def test_settings_become_plain_values() -> None:
    value = {"path": Path("a"), "set": {2, 1}, "nan": float("nan"), "settings": Settings(limit=3), "none": None, "yes": True}
    plain = provenance.plain(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["path"], plain["set"], plain["nan"], plain["settings"]["limit"]) == ("a", [1, 2], "nan", 3)


def test_a_folder_without_a_repository_has_no_commit(tmp_path: Path) -> None:
    assert provenance.git(tmp_path) == {}
    (tmp_path / ".git").mkdir()
    assert provenance.git(tmp_path) == {}


def test_pictures_are_read_a_bounded_number_ahead(tmp_path: Path) -> None:
    write_toy(tmp_path / "data", n=200)
    taken = 0
    most = 0

    def to_sample(record: object) -> object:
        nonlocal taken
        taken += 1
        return toy_task().to_sample(record)  # type: ignore[arg-type]

    def answer(request: Request) -> str:
        nonlocal most
        most = max(most, taken - int(request.sample_id.removeprefix("toy-")))
        return "A"

    evaluate(toy_task(to_sample=to_sample), FakeModel(answer), tmp_path / "data", Settings(window=16), tmp_path / "runs")
    assert most <= 16 + 2


def test_plain_progress_says_phase_rate_failures_and_score_at_intervals(tmp_path: Path, data: Path) -> None:
    stream = io.StringIO()
    now = iter(range(10_000))
    progress = Lines(title="toy", stream=stream, interval_s=30.0, clock=lambda: float(next(now)))
    model = FakeModel(lambda request: "A" if request.sample_id != "toy-3" else "no idea")
    evaluate(toy_task(), model, data, runs=tmp_path / "runs", progress=progress)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "toy: plan"
    assert lines[1] == "toy: generate, 20 samples"
    assert any("of 20" in line and "samples/s" in line and "0 failed" in line and "score so far" in line for line in lines)
    assert len(lines) < 12


def test_on_a_terminal_one_live_line_is_drawn(tmp_path: Path, data: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = progress_on(stream, "toy")
    assert isinstance(progress, Live)
    evaluate(toy_task(), FakeModel(), data, runs=tmp_path / "runs", progress=progress)
    assert "0 failed, 0 unparsed" in stream.getvalue()
    assert isinstance(progress_on(io.StringIO(), "toy"), Lines)


def test_nothing_is_written_to_standard_output(tmp_path: Path, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_the_log_of_a_run_is_in_its_folder(tmp_path: Path, data: Path) -> None:
    def answer(request: Request) -> object:
        if request.sample_id == "toy-2":
            raise RuntimeError("boom")
        return "A"

    log = (run(tmp_path, FakeModel(answer)).folder / "log.txt").read_text()
    assert "sample toy-2: the model raises on it" in log
    assert "RuntimeError: boom" in log and "Traceback" in log
    assert "complete: 20 samples" in log


def test_spans_are_written_for_people() -> None:
    assert [duration(seconds) for seconds in (5, 600, 7200)] == ["5 s", "10 min", "2.0 h"]


def test_one_sample_may_always_fail_unless_none_may() -> None:
    assert [allowed_failures(share, n) for share, n in ((0.01, 5), (0.01, 250), (0.0, 1000), (1.0, 7))] == [1, 2, 0, 7]


def test_the_public_names_are_these_and_importing_them_is_light() -> None:
    assert harness.__all__ == sorted(
        [
            *("Capabilities", "Card", "Convention", "Generation", "HarnessError", "Layout", "Metric", "Model", "Request"),
            *("Response", "Result", "Sample", "Settings", "Task", "evaluate", "find_task", "load_results", "score_run"),
        ]
    )
    assert all(getattr(harness, name).__name__ == name for name in harness.__all__)
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = harness.nothing
    code = "import sys, harness; print(sorted(name for name in sys.modules if name.startswith('harness')))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "['harness']"


def test_evaluating_imports_neither_torch_nor_pandas(tmp_path: Path, data: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from pathlib import Path; from tests.harness.fakes import *; from harness import evaluate\n"
        f"evaluate(toy_task(), FakeModel(), Path({str(data)!r}), runs=Path({str(tmp_path / 'runs')!r}))\n"
        "print([name for name in ('torch', 'pandas', 'transformers', 'hydra', 'sklearn', 'rich', 'PIL') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert shown.strip() == "[]"


def test_names_of_any_length_make_folders(tmp_path: Path, data: Path) -> None:
    first, second = (run(tmp_path, FakeModel(name="ü" * 5000 + end)).folder for end in "ab")
    assert first.parent.parent != second.parent.parent
    assert len(first.parent.parent.name.encode()) <= 120


def test_counting_and_sampling_open_no_media(tmp_path: Path, data: Path) -> None:
    for picture in (data / "images").iterdir():
        picture.unlink()
    source = Source.find(toy_task(), [data])
    assert source.count() == 20
    assert next(source.samples()).id == "toy-0"


def test_a_stored_failure_keeps_its_reply_in_view(tmp_path: Path, data: Path) -> None:
    def answer(request: Request) -> object:
        failure = Failure("filter", "policy") if request.sample_id == "toy-0" else None
        return Response(key=request.key, text="A", failure=failure)

    folder = run(tmp_path, FakeModel(answer)).folder
    first = parquet.read_table(folder / "scores.parquet").slice(0, 1).to_pylist()[0]
    assert (first["reply"], first["failed"], first["prediction"], first["score.correct"]) == ("A", "filter: policy", None, 0.0)


def test_pictures_of_the_toy_benchmark_are_pictures() -> None:
    from PIL import Image as Pictures

    assert Pictures.open(io.BytesIO(png(3))).size == (2, 2)
