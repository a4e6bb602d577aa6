"""Gates on runs with planted losses and on everything that must not pass."""

import dataclasses
import json
import math
from xml.etree import ElementTree

import pytest

from harness.errors import ConfigError, ResultError
from reports.gate import formats
from reports.gate.check import Places, check
from reports.gate.policy import Policy, Rule, asks, load_policy, policy_of
from reports.gate.work import save_baseline
from tests.reports.conftest import write_run
from tests.reports.gate.conftest import RIGHT, items, worse


def only(report):
    (verdict,) = report.verdicts
    return verdict.word, verdict.why


@pytest.mark.parametrize(
    ("lost", "gained", "rule", "word", "why"),
    [
        (0, 0, {}, "pass", "no loss is shown; one of "),
        (3, 0, {}, "pass", "no loss is shown"),  # below the last result, and no loss: a point estimate is no breach
        (20, 8, {}, "fail", "a loss is shown: -6.00 points"),
        (20, 8, {"tolerated": 0.02}, "pass", "no loss beyond 2.00 points is shown"),
        (40, 0, {"tolerated": 0.02}, "fail", "a loss beyond 2.00 points is shown: -20.00 points"),
        (20, 19, {"margin": 0.02}, "inconclusive", "a loss of 2.00 points could not be seen"),
        (0, 0, {"margin": 0.05}, "pass", "a loss of 5.00 points is ruled out"),
        (2, 2, {"mode": "non_inferior", "margin": 0.05}, "pass", "a loss of 5.00 points is ruled out"),
        (0, 0, {"mode": "non_inferior", "margin": 0.005}, "inconclusive", "is not ruled out"),  # no change seen is not none
        (20, 8, {"mode": "non_inferior", "margin": 0.05}, "inconclusive", "is not ruled out"),  # a loss, perhaps a tolerable one
        (40, 0, {"mode": "non_inferior", "margin": 0.05}, "fail", "a loss beyond 5.00 points is shown"),
        (0, 20, {"mode": "non_inferior", "margin": 0.01}, "pass", "is ruled out: at worst"),
    ],
)
def test_a_planted_loss(gate, lost, gained, rule, word, why):
    report = gate({"pope": (RIGHT, worse(RIGHT, lost, gained))}, **rule)
    found, told = only(report)
    assert (found, report.word) == (word, word)
    assert why in told
    evidence = report.verdicts[0].tested.evidence
    assert evidence.difference == pytest.approx((gained - lost) / 200)
    assert (evidence.wins, evidence.losses, evidence.clusters) == (gained, lost, 200)
    assert evidence.low < evidence.difference < evidence.high
    if word == "inconclusive":
        assert evidence.n_needed > 200


def test_more_benchmarks_ask_for_more_evidence_and_holm_deals_it_out(gate):
    slightly = worse(RIGHT, 13, 3)  # p of one-sided sign test: 0.0106
    assert gate({"pope": (RIGHT, slightly)}).word == "fail"
    many = {task: (RIGHT, RIGHT) for task in ("a", "b", "c", "d", "e")}
    assert gate({**many, "pope": (RIGHT, slightly)}).word == "pass"
    report = gate({"a": (RIGHT, worse(RIGHT, 30)), "b": (RIGHT, slightly), "c": (RIGHT, slightly)})
    assert [verdict.word for verdict in report.verdicts] == ["fail"] * 3
    assert all(v.p_adjusted >= v.tested.evidence.p for v in report.verdicts)


def test_lower_is_better(gate):
    wrong, more = [1 - x for x in RIGHT], [1 - x for x in worse(RIGHT, 30)]
    errors = {"task.higher_is_better": False}
    assert gate({"pope": (wrong, more)}, changes=errors, before=errors).word == "fail"
    report = gate({"pope": (more, wrong)}, changes=errors, before=errors)
    assert (report.word, report.verdicts[0].tested.evidence.difference) == ("pass", pytest.approx(0.15))


