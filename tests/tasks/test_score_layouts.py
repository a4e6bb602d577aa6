"""Every benchmark's replies in every layout in which people have them: the same reply must reach the same sample."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.errors import DatasetError, ReplyError
from harness.plan import Source
from harness.replies import score_replies
from harness.results import Result
from harness.task import Task
from harness.types import Sample, Text
from tasks.mini import write

TASKS = ("mme", "pope", "mmbench_en", "mathvista", "refcoco_val", "docvqa", "videobench")


@dataclass(frozen=True)
class Case:
    """A mini benchmark with a reply for each sample; every third is wrong, and no two are the same."""

    task: Task
    data: tuple[Path, ...]
    samples: Sequence[Sample]
    replies: Sequence[str]


def cases_of(names: Sequence[str], root: Path, size: int) -> dict[str, Case]:
    """Mini benchmarks below ``root``, by name."""
    made = {}
    for name in names:
        task = find_task(name)
        data = tuple(write(root, [name], seed=5, n=size))
        samples = list(Source.find(task, data).samples())
        replies = [f"perhaps {n}" if n % 3 == 1 else f"{task.ideal(one)}{' ' * n}" for n, one in enumerate(samples)]
        made[name] = Case(task, data, samples, replies)
    return made


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    root = tmp_path_factory.mktemp("mini")
    others = [name for name in TASKS if name != "refcoco_val"]
    return cases_of(others, root, 20) | cases_of(["refcoco_val"], root, 60)


def picture(sample: Sample) -> str:
    """The file name of a sample's picture, as toolkits record it."""
    return PurePosixPath(sample.parts[0].source.label).name if not isinstance(sample.parts[0], Text) else ""


def lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def plain_jsonl(case: Case, folder: Path) -> Path:
    rows = [{"id": sample.id, "reply": reply} for sample, reply in zip(case.samples, case.replies, strict=True)]
    return lines(folder / "plain.jsonl", rows[::-1])


