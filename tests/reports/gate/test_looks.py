"""Looking early: boundaries against published ones, the order of samples, error rates and savings by simulation."""

import numpy as np
import pytest

from harness.errors import ConfigError
from harness.hashed import hashed, mark
from reports.gate.check import Places, compare
from reports.gate.draws import Change
from reports.gate.evidence import weigh
from reports.gate.looks import FAILED, decided, hash_order, look_counts, planned, settled
from reports.gate.moments import moments, padded
from reports.gate.planned import planned_benches
from reports.gate.policy import Policy, Rule, values_of
from reports.gate.sequential import replay
from reports.gate.simulate import Trial, _once, detections, early, false_alarms, simulate
from reports.gate.spending import boundaries
from reports.gate.trials import trial_of
from reports.gate.verdicts import judge
from reports.gate.work import save_baseline
from reports.paired import clustered_se
from tests.harness.fakes import toy_task, write_toy
from tests.reports.conftest import write_run
from tests.reports.gate.conftest import RIGHT, items, worse

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)


def test_boundaries_are_the_published_ones():
    """Lan-DeMets boundaries of five looks at one-sided 0.025 (Jennison and Turnbull 2000, table 7.3; ldbounds)."""
    assert boundaries(0.025, FIFTHS) == pytest.approx((4.877, 3.357, 2.680, 2.290, 2.031), abs=1e-3)
    assert boundaries(0.025, FIFTHS, "pocock") == pytest.approx((2.438, 2.427, 2.410, 2.397, 2.386), abs=1e-3)
    assert boundaries(0.05, (1.0,)) == pytest.approx((1.6449,), abs=1e-4)
    with pytest.raises(ValueError, match="rise to 1"):
        boundaries(0.05, (0.5, 0.4, 1.0))


def test_moments_are_those_of_one_comparison_at_a_time():
    random = np.random.default_rng(0)
    cluster = np.unique(np.sort(random.integers(0, 40, 200)), return_inverse=True)[1]
    d = random.integers(-1, 2, (3, 200)).astype(float)
    sizes = np.bincount(cluster)
    sums = np.stack([np.bincount(cluster, weights=row) for row in d])
    found, wide = moments(sums, sizes), padded(sums, sizes, 1.0)
    for place, row in enumerate(d):
        assert (found.se[place], found.freedom[place]) == pytest.approx(clustered_se(row, cluster))
        more = clustered_se(np.append(row, [1, -1]), np.append(cluster, [len(sizes), len(sizes) + 1]))
        assert wide.se[place] == pytest.approx(more[0])
    assert np.isnan(moments(sums[:, :1], sizes[:1]).se).all()


def test_samples_are_asked_in_an_order_that_no_file_decides(tmp_path):
    data = write_toy(tmp_path / "toy", n=30, pictures=10)
    task = toy_task()
    order = [sample.id for sample in hashed(task).samples(hashed(task).layouts[0].read([data]))]
    plain = [sample for sample in task.samples(task.layouts[0].read([data]))]
    assert order != [sample.id for sample in plain] and sorted(order) == sorted(sample.id for sample in plain)
    lines = (data / "toy.jsonl").read_text().splitlines(keepends=True)
    (data / "toy.jsonl").write_text("".join(sorted(lines, key=lambda line: mark("other", line))))
    again = [sample.id for sample in hashed(task).samples(hashed(task).layouts[0].read([data]))]
    pictures = {sample.id: sample.cluster for sample in plain}
    assert [pictures[name] for name in again] == [pictures[name] for name in order]
    clusters = list(dict.fromkeys(pictures[name] for name in order))
    assert clusters == [clusters_[place] for clusters_ in [sorted(clusters)] for place in hash_order(task.name, sorted(clusters))]
    assert look_counts(10, 4) == (3, 5, 8, 10) and look_counts(2, 5) == (2,) and look_counts(1, 5) == (1,)


