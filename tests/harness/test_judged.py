"""The judge phase: what is put to the judge, kept, replayed and counted; with fake judges and with a server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, RunStopped
from harness.judged import Replay
from harness.judging import UNSCORED, Extraction, Judging, always
from harness.metrics.aggregate import Metric, mean
from harness.plan import Settings
from harness.results import Result, load_result
from harness.run import evaluate, score_run
from harness.store import Reader
from harness.task import Convention
from harness.types import Failure, Generation, Parsed, Query, Request, Response, Sample, Text
from models.openai_chat import OpenAIChat
from tests.chat_server import ChatServer, Fault, completion
from tests.harness.fakes import FakeModel, toy_task, write_toy

N = 12
ROOT = Path(__file__).parents[2]


def ask(sample: Sample, reply: str, attempt: int) -> Query:
    again = " Only a number." if attempt else ""
    return Query(
        parts=(Text("You grade.", "system"), Text(f"{sample.id}: {reply}?{again}")), generation=Generation(max_new_tokens=3)
    )


def read(word: str, sample: Sample) -> Parsed:
    return Parsed(float(word)) if word in ("0", "0.5", "1") else Parsed(None, "no grade")


def graded(parsed: Parsed, sample: Sample) -> dict[str, float]:
    return {"grade": parsed.answer if isinstance(parsed.answer, float) else 0.0}


def by_letter(reply: str, sample: Sample) -> Parsed:
    return Parsed(float(reply in sample.references)) if reply in ("A", "B") else Parsed(None, "needs judge: no letter")


JUDGING = Judging(prompt="toy-1", ask=ask, read=read, attempts=3)
METRICS = (Metric(name="grade", estimator=mean("grade")),)
JUDGED = Convention(parse=always, score=graded, metrics=METRICS, primary="grade", judging=JUDGING)
RULED = replace(JUDGED, parse=by_letter, judging=replace(JUDGING, rule=True))
TASK = toy_task(conventions={"official": JUDGED, "strict": replace(JUDGED, judging=replace(JUDGING, prompt="toy-2"))})
LENIENT = Settings(max_failures=1.0)


def reply(request: Request) -> str:
    return "a long answer" if int(request.sample_id.removeprefix("toy-")) % 3 else "A"


def grader(request: Request) -> str:
    return "0.5"


def run(tmp_path: Path, judge: Any = None, task: Any = TASK, settings: Settings | None = None) -> Result:
    data = tmp_path / "data"
    if not data.exists():
        write_toy(data, N)
    return evaluate(task, FakeModel(reply), data, settings, tmp_path / "runs", judge=judge, sleep=lambda seconds: None)


def judge(answer: Callable[[Request], object] = grader, name: str = "judge-1", **more: Any) -> FakeModel:
    return FakeModel(answer, name=name, fingerprint=f"{name}-1", **more)


# --- without a judge -----------------------------------------------------------------------------------------------------


def test_without_a_judge_what_needs_one_is_unscored_and_not_zero(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.judge == {"name": UNSCORED} and result.metric().value != result.metric().value
    assert result.metric().method == f"undefined: {UNSCORED}" and result.failed == 0 and result.n == N
    assert load_result(result.folder).judge == {"name": UNSCORED}
    assert json.loads((result.folder / "result.json").read_text())["metrics"][0]["value"] is None


def test_a_benchmark_with_a_rule_is_scored_by_it_and_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, task=toy_task(conventions={"official": RULED}))
    assert result.judge == {"name": "rule"} and result.metric().value == 2 / N and result.unparsed == 8


def test_a_benchmark_without_a_judge_has_none_in_its_files(tmp_path: Path) -> None:
    result = run(tmp_path, judge(), task=toy_task())
    assert result.judge is None and "judge" not in json.loads((result.folder / "result.json").read_text())
    assert "judge" not in result.run


# --- with one ------------------------------------------------------------------------------------------------------------


def test_a_judge_decides_and_is_named_with_its_prompt_and_what_it_took(tmp_path: Path) -> None:
    result = run(tmp_path, judge())
    assert result.metric().value == 0.5 and result.judge is not None
    assert result.judge["name"] == "judge-1, prompt toy-1" and result.judge["asked"] == N and result.judge["unjudged"] == 0
    assert result.run["judge"]["name"] == "judge-1, prompt toy-1"


def test_only_what_the_rule_leaves_over_is_judged(tmp_path: Path) -> None:
    asked = judge()
    result = run(tmp_path, asked, task=toy_task(conventions={"official": RULED}))
    assert len(asked.asked) == 8 and result.metric().value == (2 + 8 * 0.5) / N and result.unparsed == 0


def test_the_system_text_and_the_grading_limits_reach_the_judge(tmp_path: Path) -> None:
    asked = judge()
    run(tmp_path, asked)
    system, question = asked.requests[0].parts
    assert isinstance(system, Text) and system.role == "system" and isinstance(question, Text) and question.text == "toy-0: A?"
    assert asked.requests[0].generation.max_new_tokens == 3


def test_a_word_that_cannot_be_read_is_asked_for_again_so_often_and_then_shown(tmp_path: Path) -> None:
    def hesitant(request: Request) -> str:
        number = int(request.sample_id.removeprefix("toy-"))
        return "1" if request.generation.seed >= number else "well, it depends"

    asked = judge(hesitant)
    result = run(tmp_path, asked)
    assert Counter(asked.asked)["toy-0"] == 1 and Counter(asked.asked)["toy-2"] == 3 and max(Counter(asked.asked).values()) == 3
    assert result.judge is not None and result.judge["unjudged"] == N - 3 == result.unparsed
    assert result.metric().value == 3 / N


def test_a_judge_that_fails_on_a_reply_is_a_recorded_failure_and_too_many_stop_the_run(tmp_path: Path) -> None:
    def broken(request: Request) -> str:
        if request.sample_id == "toy-3":
            raise ValueError("cannot judge this")
        return "1"

    result = run(tmp_path, judge(broken))
    assert result.failed == 1 and result.judge is not None and result.judge["unjudged"] == 1
    with pytest.raises(RunStopped, match="See to the judge"):
        run(tmp_path, judge(lambda request: 1 / 0, name="worse"), settings=Settings(max_failures=0))


# --- kept and replayed ---------------------------------------------------------------------------------------------------


def test_nothing_is_judged_twice(tmp_path: Path) -> None:
    first, second, other = judge(), judge(), judge(name="judge-2")
    before = run(tmp_path, first)
    after = run(tmp_path, second)
    assert len(first.asked) == N and second.asked == [] and after.record() == before.record()
    beside = run(tmp_path, other)
    assert len(other.asked) == N and beside.scores_path.name == "scores.official@judge-2.toy-1.parquet"
    assert json.loads((before.folder / "result.json").read_text()) == before.record()


def test_judgements_of_other_runs_on_the_same_replies_are_taken_over(tmp_path: Path) -> None:
    run(tmp_path, judge(), settings=Settings(limit=4))
    asked = judge()
    run(tmp_path, asked)
    assert len(asked.asked) == N - 4


def test_scoring_anew_asks_nobody(tmp_path: Path) -> None:
    result = run(tmp_path, judge())
    assert score_run(result.folder, task=TASK).record() == result.record()
    assert score_run(result.folder, "strict", task=TASK).judge == {"name": UNSCORED}  # in words of its own that nobody has said


def test_a_judge_comes_after_a_run_without_one_and_takes_its_place(tmp_path: Path) -> None:
    assert run(tmp_path).judge == {"name": UNSCORED}
    result = run(tmp_path, judge())
    assert result.metric().value == 0.5 and load_result(result.folder).metric().value == 0.5


def test_a_shipped_folder_of_words_gives_the_same_score_without_the_judge(tmp_path: Path) -> None:
    result = run(tmp_path, judge())
    shutil.copytree(result.folder / "judged", tmp_path / "shipped")
    shutil.rmtree(tmp_path / "runs")
    replayed = run(tmp_path, Replay(str(tmp_path / "shipped")))
    assert replayed.record() == result.record()


def test_a_replay_of_other_replies_says_what_is_missing(tmp_path: Path) -> None:
    result = run(tmp_path, judge(), settings=Settings(limit=4))
    shutil.copytree(result.folder / "judged", tmp_path / "shipped")
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(RunStopped, match="no stored word"):
        run(tmp_path, Replay(str(tmp_path / "shipped")))
    with pytest.raises(ConfigError, match="must hold the words of one judge"):
        Replay(str(tmp_path / "data"))


# --- a real server -------------------------------------------------------------------------------------------------------


def client(server: ChatServer, **more: Any) -> OpenAIChat:
    settings: dict[str, Any] = {"model": "gpt-x", "base_url": server.url, "key_env": "", "backoff_s": 0.01, "timeout_s": 0.4}
    return OpenAIChat(**{**settings, "concurrency": 4, **more})


FAULTS = [
    Fault(429, b"", {"Retry-After": "0.02"}), Fault(500), Fault(body=completion("1")[:-4]), Fault(body=b'{"choices": []}'),
    Fault(body=completion(1)), Fault(body=completion("1"), cut=True), Fault(body=completion("1" * 200), drip_s=0.01),
]  # fmt: skip


def test_after_every_fault_nothing_is_lost_and_nothing_judged_twice(tmp_path: Path) -> None:
    def faulty(text: str, asked: int) -> Fault | str:
        number = int(text.removeprefix("toy-").partition(":")[0])
        return FAULTS[number % len(FAULTS)] if asked == 1 else "1"

    with ChatServer(faulty) as server:
        result = run(tmp_path, client(server))
        again = run(tmp_path, client(server))
    assert result.metric().value == 1 and set(server.answered.values()) == {1} and again.record() == result.record()
    assert result.judge is not None and (result.judge["prompt_tokens"], result.judge["completion_tokens"]) == (10 * N, 2 * N)


def test_a_budget_stops_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    stops = 0
    with ChatServer(lambda text, asked: "1") as server:
        while True:
            try:
                result = run(tmp_path, client(server, max_requests=5, prompt_price=10, completion_price=30))
                break
            except RunStopped as error:
                stops += 1
                assert "budget is spent" in str(error)
    assert stops == 2 and set(server.asked.values()) == {1} and result.metric().value == 1
    assert result.judge is not None and result.judge["cost"] == pytest.approx((10 * N * 10 + 2 * N * 30) / 1e6)


def test_hostile_words_are_unjudged_and_shown(tmp_path: Path) -> None:
    with ChatServer(lambda text, asked: "1\x00</script><script>alert('1')</script>‮") as server:
        result = run(tmp_path, client(server))
    assert result.metric().value == 0 and result.unparsed == N == (result.judge or {})["unjudged"]


KILLED = """
import sys
from pathlib import Path
from tests.harness import test_judged as it
server = type("At", (), {"url": sys.argv[2]})
it.run(Path(sys.argv[1]), it.client(server, timeout_s=20))
"""


def test_a_killed_judge_phase_goes_on_where_it_was(tmp_path: Path) -> None:
    write_toy(tmp_path / "data", N)
    with ChatServer(lambda text, asked: Fault(body=completion("1"), hang_s=0.15)) as server:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), server.url], cwd=ROOT, env=environment)
        deadline = time.monotonic() + 30
        while len(server.bodies) < 7 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (folder,) = (tmp_path / "runs").glob("*/*/*")
        (words,) = (folder / "judged").iterdir()
        with Reader(words) as reader:
            kept = reader.count()
        before = len(server.bodies)
        assert 0 < kept < N and not (folder / "result.json").exists()
        result = run(tmp_path, client(server, timeout_s=20))
    assert len(server.bodies) - before == N - kept and max(server.asked.values()) <= 2
    assert result.metric().value == 1 and (result.judge or {})["asked"] == N


# --- in two steps, and where a rule would do -----------------------------------------------------------------------------


def two_steps(request: Request) -> str:
    text = "".join(getattr(part, "text", "") for part in request.parts)
    return " half " if text.startswith("take") else "0.5" if "half?" in text else "?"


def test_a_judge_may_first_take_the_answer_out_and_then_decide_on_it(tmp_path: Path) -> None:
    first = Extraction(ask=lambda sample, text: Query(parts=(Text(f"take {sample.id}: {text}"),)))
    task = toy_task(conventions={"official": replace(JUDGED, judging=replace(JUDGING, prompt="toy-3", extraction=first))})
    fake = judge(two_steps)
    result = run(tmp_path, fake, task)
    assert result.metric().value == 0.5 and result.judge is not None and result.judge["asked"] == len(fake.asked) == 2 * N
    again = judge(two_steps)
    assert run(tmp_path, again, task).metric() == result.metric() and not again.asked
    assert score_run(result.folder, task=task).metric() == result.metric()


def test_an_answer_that_cannot_be_taken_out_fails_its_sample(tmp_path: Path) -> None:
    first = Extraction(ask=lambda sample, text: Query(parts=(Text(f"take {sample.id}: {text}"),)))
    task = toy_task(conventions={"official": replace(JUDGED, judging=replace(JUDGING, extraction=first))})

    def broken(request: Request) -> object:
        failed = Response(key=request.key, finish_reason="error", failure=Failure("model", "no"))
        return failed if request.sample_id == "toy-1" else two_steps(request)

    result = run(tmp_path, judge(broken), task, LENIENT)
    assert result.failed == 1 and result.judge is not None and result.judge["unjudged"] == 1


def test_where_there_is_a_judge_it_may_decide_what_the_rule_could(tmp_path: Path) -> None:
    task = toy_task(conventions={"official": replace(RULED, judging=replace(JUDGING, rule=True, settles=always))})
    assert run(tmp_path, task=task).metric().value == 2 / N
    fake = judge()
    assert run(tmp_path, fake, task).metric().value == 0.5 and len(fake.asked) == N
