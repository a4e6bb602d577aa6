"""``riddle reproduce`` on cases made up here: what is equal, what differs, what cannot be scored, and the page of it."""

import gzip
import json

import pytest

from harness.cases import find_cases
from harness.cli import main
from harness.errors import DatasetError
from harness.matching import Metrics, Rule, matches
from harness.metrics.aggregate import Estimate

QUESTIONS = [("dog", "yes"), ("cat", "no"), ("sofa", "yes"), ("bowl", "no")]


def put(folder, name, value):
    folder.mkdir(parents=True, exist_ok=True)
    lines = value if isinstance(value, list) else [value]
    data = "\n".join(map(json.dumps, lines)).encode()
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def pope_case(root, model, expected, said=("Yes", "Yes", "No", "No"), **more):
    """POPE of four questions in one category: one of each of TP, FP, FN, TN."""
    rows = [
        {"question_id": n, "image": f"{n}.jpg", "text": f"Is there a {what} in the image?", "label": label}
        for n, (what, label) in enumerate(QUESTIONS, start=1)
    ]
    put(root / "pope", "coco_pope_random.json.gz", rows)
    folder = root / "pope" / model
    named = ("question_id", "image")
    replies = [
        {**{name: row[name] for name in named}, "question": row["text"], "answer": a} for row, a in zip(rows, said, strict=True)
    ]
    put(folder, "replies.jsonl.processed", replies)
    (folder / "terms.json").write_text("{}")
    case = {
        "benchmark": "pope", "model": model, "annotations": ["../coco_pope_random.json.gz", "terms.json"],
        "predictions": "replies.jsonl.processed", "expected": expected, **more,
    }  # fmt: skip
    put(folder, "case.json", case)


def command(root, *words):
    folder = root.parent
    return main(["reproduce", f"cases={root}", f"out={folder / 'page.md'}", f"runs={folder / 'runs'}", *words])


def test_equal_numbers_pass_and_the_page_names_no_place(tmp_path, capsys):
    root = tmp_path / "cases"
    expected = {"random": {"n": 4, "TP": 1, "accuracy": 0.5, "f1": 0.5}, "mean_f1_percent": 50.0}
    notes = ["Nothing. It was printed as 49.9 by mistake. More."]
    pope_case(root, "half", expected, published={"mean_f1_percent": 49.9}, notes=notes)
    assert command(root) == 0
    page = (tmp_path / "page.md").read_text()
    assert "| pope | half | mean\\_f1\\_percent | pope, mean\\_f1 (official) | 4 | 50.0 |" in page
    assert "49.9 was printed, the scorer gives 50: It was printed as 49.9 by mistake." in page
    assert "no metric of riddle is random.TP 1" in page
    assert str(tmp_path) not in page
    assert list((tmp_path / "runs").glob("half/pope/*/result.json"))
    assert "4 equal, 4 matched, 5 expected" in capsys.readouterr().out


def test_a_number_that_differs_fails_and_so_does_a_case_that_cannot_be_scored(tmp_path, capsys):
    root = tmp_path / "cases"
    pope_case(root, "other", {"mean_f1_percent": 50.1})
    pope_case(root, "unmatched", {"shoe_size": 41.5})
    pope_case(root, "wild", {"mean_f1_percent": 50.0}, predictions="/etc/hostname")
    assert command(root, "output=json") == 1
    document = json.loads(capsys.readouterr().out)
    said = {row["model"]: row["failed"] for row in document["results"]}
    assert "mean_f1_percent: 50.0, expected 50.1" in said["other"]
    assert said["unmatched"] == "none of the expected numbers could be matched"
    assert "which is not there (or not below cases/)" in said["wild"]
    assert str(tmp_path) not in (tmp_path / "page.md").read_text()


def test_benchmarks_that_nobody_listed_are_matched_by_value_and_name(tmp_path):
    root = tmp_path / "cases"
    pope_case(root, "half", {"accuracy": 50.0, "adversarial": {"f1": 0.7}, "random": {"f1": 0.5, "n": 4}})
    assert command(root, "~known.pope") == 0
    pope_case(root, "half", {"accuracy": 61.5})
    assert command(root, "~known.pope") == 1


def test_verdicts_in_a_field_of_the_replies_count_as_a_judges_grades(tmp_path):
    row = {
        "category": "VD", "subcategory": "ocr", "visual_input": "1", "set_id": "0", "figure_id": "1", "question_id": "0",
        "question": "Is it red?", "gt_answer": "1", "gt_answer_details": "It is red.", "filename": "x.png",
    }  # fmt: skip
    rows = [
        {
            **row,
            "set_id": str(n),
            "question_id": str(n),
            "question": f"Is part {n} red?",
            "m_output": "It may be.",
            "m_check": check,
        }
        for n, check in enumerate("1102")
    ]
    put(tmp_path / "cases", "case.json", [])
    (tmp_path / "cases" / "HallusionBench.json").write_text(json.dumps(rows))
    fields = {"prediction_field": "m_output", "correctness_field": "m_check"}
    files = {"annotations": "HallusionBench.json", "predictions": "HallusionBench.json"}
    put(
        tmp_path / "cases",
        "case.json",
        {"benchmark": "hallusionbench", "model": "m", **files, **fields, "expected": {"aAcc": 50.0}},
    )
    assert command(tmp_path / "cases") == 0


def estimate(name, value, n=10):
    return Estimate(name=name, value=value, se=0.1, low=value - 0.1, high=value + 0.1, n=n, clusters=n)


def test_digits_decide_whether_numbers_are_equal():
    runs = [
        Metrics(task="t", convention="official", estimates=(estimate("score/a", 0.604), estimate("score/b", 0.533))),
        Metrics(task="t", convention="other", estimates=(estimate("score/a", 0.6),)),
    ]
    expected = {"all.a.acc": 0.6, "all.b.acc": 0.533, "all.b.n": 10}
    rule = Rule(expected="all.*.acc", metric="score/*")
    first, second, third = matches(expected, {}, runs, [rule])
    assert not first.equal and second.equal and third.equal  # 0.6 beside 0.533 is 0.600
    either = Rule(expected="all.*.acc", metric="{0}/score", convention=("official", "other"))
    assert next(matches(expected, {}, runs, [either])).ours is None
    either = Rule(expected="all.*.acc", metric="score/{0}", convention=("official", "other"))
    assert next(matches(expected, {}, runs, [either])).convention == "other"
    counted = Rule(expected="correct", metric="score/b", scale="count")
    assert not next(matches({"correct": 5}, {}, runs, [counted])).equal
    assert next(matches({"x10": 5.3}, {}, runs, [Rule(expected="x10", metric="score/b", scale="tenfold", rounded=3)])).equal


@pytest.mark.parametrize(
    ("text", "said"), [("[]", "lacks benchmark"), ("{", "cannot be read"), ('{"benchmark": "pope"}', "lacks model")]
)
def test_a_case_that_is_none_is_named(tmp_path, text, said):
    with pytest.raises(DatasetError, match=r"no case\.json"):
        next(find_cases(tmp_path))
    (tmp_path / "case.json").write_text(text)
    with pytest.raises(DatasetError, match=said):
        next(find_cases(tmp_path))