def plain_csv(case: Case, folder: Path) -> Path:
    with (folder / "plain.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerows([("id", "response"), *((s.id, r) for s, r in zip(case.samples, case.replies, strict=True))])
    return folder / "plain.csv"


def by_id_json_gz(case: Case, folder: Path) -> Path:
    path = folder / "by_id.json.gz"
    text = json.dumps({sample.id: reply for sample, reply in zip(case.samples, case.replies, strict=True)})
    path.write_bytes(gzip.compress(text.encode()))
    return path


def lmms_eval(case: Case, folder: Path) -> Path:
    rows = []
    for number, (sample, reply) in enumerate(zip(case.samples, case.replies, strict=True)):
        doc = {"question": sample.question, "question_id": sample.fields.get("question_id"), "image": None}
        doc |= {"questionId": sample.id} if case.task.name == "docvqa" else {}
        doc |= {"pid": sample.id} if case.task.name == "mathvista" else {}
        doc |= {"index": sample.id} if case.task.name == "mmbench_en" else {}
        doc |= {"question_id": f"{sample.cluster}.png"} if case.task.name == "mme" else {}
        rows.append({"doc_id": number, "doc": doc, "target": sample.references[0], "resps": [[reply]], "filtered_resps": [reply]})
    return lines(folder / "samples.jsonl", rows)


def llava(case: Case, folder: Path) -> Path:
    """LLaVA's own scripts: running numbers in POPE, the picture in MME, else the benchmark's id; always the whole prompt."""
    ask = case.task.prompts.get("llava", case.task.prompt)
    rows = []
    for number, (sample, reply) in enumerate(zip(case.samples, case.replies, strict=True)):
        own = {"pope": number, "mme": f"{sample.cluster}.png", "mmbench_en": int(sample.id) if sample.id.isdecimal() else 0}
        rows.append({"question_id": own.get(case.task.name, sample.id), "prompt": ask(sample), "text": reply, "answer_id": "x"})
    return lines(folder / "llava.jsonl", rows)


def table(case: Case, folder: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    sheet.append(["index", "question", "prediction", "answer"])
    for sample, reply in zip(case.samples, case.replies, strict=True):
        sheet.append([int(sample.id) if sample.id.isdecimal() else sample.id, sample.question, reply, sample.references[0]])
    book.save(folder / "table.xlsx")
    return folder / "table.xlsx"


def tsv(case: Case, folder: Path) -> Path:
    with gzip.open(folder / "table.tsv.gz", "wt", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\r\n")
        writer.writerow(["index", "question", "prediction"])
        writer.writerows((s.id, s.question, r) for s, r in zip(case.samples, case.replies, strict=True))
    return folder / "table.tsv.gz"


def mme_eval_tool(case: Case, folder: Path) -> Path:
    files = defaultdict(list)
    for sample, reply in zip(case.samples, case.replies, strict=True):
        files[sample.groups["subtask"]].append((picture(sample), sample.question, sample.references[0], reply))
    for name, rows in files.items():
        (folder / f"{name}.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
    return folder


def pope_answers(case: Case, folder: Path) -> Path:
    """The official scorer reads a file of question and answer a kind, in the order of the questions."""
    files = defaultdict(list)
    for sample, reply in zip(case.samples, case.replies, strict=True):
        files[sample.groups["category"]].append({"question": sample.question, "answer": reply})
    for name, rows in files.items():
        lines(folder / f"model_coco_{name}_answers.json", rows)
    return folder


def mathvista_output(case: Case, folder: Path) -> Path:
    rows = {
        sample.id: {
            "pid": sample.id,
            "question": sample.question,
            "answer": sample.references[0],
            "query": "q",
            "response": reply,
        }
        for sample, reply in zip(case.samples, case.replies, strict=True)
    }
    (folder / "output.json").write_text(json.dumps(rows))
    return folder / "output.json"


def refcoco_authors(case: Case, folder: Path) -> Path:
    rows = [
        {
            "image_path": f"data/coco/train2014/{picture(sample)}",
            "question": sample.question,
            "question_id": sample.fields["question_id"],
            "gt_answers": [float(edge) for edge in sample.references[0].split(",")],
            "answer": reply,
        }
        for sample, reply in zip(case.samples, case.replies, strict=True)
    ]
    (folder / "authors.json").write_text(json.dumps(rows))
    return folder / "authors.json"


def refcoco_results(case: Case, folder: Path) -> Path:
    """VLM-R1's logs: question and box, but no picture."""
    rows = [
        {
            "question": case.task.prompt(sample),
            "ground_truth": [float(edge) for edge in sample.references[0].split(",")],
            "model_output": reply,
            "extracted_answer": [0, 0, 1, 1],
            "correct": 0,
        }
        for sample, reply in zip(case.samples, case.replies, strict=True)
    ]
    (folder / "results.json").write_text(json.dumps({"accuracy": 12.5, "results": rows}))
    return folder / "results.json"


def docvqa_submission(case: Case, folder: Path) -> Path:
    rows = [{"questionId": int(s.id), "answer": r} for s, r in zip(case.samples, case.replies, strict=True)]
    (folder / "submission.json").write_text(json.dumps(rows))
    return folder / "submission.json"


def videobench_records(case: Case, **more: str) -> dict[str, dict[str, Any]]:
    sets: dict[str, dict[str, Any]] = defaultdict(dict)
    for sample, reply in zip(case.samples, case.replies, strict=True):
        record = {"video_id": sample.fields["video_id"], "question": sample.question, "output_sequence": reply, **more}
        sets[sample.groups["dataset"]][sample.fields["question_id"]] = record
    return sets


def videobench_chat(case: Case, folder: Path) -> Path:
    for name, rows in videobench_records(case).items():
        (folder / f"{name}_eval.json").write_text(json.dumps(rows))
    return folder


def videobench_merged(case: Case, folder: Path) -> Path:
    (folder / "Video_Bench_Input.json").write_text(json.dumps(videobench_records(case)))
    return folder / "Video_Bench_Input.json"


Writer = Callable[[Case, Path], Path]
GENERIC: tuple[Writer, ...] = (plain_jsonl, plain_csv, by_id_json_gz, lmms_eval, llava, table, tsv)
OWN: dict[str, tuple[Writer, ...]] = {
    "mme": (mme_eval_tool,),
    "pope": (pope_answers,),
    "mathvista": (mathvista_output,),
    "refcoco_val": (refcoco_authors, refcoco_results),
    "docvqa": (docvqa_submission,),
    "videobench": (videobench_chat, videobench_merged),
}


def replies_of(result: Result) -> list[str | None]:
    return list(parquet.read_table(result.scores_path).column("reply").to_pylist())


@pytest.mark.parametrize(("name", "writer"), [(name, writer) for name in TASKS for writer in (*GENERIC, *OWN.get(name, ()))])
def test_each_reply_reaches_its_sample(name: str, writer: Writer, cases: dict[str, Case], tmp_path: Path) -> None:
    assert joined_whole(cases[name], writer, tmp_path).run["model"]["kind"] == "replies"


def joined_whole(case: Case, writer: Writer, tmp_path: Path) -> Result:
    """Score the file that a writer makes, and see that each reply is with its sample."""
    folder = tmp_path / "replies"
    folder.mkdir()
    result = score_replies(case.task, case.data, writer(case, folder), model_name="a", runs=tmp_path / "runs", data_name="mini")
    joined = result.run["replies"]
    assert replies_of(result) == list(case.replies), joined
    assert (result.missing, joined["extra"]["n"], joined["duplicates"]["n"]) == (0, 0, 0)
    return result


@pytest.mark.parametrize("name", TASKS)
def test_pictures_are_not_needed(name: str, cases: dict[str, Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import harness.types

    def refuse(source: object) -> bytes:
        raise AssertionError(f"{source} was opened")

    monkeypatch.setattr(harness.types.FileSource, "read", refuse)
    case = cases[name]
    result = score_replies(case.task, case.data, plain_jsonl(case, tmp_path), runs=tmp_path / "runs")
    assert result.n == len(case.samples)


@pytest.mark.parametrize("name", TASKS)
def test_the_benchmarks_own_annotations_are_no_replies(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    source = next(
        (
            path
            for path in sorted(case.data[0].rglob("*"))
            if path.suffix in (".json", ".tsv") and path.name not in ("mini.json", "ANSWER.json")
        ),
        None,
    )
    if source is not None:
        with pytest.raises(ReplyError):
            score_replies(case.task, case.data, source, runs=tmp_path / "runs")


@pytest.mark.parametrize("name", TASKS)
def test_missing_extra_and_duplicate_replies_are_counted_and_shift_nothing(
    name: str, cases: dict[str, Case], tmp_path: Path
) -> None:
    case = cases[name]
    rows = [{"id": sample.id, "reply": reply} for sample, reply in zip(case.samples, case.replies, strict=True)]
    (gone,) = rows[1:2]
    rows = [{"id": "nobody", "reply": "?"}, rows[0], *rows[2:], {**rows[3], "reply": "again"}]
    result = score_replies(case.task, case.data, lines(tmp_path / "r.jsonl", rows), runs=tmp_path / "runs")
    joined = result.run["replies"]
    assert joined["missing"] == {"n": 1, "first": [gone["id"]]}
    assert (joined["extra"]["n"], joined["duplicates"]["n"], result.missing) == (1, 1, 1)
    assert "line 1" in joined["extra"]["first"][0]
    assert replies_of(result) == [None if reply == gone["reply"] else reply for reply in case.replies]


def test_replies_of_another_task_are_refused(cases: dict[str, Case], tmp_path: Path) -> None:
    with pytest.raises(ReplyError, match="do not fit the .* samples") as error:
        score_replies(cases["mme"].task, cases["mme"].data, plain_jsonl(cases["docvqa"], tmp_path), runs=tmp_path / "runs")
    assert "The first record" in str(error.value) and "Known layouts" in str(error.value)


def test_a_stored_extraction_is_scored_and_named_as_judged(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["mathvista"]
    rows = {s.id: {"response": "I think, well.", "extraction": s.references[0]} for s in case.samples}
    (tmp_path / "output.json").write_text(json.dumps(rows))
    result = score_replies(case.task, case.data, tmp_path / "output.json", runs=tmp_path / "runs")
    assert result.metric().value > 0.9
    assert result.run["judge"] == "stored extraction"
    assert set(replies_of(result)) == {"I think, well."}


def test_another_convention_is_written_beside_the_first(cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases["pope"]
    file = plain_jsonl(case, tmp_path)
    first = score_replies(case.task, case.data, file, runs=tmp_path / "runs")
    second = score_replies(case.task, case.data, file, runs=tmp_path / "runs", convention="vlmevalkit")
    assert first.folder == second.folder
    assert (second.convention, second.run["convention"]) == ("vlmevalkit", "official")
    assert {path.name for path in first.folder.glob("result*")} == {"result.json", "result.vlmevalkit.json"}


def test_a_scoring_that_failed_leaves_its_convention_to_the_next(tmp_path: Path) -> None:
    """The error of the official convention names one that does without the picture's size; that one must then work."""
    box = {"question": "left bus", "bbox_xyxy": [1, 2, 101, 202], "image_path": None, "size": None}
    data = lines(tmp_path / "annotations.jsonl", [box])
    file = lines(tmp_path / "replies.jsonl", [{"question": "left bus", "reply": "[1, 2, 101, 202]"}])
    task = find_task("refcoco_val")
    with pytest.raises(DatasetError, match="convention=pixels"):
        score_replies(task, data, file, runs=tmp_path / "runs")
    result = score_replies(task, data, file, runs=tmp_path / "runs", convention="pixels")
    assert (result.run["convention"], result.metric().value) == ("pixels", 1.0)
    assert {path.name for path in result.folder.glob("result*")} == {"result.json"}
