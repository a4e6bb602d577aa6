"""Finished runs compared: what may be compared, sample by sample, over benchmarks, seeds and categories, and what people see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.catalog import find_task
from harness.cli import main
from harness.errors import ResultError
from harness.metrics.aggregate import Rows, aggregate
from harness.results import write_scores
from harness.scoring import score_reply
from harness.types import Sample
from reports.aligned import align, finished
from reports.comparable import check_comparable, differences
from reports.compare import How, compare
from reports.compared import as_markdown, compare_runs
from reports.composite import composite, part_of
from reports.load import Run
from reports.paired import paired
from reports.samples import page_name
from tests.reports.conftest import Item, write_run


def items(right: list[bool], task: str = "pope") -> list[Item]:
    return [
        Item(id=f"{task}/{i}", score=float(hit), groups={"category": ("random", "popular")[i % 2]}) for i, hit in enumerate(right)
    ]


def answers(n: int, share: float, seed: int = 0) -> list[bool]:
    return (np.random.default_rng(seed).random(n) < share).tolist()


def scored_run(root: Path, model: str, task: str, replies: list[str], samples: list[Sample]) -> Path:
    """A run folder whose scores and metrics are those that the benchmark's own scorer makes of replies."""
    found = find_task(task)
    convention = found.conventions["official"]
    rows = [score_reply(convention, sample, reply) for sample, reply in zip(samples, replies, strict=True)]
    folder = write_run(root, model, task, items=[Item(id=sample.id, score=0.0) for sample in samples])
    write_scores(folder / "scores.parquet", lambda: rows)
    metrics = [replace(one, unit=one.unit or found.unit).record() for one in aggregate(Rows.of(rows), convention.metrics)]
    result = json.loads((folder / "result.json").read_text()) | {"metrics": metrics, "primary": convention.primary}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def test_a_planted_difference_is_found_with_its_flips_and_categories(runs, tmp_path):
    base = answers(200, 0.5)
    better = [hit or i % 2 == 0 for i, hit in enumerate(base)]  # only the category random gains
    write_run(runs, "old", items=items(base))
    folder = write_run(runs, "new", items=items(better))
    page = tmp_path / "board" / "samples" / page_name(finished(folder))
    page.parent.mkdir(parents=True)
    page.touch()
    got = compare(["old"], ["new"], runs, how=How(leaderboard=tmp_path / "board"))
    (one,) = got.comparisons
    assert got.verdict == "better on 1 of 1, worse on none"
    assert (one.lost, len(one.won)) == ((), sum(better) - sum(base))
    assert one.won[0].page == f"{page}#s-{one.won[0].sample_id.replace('/', '~2F~')}"
    assert one.result.difference == pytest.approx(one.value_b - one.value_a)
    effects = {effect.value: effect for effect in one.effects}
    assert effects["popular"].result.difference == 0 and effects["popular"].p_adjusted == 1
    assert effects["random"].p_adjusted < 1e-6
    assert any("one seed says nothing about the method" in line for line in got.says)


def test_no_difference_is_not_called_equality(runs):
    write_run(runs, "old", items=items(answers(200, 0.5)))
    write_run(runs, "new", items=items(answers(200, 0.5, seed=1)))
    got = compare(["old"], ["new"], runs)
    assert got.verdict == "no difference shown on any of 1"
    assert any("not equality" in line for line in got.says)
    assert compare(["new"], ["old"], runs).comparisons[0].result.difference == -got.comparisons[0].result.difference


@pytest.mark.parametrize(
    ("changes", "aspect"),
    [
        ({"prompt": "short"}, "prompt"),
        ({"task.version": 2}, "version"),
        ({"data.fingerprint": "e" * 16}, "data"),
        ({"generation": {"max_new_tokens": 99}}, "generation"),
        ({"control": "blind"}, "control"),
        ({"limit": 8}, "limit"),
    ],
)
def test_runs_that_differ_in_more_than_the_model_are_refused_unless_allowed(runs, changes, aspect):
    a, b = (finished(write_run(runs, name, **own)) for name, own in (("old", {}), ("new", changes)))
    with pytest.raises(ResultError, match=rf"(?s)  {aspect}: .*allow=\[{aspect}\]"):
        check_comparable(a, b)
    assert [one.aspect for one in check_comparable(a, b, [aspect])] == [aspect]
    assert differences(a, a) == ()
    with pytest.raises(ResultError, match="unknown allow 'prmpt' .did you mean 'prompt'"):
        check_comparable(a, b, ["prmpt"])