def test_nothing_passes_by_not_being_tested(gate, tmp_path):
    both = {"pope": (RIGHT, RIGHT)}
    assert only(gate(both, task=["mmne"])) == ("invalid", "the baseline has no finished run of it (convention official)")
    assert [v.word for v in gate(both, task=["ref*", "*"]).verdicts] == ["invalid", "pass"]
    assert gate(both, convention="vlmevalkit").word == "invalid"
    missing = gate({**both, "mme": (RIGHT, RIGHT)}, task=["pope", "mme"])
    assert missing.word == "pass"
    with pytest.raises(ConfigError, match="names nothing"):
        gate(both, policy={"gates": []})
    root = tmp_path / "gone"
    write_run(root / "a", "old", "pope", kind="replies", items=items("pope", RIGHT))
    write_run(root / "a", "old", "mme", kind="replies", items=items("mme", RIGHT))
    write_run(root / "b", "new", "pope", kind="replies", items=items("pope", RIGHT))
    write_run(root / "b", "new", "mme", kind="replies", items=items("mme", RIGHT), complete=False)
    report = check(Policy(baseline=str(root / "a")), str(root / "b"), Places(folder=root, tags=root))
    assert [(v.tested.task, v.word) for v in report.verdicts] == [("mme", "invalid"), ("pope", "pass")]
    with pytest.raises(ResultError, match="no finished run"):
        check(Policy(baseline=str(root / "a")), str(root / "b" / "new" / "mme@mini"), Places(folder=root, tags=root))


def test_few_clusters_cannot_pass_or_fail_anything(gate):
    assert only(gate({"pope": ([1.0] * 3, [0.0] * 3)}))[0] == "inconclusive"
    assert "3 clusters cannot show any loss among 1 tests; 5 could" in only(gate({"pope": ([1.0] * 3, [1.0] * 3)}))[1]
    assert only(gate({"pope": ([1.0] * 5, [0.0] * 5)}))[0] == "fail"
    assert "one cluster" in only(gate({"pope": ([1.0], [1.0])}))[1]


def test_a_sample_that_fails_counts_as_wrong_and_is_shown(gate):
    """All that the candidate could not answer is what it would have got wrong: dropping it would raise the score."""
    dropped = gate({"pope": (RIGHT, worse(RIGHT, 40))}, flags={"failed": "timeout: gone"})
    assert dropped.word == "fail"
    assert list(dropped.verdicts[0].tested.counts.flaws()) == ["80 failed"]
    nothing = gate({"pope": (RIGHT, [0.0] * 200)}, flags={"failed": "timeout: gone"})
    assert nothing.verdicts[0].tested.evidence.candidate == 0
    assert nothing.word == "fail"
    same = {"pope": (RIGHT, RIGHT)}
    assert only(gate(same, flags={"reason": "no letter"}, unparsed=0.1)) == (
        "fail", "20.0% of the replies are unparsed, at most 10.0% may be",
    )  # fmt: skip
    assert gate(same, flags={"reason": "no letter"}, unparsed=0.2).word == "pass"
    assert gate(same, flags={"truncated": True}, truncated=0.0).word == "fail"