def test_a_replay_stops_early_for_a_large_loss_and_where_it_is_ruled_out(tmp_path):
    for model, scores in (("old", RIGHT), ("same", worse(RIGHT, 2, 2)), ("new", worse(RIGHT, 100))):
        for task in ("pope", "mme"):
            shown = scores if task == "mme" or model == "same" else RIGHT
            write_run(tmp_path / model, model, task, kind="replies", items=items(task, shown))
    places = Places(folder=tmp_path, tags=tmp_path)
    policy = Policy(baseline="old", gates=(Rule(margin=0.1),))
    lost = replay(policy, str(tmp_path / "new"), places, 5)
    assert (lost.report.word, lost.at) == ("fail", (2, 2))
    assert lost.asked == (80, 80) and lost.of == (200, 200)
    assert {v.tested.task: v.word for v in lost.report.verdicts} == {"mme": "fail", "pope": "pass"}
    same = replay(policy, str(tmp_path / "same"), places, 5)
    assert same.report.word == "pass" and max(same.asked) < 200
    open_ = replay(Policy(baseline="old"), str(tmp_path / "same"), places, 5)  # without a margin nothing ends a gate early
    assert open_.report.word == "pass" and open_.asked == (200, 200)
    strict = Policy(baseline="old", gates=(Rule(margin=0.01, mode="non_inferior"),))
    assert replay(strict, str(tmp_path / "same"), places, 5, "pocock").report.word == "inconclusive"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Ten benchmarks of which six show the same pictures, some with few clusters."""
    file = tmp_path_factory.mktemp("planned") / "sizes.yaml"
    rows = [f"  - {{name: b{i}, n: {120 + 40 * i}, clusters: {(12, 60, 110)[i % 3]}, mean: {0.07 * i + 0.25:.2f}, "
            f"pool: '{'coco' if i < 6 else ''}'}}" for i in range(10)]  # fmt: skip
    file.write_text("pools: {coco: 200}\nbenches:\n" + "\n".join(rows))
    return file


def trial(file, draws, looks=1, loss=0.05, **rule):
    benches, shown = planned_benches(file, values_of(file), 0)
    rules = (Rule(**rule),) * len(benches)
    return Trial(
        benches=tuple(benches), shown=shown, rules=rules, policy=Policy(), change=Change(), loss=loss, looks=looks, draws=draws
    )


def test_a_policy_seldom_fails_where_nothing_is_lost(small):
    asked = trial(small, 400, looks=4, loss=0.04, margin=0.04)
    outcomes = simulate(asked)
    assert false_alarms(outcomes, 0.05).low < 0.05
    none, one, all_ = early(outcomes, asked)
    assert none.fails.low < 0.05
    assert one.fails.value < all_.fails.value and none.used < 1


def test_a_large_loss_is_seen(small):
    found = detections(simulate(trial(small, 100, loss=0.04)), 0.05)
    assert found[9][0].value > found[0][0].value
    with pytest.raises(ConfigError, match="more than b0 can lose"):
        simulate(trial(small, 10, loss=0.5))


def test_what_is_simulated_is_what_a_gate_decides(tmp_path):
    """The same differences give the same p, bound and verdict by either way."""
    for model, scores in (("old", RIGHT), ("new", worse(RIGHT, 14, 4))):
        write_run(tmp_path / model, model, "pope", kind="replies", items=items("pope", scores))
    for rule in (Rule(margin=0.06), Rule(margin=0.15), Rule(margin=0.15, mode="non_inferior"), Rule(tolerated=0.01)):
        policy = Policy(baseline="old", gates=(rule,))
        places = Places(folder=tmp_path, tags=tmp_path)
        (one,) = compare(policy, str(tmp_path / "new"), places)
        drawn = trial_of(policy, places, 0)
        sums = np.array(one.aligned.b - one.aligned.a)[None][:, hash_order("pope", one.aligned.clusters)]
        p, passed = _once(drawn, 0, sums, plain=False)
        evidence = weigh(one.aligned, rule, policy, 1)
        assert p[0] == pytest.approx(evidence.p, rel=1e-9) or p[0] > 0.2
        from reports.gate.check import tested

        (verdict,) = judge([tested(one, policy, 1)], policy)
        assert (verdict.word == "pass") == bool(passed[0] and p[0] > policy.alpha)


def test_a_trial_knows_what_benchmarks_share(tmp_path):
    from tests.reports.conftest import Item, write_picture

    pictures = [write_picture(tmp_path / f"{i}.png", colour=colour) for i, colour in enumerate(("red", "blue", "green"))]
    for task in ("pope", "mme"):
        shown = [Item(id=f"{task}/{i}", picture=pictures[i % 3], score=float(i % 2)) for i in range(6)]
        write_run(tmp_path / "runs", "old", task, items=shown)
    save_baseline(tmp_path / "runs", out=tmp_path / "kept.json")
    found = trial_of(Policy(baseline="kept.json"), Places(folder=tmp_path, tags=tmp_path), 0)
    assert found.shown == 3 and {tuple(np.bincount(bench.shown)) for bench in found.benches} == {(2, 2, 2)}


@pytest.mark.slow
def test_forty_benchmarks_together_fail_by_chance_in_at_most_one_check_of_twenty():
    from pathlib import Path

    asked = trial(Path("docs/gate/paper.yaml"), 1000, looks=5, loss=0.02, margin=0.02)
    outcomes = simulate(asked)
    none, _, _ = early(outcomes, asked)
    assert len(asked.benches) == 40
    assert false_alarms(outcomes, 0.05).value <= 0.05
    assert none.fails.value <= 0.05 and none.used < 0.5
    assert dict(zip([b.name for b in asked.benches], detections(outcomes, 0.05), strict=True))["refcoco_testA"][0].value > 0.9


def test_no_loss_seen_on_few_clusters_is_not_decided():
    plan = planned(Rule(), Policy(), 1, 12, 3, "obrien_fleming")
    found = decided(np.zeros((1, 12)), np.ones(12, dtype=int), 1.0, Rule(), plan)
    assert settled(found)[0].tolist() == [0]
    assert settled(decided(np.full((1, 12), -1.0), np.ones(12, dtype=int), 1.0, Rule(), plan))[0].tolist() == [FAILED]