def test_prompts_that_read_differently_are_seen_though_their_name_is_one(runs):
    a = finished(write_run(runs, "old"))
    b = finished(write_run(runs, "new", items=[Item(id=f"pope/{i}", prompt="Say yes.") for i in range(8)]))
    assert [one.aspect for one in differences(a, b)] == ["prompt_text"]
    elsewhere = finished(write_run(runs, "elsewhere", kind="replies"))
    assert ("prompt_text", "not stored") in [(one.aspect, one.b) for one in differences(a, elsewhere)]


def test_an_absent_sample_is_wrong_and_listed_never_dropped(runs):
    write_run(runs, "old", items=items([True] * 10))
    write_run(runs, "new", items=items([True] * 7))
    with pytest.raises(ResultError, match="  samples: 10 samples"):
        compare(["old"], ["new"], runs)
    (one,) = compare(["old"], ["new"], runs, how=How(allow=("samples", "prompt_text", "media"))).comparisons
    assert one.absent_b == ("pope/7", "pope/8", "pope/9") and one.absent_a == ()
    assert (one.value_a, one.value_b, one.result.n) == (1.0, 0.7, 10)
    assert [flip.sample_id for flip in one.lost] == list(one.absent_b)
    (back,) = compare(["new"], ["old"], runs, how=How(allow=("samples", "prompt_text", "media"))).comparisons
    assert back.result.difference == pytest.approx(0.3)


def test_a_result_that_its_scores_do_not_make_is_refused(runs):
    write_run(runs, "old", value=0.123)
    write_run(runs, "new")
    with pytest.raises(ResultError, match="accuracy is 0.123 in its result"):
        compare(["old"], ["new"], runs)


