"""Charts, documents and tables in small: whole, alike from every layout, run from files to score, joined with replies."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from pyarrow import parquet

from harness.catalog import find_task
from harness.cli import main
from harness.data.due import as_reply
from harness.data.media import digest, open_image
from harness.metrics.aggregate import Rows, aggregate
from harness.replies import score_replies
from harness.scoring import score_reply
from harness.types import Image
from tasks.mini import EVAL_TEMPLATES, write
from tests.tasks.reading import read
from tests.tasks.test_score_layouts import Case, cases_of, lines, plain_jsonl, replies_of, table

TASKS = ("chartqa", "infovqa", "deepform", "kleister_charity", "wikitablequestions", "tabfact", "visualmrc")
N = 12
WHOLE = {"deepform": 15, "kleister_charity": 16}
"""Documents are asked whole."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    write(folder, TASKS, seed=3, n=N)
    return folder


@pytest.mark.parametrize("name", TASKS)
def test_the_task_reads_it_and_gives_its_ideal_replies_full_marks(root: Path, name: str) -> None:
    task, found = find_task(name), read(name, root / name)[1]
    official = task.conventions["official"]
    assert len(found) == WHOLE.get(name, N) and len({sample.id for sample in found}) == len(found)
    rows = [score_reply(official, sample, task.ideal(sample)) for sample in found]
    assert not any(row.parsed.unparsed for row in rows)
    got = {one.name: one for one in aggregate(Rows.of(rows), official.metrics)}
    if name == "visualmrc":  # words that every reference has weigh nothing
        assert got["cider"].value > 3 and got["rouge_l"].value == 1.0 and got["bleu4"].value == pytest.approx(1.0)
    else:
        assert got[official.primary].value == pytest.approx(1.0)
    assert got[official.primary].n == len(found)
    for part in found[0].parts:
        assert isinstance(part, Image) and open_image(part.source).size[0] > 0
    patterns = [re.escape(text) for kind, texts in EVAL_TEMPLATES.items() if kind.startswith(name) for text in texts]
    assert all(any(re.fullmatch(re.sub(r"\\\{\w*\\\}", "(.+)", one), sample.question) for one in patterns) for sample in found)


@pytest.mark.parametrize("name", TASKS)
def test_the_same_seed_writes_the_same_bytes_and_each_part_gets_its_share(root: Path, tmp_path: Path, name: str) -> None:
    def content(folder: Path) -> str:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "mini.json")
        return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()

    write(tmp_path, [name], seed=3, n=N)
    assert content(tmp_path / name) == content(root / name)
    write(tmp_path, [name], seed=4, n=N)
    assert content(tmp_path / name) != content(root / name)
    write(tmp_path / "each", [name], each=3)
    parts = {"visualmrc": 1, "deepform": 5, "kleister_charity": 8}.get(name, 2)
    assert len(read(name, tmp_path / "each" / name)[1]) == 3 * parts


def test_a_statement_is_as_often_true_as_false(root: Path) -> None:
    assert Counter(sample.references[0] for sample in read("tabfact", root / "tabfact")[1]) == {"1": N // 2, "0": N // 2}


def picture(path: Path) -> dict[str, Any]:
    return {"bytes": path.read_bytes(), "path": None}


def to_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def to_tsv(path: Path, rows: list[dict[str, Any]]) -> None:
    coded = [{"index": n, **row, "image": base64.b64encode(row["image"]["bytes"]).decode()} for n, row in enumerate(rows)]
    pandas.DataFrame(coded).to_csv(path, sep="\t", index=False)


def chart_rows(official: Path) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [
        (part, one, picture(official / "test/png" / one["imgname"]))
        for part in ("human", "augmented")
        for one in json.loads((official / f"test/test_{part}.json").read_text())
    ]


def chartqa_lmms(official: Path, folder: Path) -> None:
    rows = [
        {"type": f"{part}_test", "question": one["query"], "answer": one["label"], "image": image}
        for part, one, image in chart_rows(official)
    ]
    to_parquet(folder / "data/test-00000-of-00001.parquet", rows)


def chartqa_m4(official: Path, folder: Path) -> None:
    rows = [
        {"image": image, "query": one["query"], "label": [one["label"]], "human_or_machine": int(part == "augmented")}
        for part, one, image in chart_rows(official)
    ]
    to_parquet(folder / "data/test-00000-of-00001.parquet", rows)


def chartqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {"image": image, "question": one["query"], "answer": one["label"], "split": f"test_{part}"}
        for part, one, image in chart_rows(official)
    ]
    to_tsv(folder / "ChartQA_TEST.tsv", rows)


