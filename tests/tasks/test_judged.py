"""The judged benchmarks from official files to a score, with a judge on loopback that follows a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.catalog import find_task
from harness.cli import main
from harness.data.sources import read_records
from harness.errors import DatasetError
from harness.results import load_results
from harness.task import Task
from harness.types import Sample
from tests.chat_server import ChatServer
from tests.harness.fakes import png

COLOURS = ("red", "blue", "green", "red", "yellow", "red")


def rule(text: str, asked: int) -> str:
    """Grades by the picture's colour, in whichever form the benchmark wants; the constant model always says red."""
    if "[Assistant 2]" in text:
        return "8 6\nGood." if "[Assistant 1]\nIt is red." in text else "8, 2" if "green" in text else "8 2\nBad."
    if "[Grade]" in text:
        return "1.0" if "[Reference]\nred" in text else "0.25"
    return "1.0" if " | red | red" in text else "0.0"


def llava(folder: Path) -> None:
    kinds = ("conv", "detail", "complex")
    lines: dict[str, list[dict[str, Any]]] = {"questions": [], "context": [], "answers_gpt4": []}
    for n, colour in enumerate(COLOURS):
        name = f"{n + 1:03}.png"
        lines["questions"].append({"question_id": n, "image": name, "text": "Which colour?", "category": kinds[n % 3]})
        lines["context"].append({"id": f"{n + 1:03}", "image": name, "caption": f"A {colour} thing."})
        lines["answers_gpt4"].append({"question_id": n, "prompt": "Which colour?", "text": f"It is {colour}.", "metadata": {}})
    for name, rows in lines.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def mmvet(folder: Path) -> None:
    records = {
        f"v1_{n}": {
            "imagename": f"{n + 1:03}.png",
            "question": "Which colour?",
            "answer": colour,
            "capability": ["rec", "ocr"][: 1 + n % 2],
        }
        for n, colour in enumerate(COLOURS)
    }
    (folder / "mm-vet.json").write_text(json.dumps(records))


def infimm(folder: Path) -> None:
    records = {
        str(n): {
            "Image path": [f"{n + 1:03}.png"], "Question": "Which colour?", "Answer": colour, "Category": "Deductive",
            "Complexity": "High" if n == 0 else "Moderate",
        }
        for n, colour in enumerate(COLOURS)
    }  # fmt: skip
    (folder / "core-mm.json").write_text(json.dumps(records))


WRITERS = {"llava_bench_wild": llava, "mmvet": mmvet, "infimm_eval": infimm}
EXPECTED = {"llava_bench_wild": 0.538, "mmvet": 0.5, "infimm_eval": (2 + 1 + 1 + 3 * 0.25) / 7}
"""LLaVA-Bench: three reviews 8 6, two 8 2, one "8, 2" (officially -1 -1): 3.5 / 6.5 in percent to one decimal."""


@pytest.fixture
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    (folder / "images").mkdir(parents=True)
    for n in range(len(COLOURS)):
        (folder / "images" / f"{n + 1:03}.png").write_bytes(png(n))
    WRITERS[request.param](folder)
    return folder


def samples_of(task: Task, folder: Path) -> list[Sample]:
    return list(task.samples(read_records(task, [folder])[1]))