def test_grouped_metrics_count_groups_and_ratios_count_clusters(runs):
    """CircularEval: a question with all four turns right; F1: through the influence of each picture."""
    turns = [
        Sample(
            id=f"{question}/{turn}",
            options=("a", "b", "c", "d"),
            references=("ABCD"[turn],),
            cluster=str(question),
            groups={"question": str(question), "rotation": str(turn)},
        )
        for question in range(12)
        for turn in range(4)
    ]
    right = [sample.references[0] for sample in turns]
    spoiled = ["Z" if i in (0, 1, 2, 3, 9) else reply for i, reply in enumerate(right)]
    a, b = (finished(scored_run(runs, name, "mmbench_en", own, turns)) for name, own in (("x", right), ("y", spoiled)))
    units = align(a, b)
    assert (units.counted, len(units.a), units.value_a, units.value_b) == ("group", 12, 1.0, pytest.approx(10 / 12))
    assert paired(units.a, units.b, units.cluster).losses == 2

    kinds = ("random", "popular")
    asked = [
        Sample(id=str(i), references=(("yes", "no")[i % 2],), cluster=str(i // 4), groups={"category": kinds[i // 8 % 2]})
        for i in range(64)
    ]
    said = [["yes" if hit == (i % 2 == 0) else "no" for i, hit in enumerate(answers(64, share, 2))] for share in (0.9, 0.6)]
    a, b = (finished(scored_run(runs, name, "pope", own, asked)) for name, own in zip("xy", said, strict=True))
    units = align(a, b)
    assert units.counted == "cluster" and len(units.a) == 16
    found = paired(units.a, units.b, units.cluster)
    assert found.difference == pytest.approx(b.headline.value - a.headline.value, abs=1e-12)
    same = paired(units.a, np.full(16, units.a.mean()), units.cluster)
    assert same.se == pytest.approx(a.headline.se, abs=1e-12)  # against a constant it is the run's own error
    (one,) = compare([str(a.folder)], [str(b.folder)]).comparisons
    assert one.lost and {effect.group for effect in one.effects} >= {"f1", "accuracy"}


def test_several_benchmarks_are_adjusted_together_and_what_is_not_shared_is_named(runs):
    for task, gain in (("pope", True), ("docvqa", False)):
        base = answers(40, 0.5)
        write_run(runs, "old", task, items=items(base, task))
        better = [hit or (gain and i % 4 == 0) for i, hit in enumerate(base)]
        write_run(runs, "new", task, items=items(better, task), **({} if gain else {"prompt": "short"}))
    write_run(runs, "old", "chartqa")
    got = compare(["old"], ["new"], runs, how=How(allow=("prompt",)))
    assert got.only_a == ("chartqa@mini",) and got.only_b == ()
    p, raw = ({one.task: getattr(one, name) for one in got.comparisons} for name in ("p_adjusted", "p"))
    assert p["pope"] == pytest.approx(2 * raw["pope"])
    bh = compare(["old"], ["new"], runs, correction="bh", how=How(allow=("prompt",)))
    assert any(line.startswith("Benjamini-Hochberg") for line in bh.says)
    assert got.overall is not None and got.overall.clusters == 80
    refused = compare(["old"], ["new"], runs)
    assert [task for task, _ in refused.refused] == ["docvqa"] and len(refused.comparisons) == 1


def test_a_sum_over_benchmarks_knows_the_pictures_they_share(runs, tmp_path):
    def run(task: str, prefix: str) -> Run:
        right = answers(12, 0.5)
        shown = [replace(item, picture=tmp_path / f"{prefix}{i}.png") for i, item in enumerate(items(right, task))]
        for item in shown:
            item.picture.write_bytes(item.picture.name.encode())
        return finished(write_run(runs, "model", task, items=shown))

    pope, twin, other = run("pope", "coco"), run("docvqa", "coco"), run("chartqa", "page")
    alone = composite([part_of(pope)])
    assert alone.value == pope.headline.value
    shared, apart = composite([part_of(pope), part_of(twin)]), composite([part_of(pope), part_of(other)])
    assert (shared.clusters, shared.joined, apart.clusters, apart.joined) == (12, 12, 24, 0)
    assert shared.se == pytest.approx(2 * alone.se) and apart.se == pytest.approx(2**0.5 * alone.se)


def test_checkpoints_of_one_method_are_crossed_with_samples(runs):
    for side, share in (("a", 0.5), ("b", 0.8)):
        for seed in range(3):
            write_run(runs, f"{side}{seed}", items=items(answers(150, share, seed + 10 * (side == "b"))))
    (one,) = compare(["a0", "a1", "a2"], ["b0", "b1", "b2"], runs).comparisons
    assert one.methods is not None and one.methods.checkpoints_a == 3
    assert one.verdict == "better" and one.p == one.methods.p
    assert one.methods.difference == pytest.approx(one.value_b - one.value_a)
    (lone,) = compare(["a0"], ["b0", "b1"], runs).comparisons
    assert lone.methods is not None and "of the baseline there is one checkpoint" in lone.methods.says


def test_words_that_stand_for_no_run_or_several_are_named(runs):
    write_run(runs, "old")
    write_run(runs, "new")
    write_run(runs, "new", fingerprint="e" * 16)
    with pytest.raises(ResultError, match="several runs of pope@mini; name one"):
        compare(["old"], ["new"], runs)
    with pytest.raises(ResultError, match="unknown model or run folder 'odl' .did you mean 'old'"):
        compare(["odl"], ["new"], runs)
    write_run(runs, "other", "mme", complete=False)
    with pytest.raises(ResultError, match="other: no finished run"):
        compare(["old"], ["other"], runs)


def test_the_command_prints_a_table_json_and_markdown(runs, tmp_path, capsys):
    base = answers(60, 0.5)
    a, b = (write_run(runs, name, items=items(own)) for name, own in (("o|d", base), ("new", [True] * 60)))
    out = tmp_path / "compare.md"
    assert main(["compare", str(a), str(b), f"out={out}"]) == 0
    shown = capsys.readouterr().out
    assert "new against o|d: better on 1 of 1" in shown and "mcnemar exact, 60 samples in 60 clusters" in shown
    assert "wrong to right:" in shown and "adjusted p" in shown
    markdown = out.read_text()
    assert markdown.startswith("# new against o\\|d\n") and "| POPE | accuracy |" in markdown
    assert main(["compare", str(a), str(b), "output=json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (result,) = document["results"]
    assert result["comparisons"][0]["result"]["clusters"] == 60
    assert as_markdown(compare([str(a)], [str(b)])) == markdown
    assert compare_runs([str(a)], [str(b)], runs)["file"] is None


def test_a_comparison_that_is_refused_is_an_incomplete_command(runs, capsys):
    a, b = write_run(runs, "old"), write_run(runs, "new", prompt="short")
    assert main(["compare", str(a), str(b)]) == 1
    assert "prompt: default in the baseline, short in the candidate" in capsys.readouterr().err
    assert main(["compare", str(a), str(b), "allow=[prompt]"]) == 0
    assert "POPE: not alike: prompt: default" in capsys.readouterr().out