def test_missing_samples_are_invalid_until_allowed_and_then_wrong(gate):
    lacking = {"pope": (RIGHT, RIGHT[:180])}
    word, why = only(gate(lacking))
    assert word == "invalid"
    assert "samples: 200 samples" in why
    allow = {"allow": ["samples", "prompt_text", "media"]}
    assert "20 of 200 samples are missing, coverage 100.0% is required: pope/180" in only(gate(lacking, policy=allow))[1]
    report = gate(lacking, policy=allow, coverage=0.9)
    assert report.verdicts[0].tested.evidence.candidate == pytest.approx(144 / 200)
    assert report.word == "fail"
    assert "compared although samples" in "".join(formats.said(formats.record(report)["gates"][0]))
    more = gate({"pope": (RIGHT[:180], RIGHT)}, policy=allow, coverage=0.5)
    assert "20 samples of the candidate are not in the baseline" in only(more)[1]
    silent = gate({"pope": (RIGHT, RIGHT)}, flags={"missing": True})
    assert "40 of 200 samples are missing" in only(silent)[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task.version": 2}, "version: 1 in the baseline, 2 in the candidate"),
        ({"data.fingerprint": "e" * 16}, "data: "),
        ({"convention": "vlmevalkit"}, "convention: official in the baseline, vlmevalkit in the candidate"),
        ({"prompt": "short"}, "prompt: default in the baseline, short in the candidate"),
        ({"control": "blind"}, "control: none in the baseline, blind in the candidate"),
        ({"judge": {"name": "gpt"}}, "judge: none in the baseline, gpt"),
    ],
)
def test_runs_that_differ_in_more_than_the_model_are_invalid(gate, change, told):
    word, why = only(gate({"pope": (RIGHT, RIGHT)}, changes=change))
    assert word == "invalid"
    assert told in why


def test_a_kept_baseline_says_what_its_folder_says(gate, tmp_path):
    root = tmp_path / "kept"
    for task in ("pope", "mme"):
        write_run(root / "a", "old", task, items=items(task, RIGHT))
        write_run(root / "b", "new", task, items=items(task, worse(RIGHT, 9, 2), reason="no letter"))
    policy = root / "gate.yaml"
    policy.write_text("baseline: kept.json\ngates: [{margin: 0.1}]\n")
    saved = save_baseline(root / "a", policy)
    assert (saved["tasks"], saved["samples"], saved["model"]) == (["mme", "pope"], 400, "old")
    before = (root / "kept.json").read_bytes()
    save_baseline(root / "a", policy)
    assert (root / "kept.json").read_bytes() == before
    assert len(before) < 30_000
    places = Places(folder=root, tags=root)
    asked = load_policy(policy)
    kept = formats.record(check(asked, str(root / "b"), places))
    folder = formats.record(check(dataclasses.replace(asked, baseline="a"), str(root / "b"), places))
    tag = formats.record(check(dataclasses.replace(asked, baseline="kept"), str(root / "b"), places))
    assert kept["gates"] == folder["gates"] == tag["gates"]
    assert kept["gates"][0]["flaws"] == ["49 unparsed"] or kept["gates"][0]["flaws"] == ["47 unparsed"]
    for damage in (b"[]", b"{", before.replace(b'"schema":1', b'"schema":9', 1), before.replace(b'"flags":"0', b'"flags":"', 1)):
        (root / "kept.json").write_bytes(damage)
        with pytest.raises(ResultError, match="kept.json"):
            check(asked, str(root / "b"), places)
    with pytest.raises(ResultError, match="no such file, folder or tag"):
        check(dataclasses.replace(asked, baseline="nowhere"), str(root / "b"), places)


def test_several_models_must_be_told_apart(tmp_path):
    for model in ("old", "new"):
        write_run(tmp_path / "runs", model, "pope", kind="replies", items=items("pope", RIGHT))
    runs, places = str(tmp_path / "runs"), Places(folder=tmp_path, tags=tmp_path)
    with pytest.raises(ResultError, match="holds runs of new, old; say which model"):
        check(Policy(baseline=runs), runs, places)
    with pytest.raises(ResultError, match=r"unknown model 'odl' \(did you mean 'old'\?\)"):
        check(Policy(baseline=runs, model="odl"), runs, places)
    assert check(Policy(baseline=runs, model="old"), runs, dataclasses.replace(places, name="new")).models == ("old", "new")