def infographics(official: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    records = json.loads((official / "infographicsVQA_val_v1.0_withQT.json").read_text())["data"]
    return [(one, picture(official / "infographicsvqa_images" / one["image_local_name"])) for one in records]


def infovqa_parquet(official: Path, folder: Path) -> None:
    keep = ("questionId", "question", "answers", "answer_type", "image_url", "operation/reasoning", "data_split")
    rows = [{**{name: one[name] for name in keep}, "image": image} for one, image in infographics(official)]
    to_parquet(folder / "InfographicVQA/validation-00000-of-00006.parquet", rows)


def infovqa_tsv(official: Path, folder: Path) -> None:
    rows = [
        {"index": one["questionId"], "image": image, "question": one["question"], "answer": str(one["answers"])}
        for one, image in infographics(official)
    ]
    to_tsv(folder / "InfoVQA_VAL.tsv", rows)


def due(official: Path, folder: Path, found: list[tuple[str, str, str, list[str], Path]]) -> None:
    """Write lines of name, id, key, values and picture."""
    (folder / "pngs").mkdir()
    records = []
    for name, number, key, values, image in found:
        (folder / "pngs" / f"{name}.png").write_bytes(image.read_bytes())
        listed = [{"value": value, "value_variants": [value]} for value in values]
        records.append({"name": name, "annotations": [{"id": number, "key": key, "values": listed}]})
    lines(folder / "document.jsonl", records)


def infovqa_due(official: Path, folder: Path) -> None:
    at = official / "infographicsvqa_images"
    rows = [
        (str(n), str(one["questionId"]), one["question"], one["answers"], at / one["image_local_name"])
        for n, (one, _) in enumerate(infographics(official))
    ]
    due(official, folder, rows)


def wikitablequestions_due(official: Path, folder: Path) -> None:
    table = [line.split("\t") for line in (official / "pristine-unseen-tables.tagged").read_text().splitlines()[1:]]
    rows = [
        (f"t{n}", one[0], one[1], one[3].split("|"), official / one[2].replace(".csv", ".png")) for n, one in enumerate(table)
    ]
    due(official, folder, rows)


def tabfact_authors(official: Path, folder: Path) -> None:
    documents = [json.loads(line) for line in (official / "document.jsonl").read_text().splitlines()]
    whole = {
        one["name"]: [
            [a["key"] for a in one["annotations"]],
            [int(a["values"][0]["value"]) for a in one["annotations"]],
            "caption",
        ]
        for one in documents
    }
    (folder / "tokenized_data").mkdir()
    (folder / "tokenized_data/test_examples.json").write_text(json.dumps(whole))
    (folder / "pngs").symlink_to(official / "pngs")


LAYOUTS = (
    *(("chartqa", one) for one in (chartqa_lmms, chartqa_m4, chartqa_tsv)),
    *(("infovqa", one) for one in (infovqa_parquet, infovqa_tsv, infovqa_due)),
    ("wikitablequestions", wikitablequestions_due),
    ("tabfact", tabfact_authors),
)


@pytest.mark.parametrize(("task", "other"), LAYOUTS)
def test_every_layout_gives_the_same_samples(root: Path, tmp_path: Path, task: str, other: Callable[[Path, Path], None]) -> None:
    other(root / task, tmp_path)
    (first, ours), (second, theirs) = read(task, root / task), read(task, tmp_path)
    assert first == "official" != second
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine.id, mine.question, mine.references) == (yours.id, yours.question, yours.references)
        assert [digest(one.source) for one in mine.parts if isinstance(one, Image)] == [
            digest(one.source) for one in yours.parts if isinstance(one, Image)
        ]
    alike = [[one.cluster == two.cluster for one in some for two in some] for some in (ours, theirs)]
    assert alike[0] == alike[1] or task in ("chartqa", "infovqa"), "where pictures repeat in the mini world, tables know it"


