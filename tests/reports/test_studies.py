"""Studies of finished runs: planted effects are found, their absence is not called one, and files follow from the runs given."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.catalog import find_task
from harness.commands.places import place_of
from harness.config import MiniConfig, PathsConfig
from harness.errors import ResultError
from harness.model import Capabilities
from harness.plan import Settings
from harness.run import evaluate
from harness.traces import packed
from harness.types import Response
from reports.studies import STUDIES
from reports.studies.build import build_study
from reports.studies.dependence import depend, depend_within, entropy, ratio_bound, resampled
from reports.studies.study import Options, read_runs
from tests.harness.fakes import FakeModel

LAYERS, EXPERTS = 4, 8


def drawn(random: np.random.Generator, units: int, tokens: int, spread: float = 5.0) -> np.ndarray[Any, Any]:
    """Shares of units whose tokens depend on one another: each unit has an inclination of its own."""
    inclination = random.dirichlet(np.full(EXPERTS, spread), size=(units, LAYERS))
    return random.multinomial(tokens, inclination) / tokens


def test_entropy_is_one_for_an_even_load_and_zero_for_one_expert() -> None:
    assert entropy(np.array([[1.0, 1, 1, 1], [5, 0, 0, 0]])).tolist() == [1.0, 0.0]
    assert math.isnan(entropy(np.zeros(4)))


def test_a_planted_specialist_is_found_and_named_by_its_ratio() -> None:
    random = np.random.default_rng(0)
    shares, labels = drawn(random, 120, 40), np.arange(120) % 3
    strata = np.zeros(120, dtype=np.int64)
    shares[labels == 2, 1] = 0.5 * shares[labels == 2, 1] + 0.5 * np.eye(EXPERTS)[4]
    found = depend(shares, labels, strata, 300, seed=1)
    assert found.p_all < 0.01 and found.p_ratio < 0.01 and found.p[1] < 0.01
    assert np.unravel_index(found.ratio.argmax(), found.ratio.shape) == (2, 1, 4)
    assert found.information.argmax() == 1 and found.information[1] > found.high[1]
    assert ratio_bound(shares, labels, 200, 1, 0.95)[1] > 2


def test_a_label_that_is_constant_within_strata_tells_nothing_there() -> None:
    random = np.random.default_rng(0)
    shares, strata = drawn(random, 60, 40), np.arange(60) % 2
    shares[strata == 1, 0] = np.eye(EXPERTS)[0]  # a strong effect of the stratum, none within it
    found = depend(shares, 2 * strata + (np.arange(60) // 2) % 2, strata, 300, seed=1)
    assert found.p_all > 0.05


def rejections(simulate: Callable[[np.random.Generator, int], tuple[float, float]], runs: int) -> tuple[float, float]:
    found = np.array([simulate(np.random.default_rng(seed), seed) for seed in range(runs)]) <= 0.05
    return float(found[:, 0].mean()), float(found[:, 1].mean())


def null_labels(random: np.random.Generator, seed: int) -> tuple[float, float]:
    found = depend(drawn(random, 40, 30), np.arange(40) % 4, np.arange(40) // 20, 99, seed)
    return found.p_all, found.p_ratio


def null_kinds(random: np.random.Generator, seed: int) -> tuple[float, float]:
    inclination = random.dirichlet(np.full(EXPERTS, 5.0), size=(40, LAYERS))
    first, second = (random.multinomial(20, inclination) / 20 for _ in range(2))
    found = depend_within(first, second, 99, seed)
    return found.p_all, found.p_ratio


@pytest.mark.slow
@pytest.mark.parametrize("simulate", [null_labels, null_kinds])
def test_without_specialists_the_null_is_rejected_as_often_as_it_may_be(simulate: Any) -> None:
    runs = 200
    most = 0.05 + 2 * math.sqrt(0.05 * 0.95 / runs)
    assert max(rejections(simulate, runs)) <= most


def test_resamples_keep_the_number_of_units() -> None:
    assert (resampled(17, 50, 0).sum(axis=1) == 17).all()


# --- whole studies over run folders


class Planted(FakeModel):
    """A sparse model that answers right as often as it is told, and whose experts do what they are told."""

    def __init__(self, right: float, name: str = "planted", shares: Any = None, **details: Any) -> None:
        super().__init__(name="sparse", fingerprint=f"{name}-{right}-{sorted(details.items())}")
        self.capabilities = Capabilities(images=True, several_images=True, needs_ideal=True)
        self.details = {
            "experts": EXPERTS, "layers": LAYERS, "active_experts": 2, "trained_active_experts": 2, "parameters": 1000, **details
        }  # fmt: skip
        self.traces = () if shares is None else ("routing",)
        self.right, self.shares = right, shares

    def generate(self, requests: Any) -> Any:
        for place, request in enumerate(requests):
            random = np.random.default_rng([place, len(request.sample_id)])
            ideal = request.ideal or ""
            wrong = {"yes": "No", "no": "Yes"}.get(ideal.lower().strip(". "), "no idea")
            traces = {} if self.shares is None else {"routing": packed(self._trace(random, place))}
            yield Response(key=request.key, text=ideal if random.random() < self.right else wrong, seconds=0.01, traces=traces)

    def _trace(self, random: np.random.Generator, place: int) -> dict[str, Any]:
        table: dict[str, Any] = {name: [] for name in ("layer", "expert", "modality", "view", "count", "weight")}
        for layer in range(LAYERS):
            for modality, tokens in (("image", 80), ("prompt", 30), ("generated", 4)):
                for expert, count in enumerate(random.multinomial(tokens, self.shares(layer, modality, place))):
                    for name, value in zip(table, (layer, expert, modality, -1, count, count / 2), strict=True):
                        table[name].append(value)
        return table


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    paths, mini = PathsConfig(data=tmp_path_factory.mktemp("data")), MiniConfig(n=48)
    return {name: place_of(find_task(name), ("mini",), paths, mini).where for name in ("mathvista", "mme")}


def ask(data: dict[str, Any], runs: Path, model: Planted, task: str = "mathvista", said: Any = None) -> Path:
    config = {"model": {"pruned_experts": said}}
    return evaluate(find_task(task), model, data[task], Settings(), runs, config=config).folder


def even(layer: int, modality: str, place: int) -> np.ndarray[Any, Any]:
    """An even load in the outermost layers, a skewed one between them."""
    weights = np.ones(EXPERTS) if layer in (0, LAYERS - 1) else np.arange(1.0, EXPERTS + 1)
    return weights / weights.sum()


def split(layer: int, modality: str, place: int) -> np.ndarray[Any, Any]:
    """In layer 2 one half of the experts for pictures, the other for words."""
    weights = np.ones(EXPERTS)
    if layer == 2:
        weights[: EXPERTS // 2] = 0.01 if modality == "image" else 1
        weights[EXPERTS // 2 :] = 1 if modality == "image" else 0.01
    return weights / weights.sum()


def found(name: str, runs: Path, **options: Any) -> tuple[Any, Any]:
    """Tables and findings of a study, without its files."""
    module, _, value = STUDIES[name].partition(":")
    study, chosen = getattr(import_module(module), value), Options(**options)
    tables = study.load(read_runs([runs]), chosen)
    return tables, study.find(tables, chosen)


def verdicts(built: Any) -> dict[str, str]:
    return {one.hypothesis.partition(": ")[2]: one.verdict for one in built.findings}


def test_active_experts_are_compared_with_those_of_training_on_the_same_questions(data: Any, tmp_path: Path) -> None:
    for active, right in ((1, 0.3), (2, 0.95), (8, 0.2)):
        ask(data, tmp_path / "runs", Planted(right, active_experts=active))
    for active, right in ((2, 0.3), (4, 0.99)):
        ask(data, tmp_path / "runs", Planted(right, active_experts=active), "mme")
    built = build_study("experts", [tmp_path / "runs"], tmp_path / "out")
    assert verdicts(built) == {
        "as many active experts as in training (2) are best on every benchmark but MME": "supported",
        "on MME 4 active experts are better than 2": "supported",
    }
    table = pd.read_csv(tmp_path / "out/experts/scores.csv")
    assert sorted(table["active"]) == [1, 2, 2, 4, 8] and table["replies_per_s"].round().tolist() == [100] * 5
    mathvista = table[table["benchmark"] == "mathvista"].set_index("active")
    assert mathvista.loc[8, "difference"] == pytest.approx(mathvista.loc[8, "value"] - mathvista.loc[2, "value"])
    assert "Of 2 comparisons with 2 active experts" in built.findings[0].text
    assert {path.suffix for path in built.paths} == {".csv", ".parquet", ".svg", ".png", ".md", ".json", ".html"}


def test_the_opposite_is_said_when_the_runs_say_the_opposite(data: Any, tmp_path: Path) -> None:
    for active, right in ((2, 0.2), (4, 0.95)):
        ask(data, tmp_path / "runs", Planted(right, active_experts=active))
    assert [one.verdict for one in found("experts", tmp_path / "runs")[1]] == ["contradicted", "not tested"]


def test_routing_finds_specialists_of_a_modality_and_a_flat_stack(data: Any, tmp_path: Path) -> None:
    for task in ("mathvista", "mme"):
        ask(data, tmp_path / "runs", Planted(0.7, "split", split), task)
        ask(data, tmp_path / "runs", Planted(0.7, "even", even), task)
    tables, findings = found("routing", tmp_path / "runs", draws=200)
    by_model = {one.hypothesis: one for one in findings}
    names = sorted({name.partition(":")[0] for name in by_model if ":" in name})
    assert len(names) == 2 and all(name.startswith("sparse (") for name in names)
    dependence = tables["dependence"]
    peaks = dependence[dependence["label"] == "modality"].groupby("model")["ratio"].max()
    (planted, plain) = peaks.sort_values(ascending=False).index
    assert by_model[f"{planted}: no expert is a specialist of a modality"].verdict == "contradicted"
    assert by_model[f"{plain}: no expert is a specialist of a modality"].verdict == "supported"
    assert by_model[f"{plain}: no expert is a specialist of a benchmark"].verdict == "supported"
    assert by_model[f"{plain}: routing is flatter at both ends of the stack than in its middle"].verdict == "supported"
    assert by_model[f"{plain}: no expert carries twice the mean load"].verdict == "supported"
    layer = dependence[(dependence["model"] == planted) & (dependence["label"] == "modality")].set_index("layer")
    assert layer["information"].idxmax() == 2 and layer.loc[2, "p"] < 0.05
    usage = tables["usage"]
    assert (
        set(usage["panel"]) == {"vision", "language", "both"}
        and usage.groupby(["model", "level", "label", "panel", "layer"])["share"].sum().round(9).eq(1).all()
    )
    stability = tables["stability"]
    assert (stability["matched_distance"] <= stability["distance"] + 1e-12).all() and len(stability) == LAYERS


@pytest.mark.slow
def test_the_figures_are_those_of_the_runs_given(data: Any, tmp_path: Path) -> None:
    first = ask(data, tmp_path / "runs", Planted(0.7, "split", split))
    second = ask(data, tmp_path / "runs", Planted(0.7, "even", even))
    pages = {}
    for name, folder in (("first", first), ("second", second)):
        build_study("routing", [folder], tmp_path / name, draws=100)
        pages[name] = (tmp_path / name / "routing/usage_by_benchmark.svg").read_bytes()
        table = pd.read_csv(tmp_path / name / "routing/usage.csv")
        tokens = table[(table["level"] == "benchmark") & (table["panel"] == "both")]["tokens"].sum()
        assert tokens == 48 * LAYERS * (80 + 30 + 4)
    assert pages["first"] != pages["second"]
    built = [build_study("routing", [first], tmp_path / name, draws=100) for name in ("one", "other")]
    for one, other in zip(*(each.paths for each in built), strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_runs_without_traces_are_named_with_what_to_do(data: Any, tmp_path: Path) -> None:
    folder = ask(data, tmp_path / "runs", Planted(0.7))
    with pytest.raises(ResultError, match=r"no traces of the routing in[^!]*trace_routing=true") as error:
        build_study("routing", [tmp_path / "runs"], tmp_path / "out")
    assert str(folder) in str(error.value)
    assert not (tmp_path / "out").exists()
    for name, needs in (("experts", "different numbers of active experts"), ("pruning", "runs of pruned models")):
        with pytest.raises(ResultError, match=needs):
            build_study(name, [tmp_path / "runs"], tmp_path / "out")
    with pytest.raises(ResultError, match="no finished runs"):
        read_runs([tmp_path / "nothing"])


@pytest.mark.slow
def test_pruning_tells_spread_from_noise_and_criteria_from_chance(data: Any, tmp_path: Path) -> None:
    runs = tmp_path / "runs"

    def pruned(right: float, keep: int, **said: Any) -> None:
        details = {
            "kept_experts": [list(range(keep))] * LAYERS,
            "parameters_saved": 100 * (8 - keep),
            "bytes_saved": 400 * (8 - keep),
        }
        model = Planted(right, f"{keep}-{said}", **details)
        ask(data, runs, model, said={"keep": keep, **said})

    ask(data, runs, Planted(0.97))
    for keep, rights in ((2, (0.0, 0.45, 0.5)), (4, (0.3, 0.6, 0.75)), (6, (0.85, 0.9, 0.92))):
        for seed, right in enumerate(rights):
            pruned(right, keep, by="random", seed=seed)
    pruned(0.97, 6, by="usage")
    tables, findings = found("pruning", runs, draws=300)
    said = {one.hypothesis.partition(": ")[2]: one.verdict for one in findings}
    assert said["which experts are removed matters, not only how many"] == "supported"
    assert said["the mean over draws grows with the number of experts kept"] == "supported"
    draws, table = tables["draws"].set_index("kept"), tables["runs"]
    for keep, row in draws.iterrows():
        own = table[(table["kept"] == keep) & (table["by"] == "random")]["value"]
        assert row["mean"] == pytest.approx(own.mean()) and row["sd_draws"] == pytest.approx(own.std())
        assert row["low"] < row["mean"] < row["high"] and row["draws"] == 3
    criteria = tables["criteria"].iloc[0]
    assert criteria["difference"] == pytest.approx(table[table["by"] == "usage"]["value"].iloc[0] - draws.loc[6, "mean"])
    assert "2 kept saves 600 of 1,600 parameters" in findings[-1].text


def test_pages_are_escaped_and_need_nothing_else(data: Any, tmp_path: Path) -> None:
    for active in (1, 2):
        model = Planted(0.5, active_experts=active)
        model.name = "<b>bold</b>"
        ask(data, tmp_path / "runs", model)
    built = build_study("experts", [tmp_path / "runs"], tmp_path / "out")
    page = built.index.read_text()
    assert "<b>bold" not in page and "&lt;b&gt;bold" in page
    assert "http" not in page.replace("http-equiv", "").replace("Content-Security-Policy", "")
    record = json.loads((tmp_path / "out/experts/findings.json").read_text())
    assert {one["verdict"] for one in record["findings"]} <= {"supported", "contradicted", "undecided", "not tested"}
    assert "| experts |" in (tmp_path / "out/hypotheses.md").read_text()


def test_every_study_has_the_same_shape() -> None:
    for name, place in STUDIES.items():
        module, _, value = place.partition(":")
        study = getattr(import_module(module), value)
        assert study.name == name and callable(study.load) and callable(study.draw) and callable(study.find)
        assert Options().alpha == pytest.approx(0.05)