def test_a_policy_names_all_its_mistakes_at_once(tmp_path):
    file = tmp_path / "gate.yaml"
    file.write_text(
        "baselin: x\nalpha: 2\ngates:\n  - {taks: pope, mode: non_inferor}\n  - {mode: non_inferior, coverage: 2}\n"
        "  - {tolerated: 0.1, margin: 0.05, task: a, suite: b}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_policy(file)
    told = str(caught.value)
    for part in ("baselin: unknown setting (did you mean 'baseline'?)", "gates[0].taks: unknown setting (did you mean 'task'?)",
                 "did you mean 'non_inferior'", "gates[1].coverage=2", "gates[1].margin: missing", "gates[2].margin=0.05",
                 "gates[2].task=a and suite=b"):  # fmt: skip
        assert part in told
    for text, wrong in (("alpha: 0.1\nalpha: 0.2", "duplicate key"), ("- 1", "not settings"), ("a: [", "no YAML")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=wrong):
            load_policy(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "none.yaml")


def test_names_go_before_patterns_and_suites_are_required_whole():
    rules = (Rule(task=("ref*",)), Rule(task=("pope",), metric="mean_f1"), Rule(task=("pope",)), Rule())
    found = asks(Policy(gates=rules), ["pope", "refcoco_val", "mme"])
    assert [(ask.task, ask.rule.metric) for ask in found] == [
        ("refcoco_val", None), ("pope", "mean_f1"), ("pope", None), ("mme", None),
    ]  # fmt: skip
    suite = asks(Policy(gates=(Rule(suite="mini"),)), ["pope"])
    assert {"pope", "mme", "docvqa"} <= {ask.task for ask in suite}
    with pytest.raises(ConfigError, match="did you mean 'mini'"):
        asks(Policy(gates=(Rule(suite="mni"),)), [])
    with pytest.raises(ConfigError, match="unknown setting"):
        policy_of({"gate": []}, "here")


HOSTILE = 'a|b\n<script>alert("x")</script>]]>&amp;\x1b[31m\u202e@team [x](http://y) `z`\ufffe'


def test_hostile_names_stay_names(gate, tmp_path):
    write_run(tmp_path / "a", "old", HOSTILE.replace("/", "_"), items=items("t", RIGHT))
    folder = write_run(tmp_path / "b", "new", HOSTILE.replace("/", "_"), items=items("t", worse(RIGHT, 40)), fingerprint="g")
    about = json.loads((folder / "run.json").read_text())
    about["model"]["name"] = HOSTILE
    (folder / "run.json").write_text(json.dumps(about))
    report = check(Policy(baseline=str(tmp_path / "a")), str(tmp_path / "b"), Places(folder=tmp_path, tags=tmp_path))
    record = formats.record(report)
    formats.write(record, tmp_path / "out")
    root = ElementTree.fromstring((tmp_path / "out" / "gate.xml").read_text(encoding="utf-8"))
    assert root.attrib | {"name": ""} == {"name": "", "tests": "1", "failures": "1", "errors": "0", "skipped": "0", "time": "0"}
    (case,) = root.iter("testcase")
    assert "<script>" in case.attrib["name"] and "\x1b" not in case.attrib["name"]
    assert case.find("failure").attrib["type"] == "fail"
    page = (tmp_path / "out" / "gate.md").read_text(encoding="utf-8")
    assert not [bad for bad in ("<script>", "\u202e", "\x1b", " [x](") if bad in page]
    assert "@team" not in page  # would call people
    (line,) = [line for line in page.splitlines() if line.startswith("| ❌")]
    assert line.replace("\\|", "").count("|") == 9
    assert json.loads((tmp_path / "out" / "gate.json").read_text())["exit"] == 1


def test_a_gate_of_nothing_is_an_error_for_a_build_server(tmp_path):
    report = {"verdict": "invalid", "exit": 3, "alpha": 0.05, "gates": []}
    sides = {side: {"named": "x", "model": ""} for side in ("baseline", "candidate")}
    root = ElementTree.fromstring(formats.as_junit({**report, **sides}))
    assert root.attrib["errors"] == root.attrib["tests"] == "1"
    assert math.isfinite(formats.EXITS["invalid"])