def test_charts_are_found_where_the_archive_has_them_and_beside_a_named_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "ChartQA Dataset").symlink_to(root / "chartqa")
    assert len(read("chartqa", tmp_path)[1]) == N
    (tmp_path / "flat").symlink_to(root / "chartqa/test")
    assert len(read("chartqa", tmp_path / "flat")[1]) == N
    named = read("chartqa", root / "chartqa/test/test_human.json")[1]
    assert len(named) == N // 2 and named[0].groups["split"] == "human"
    assert all(one.source.read() for one in named[0].parts if isinstance(one, Image))


def test_equal_questions_have_ids_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, ["chartqa"], n=4)
    file = tmp_path / "chartqa/test/test_human.json"
    one = json.loads(file.read_text())[0]
    file.write_text(json.dumps([one, one]))
    first, second, *_ = read("chartqa", tmp_path / "chartqa")[1]
    assert second.id == f"{first.id}#2"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return cases_of(TASKS, tmp_path_factory.mktemp("replies"), 8)


def in_order(case: Case, folder: Path) -> Path:
    (folder / "human_augmented.json").write_text(json.dumps(list(case.replies)))
    return folder / "human_augmented.json"


def submission(case: Case, folder: Path) -> Path:
    rows = [{"questionId": int(sample.id), "answer": reply} for sample, reply in zip(case.samples, case.replies, strict=True)]
    (folder / "submission.json").write_text(json.dumps(rows))
    return folder / "submission.json"


def due_answers(case: Case, folder: Path) -> Path:
    documents: dict[str, list[dict[str, Any]]] = {}
    for sample, reply in zip(case.samples, case.replies, strict=True):
        name, _, key = sample.id.partition("/")
        documents.setdefault(name, []).append({"key": key, "values": [{"value": reply}]})
    return lines(folder / "answers.jsonl", [{"name": name, "annotations": one} for name, one in documents.items()])


def items(case: Case, folder: Path) -> Path:
    text = "".join(f"{sample.id}\t{reply}\n" for sample, reply in zip(case.samples, case.replies, strict=True))
    (folder / "predictions.tsv").write_text(text)
    return folder / "predictions.tsv"


Writer = Callable[[Case, Path], Path]
OWN: dict[str, tuple[Writer, ...]] = {
    "infovqa": (submission,),
    "deepform": (due_answers,),
    "kleister_charity": (due_answers,),
    "tabfact": (due_answers,),
    "wikitablequestions": (items,),
}


@pytest.mark.parametrize(("name", "writer"), [(name, one) for name in TASKS for one in (plain_jsonl, table, *OWN.get(name, ()))])
def test_each_reply_reaches_its_sample(name: str, writer: Writer, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    (tmp_path / "replies").mkdir()
    result = score_replies(case.task, case.data, writer(case, tmp_path / "replies"), runs=tmp_path / "runs", data_name="mini")
    found = [None if reply is None else reply.rstrip() for reply in replies_of(result)]
    wanted = [reply.rstrip() for reply in case.replies]
    if writer is due_answers:
        wanted = [as_reply([reply]).rstrip() for reply in case.replies]
    if writer is items:
        wanted = [as_reply(reply.split("\t")).rstrip() for reply in case.replies]
    assert found == wanted, result.run["replies"]
    assert result.missing == 0


@pytest.mark.parametrize("name", TASKS)
def test_a_missing_reply_is_counted_and_earns_nothing(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case = cases[name]
    rows = [{"id": sample.id, "reply": case.task.ideal(sample)} for sample in case.samples]
    lost = next(n for n, sample in enumerate(case.samples) if sample.references != ("None",))
    result = score_replies(
        case.task, case.data, lines(tmp_path / "r.jsonl", rows[:lost] + rows[lost + 1 :]), runs=tmp_path / "runs"
    )
    assert (result.missing, result.n) == (1, len(case.samples))
    whole = score_replies(case.task, case.data, lines(tmp_path / "s.jsonl", rows), runs=tmp_path / "runs")
    assert result.metric().value < whole.metric().value


def test_every_task_runs_from_its_files_to_its_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [f"paths.data={tmp_path / 'data'}", f"runs={tmp_path / 'runs'}"]
    assert main(["eval", "model=nano", "suite=documents_mini", "mini.n=2", "limit=2", *places, "output=json"]) == 0
    text = capsys.readouterr().out
    assert all(f"{name}@mini" in text for name in TASKS)