def riddle(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> tuple[int, dict[str, Any]]:
    runs = data.parent / "runs"
    capsys.readouterr()
    model = ["model=constant", "model.reply=red", f"task={data.name}", f"data={data}", f"runs={runs}", "output=json"]
    code = main(["eval", *model, *words])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("data", WRITERS, indirect=True)
def test_official_files_are_read_with_pictures_answers_and_groups(data: Path) -> None:
    samples = samples_of(find_task(data.name), data)
    assert len(samples) == len(COLOURS) and len({sample.id for sample in samples}) == len(COLOURS)
    for sample, colour in zip(samples, COLOURS, strict=True):
        assert colour in sample.references[0] and all(sample.groups.values()) and len(sample.parts) == 1
        assert sample.parts[0].source.read().startswith(b"\x89PNG")  # type: ignore[union-attr]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("llava_bench_wild", "infimm_eval")]


@pytest.mark.parametrize("data", ["mmvet", *SLOW], indirect=True)
def test_from_files_to_a_judged_score_and_unscored_without_a_judge(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, unscored = riddle(capsys, data)
    (row,) = unscored["results"]
    assert code == 1 and not unscored["ok"] and unscored["errors"][0]["kind"] == "Unscored"
    assert row["value"] is None and row["judge"] == "unscored (needs judge)" and row["failed"] == 0
    with ChatServer(rule) as server:
        at = ["judge=openai", f"judge.base_url={server.url}", "judge.key_env=''", "judge.model=rules"]
        code, judged = riddle(capsys, data, *at)
        asked = len(server.bodies)
        again_code, again = riddle(capsys, data, *at)
        assert len(server.bodies) == asked  # nothing is judged twice
    (row,) = judged["results"]
    assert (code, again_code, judged["results"]) == (0, 0, again["results"])
    assert row["judge"].startswith("rules, prompt ") and row["value"] == pytest.approx(EXPECTED[data.name], abs=1e-9)
    (result,) = load_results(data.parent / "runs")
    assert result.judge is not None and result.judge["asked"] == asked and result.metric().value == row["value"]
    (words,) = result.folder.glob("judged/*")
    code, replayed = riddle(capsys, data, "judge=replay", f"judge.folder={words}")
    assert code == 0 and replayed["results"] == judged["results"]


@pytest.mark.parametrize("data", ["mmvet"], indirect=True)
def test_a_rule_is_refused_where_there_is_none(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = riddle(capsys, data, "judge=rule")
    assert code == 2 and "has no rule" in document["errors"][0]["message"]


@pytest.mark.parametrize("data", ["infimm_eval"], indirect=True)
def test_questions_whose_answers_the_authors_keep_are_refused(data: Path) -> None:
    records = json.loads((data / "core-mm.json").read_text())
    (data / "core-mm.json").write_text(json.dumps({k: {**v, "Answer": None} for k, v in records.items()}))
    with pytest.raises(DatasetError, match="no right answer"):
        samples_of(find_task("infimm_eval"), data)


# --- where there is a rule too -------------------------------------------------------------------------------------------


def extracting(text: str, asked: int) -> str:
    """MathVista's judge finds 7 in everything; HallusionBench's finds all correct, MMVP's all right."""
    if text.endswith("Extracted answer: "):
        return "7"
    return "Correct." if "intelligent teacher" in text else "Yes"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mathvista", "hallusionbench", "mmvp"])
def test_a_judge_takes_the_place_of_the_rule_and_is_named(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "model=constant", "model.reply='It is 7, yes, A.'", f"task={name}", "mini.n=16", "output=json"]
    words += [f"paths.data={tmp_path}", f"runs={tmp_path / 'runs'}"]
    assert main(words) == 0
    (ruled,) = json.loads(capsys.readouterr().out)["results"]
    with ChatServer(extracting) as server:
        assert main([*words, "judge=local", f"judge.base_url={server.url}", "judge.model=rules"]) == 0
    (judged,) = json.loads(capsys.readouterr().out)["results"]
    assert (ruled["judge"], judged["judge"]) == ("rule", f"rules, prompt {name}-1")
    samples = samples_of(find_task(name), next(tmp_path.glob(f"mini*/{name}")))
    if name == "mathvista":  # of options the nearest to 7 is taken, as officially
        typed = [sample for sample in samples if not sample.options]
        assert judged["value"] * len(samples) >= sum(sample.references[0] == "7" for sample in typed)
        assert ruled["unparsed"] == len(samples) and judged["unparsed"] == len(samples) - len(typed)
    else:
        assert (judged["value"], judged["unparsed"]) == (1.0, 0)


def test_mathvista_asks_for_all_but_the_bare_answer() -> None:
    task = find_task("mathvista")
    judging = task.conventions["official"].judging
    assert judging is not None and judging.settles is not None
    groups = {"question_type": "free_form", "answer_type": "integer"}
    sample = Sample(id="1", question="How many?", references=("7",), groups=groups, fields={"precision": None})
    quoted = 'The answer is "7".'
    assert task.conventions["official"].parse(quoted, sample).answer == "7"
    assert judging.settles(quoted, sample).reason == "needs judge: no bare answer" and judging.settles("7", sample).answer == "7"
    (part,) = judging.ask(sample, quoted, 0).parts
    assert getattr(part, "text", "").endswith(f"Extracted answer: B\n\nHow many?\n\n{quoted}\n\nExtracted answer: ")
    assert judging.read("7.0", sample).answer == "7" and judging.read("none", sample).answer is None
