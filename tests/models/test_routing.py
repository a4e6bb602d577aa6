"""Traces of the routing belong to their request alone; experts that are taken out are gone and nothing else changes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.errors import ConfigError, RunStopped
from harness.traces import packed, unpacked
from harness.types import Response
from models.sphinx_x import checkpoint, pruning
from models.sphinx_x.inference.engine import Engine, EngineOptions
from models.sphinx_x.model import SphinxX
from models.sphinx_x.plugin import SphinxXModel
from models.sphinx_x.pruning import PrunedExperts, prune
from tests.models.specimens import mixed_requests, sparse_specimen, specimen

REQUESTS = mixed_requests(24)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("weights") / "micro_moe"
    checkpoint.save(where, *sparse_specimen(), "float32")
    return where


def answers(engine: Engine | SphinxXModel, requests: list[Any] = REQUESTS) -> dict[str, Response]:
    return {response.key: response for response in engine.generate(requests)}


def traced(**options: Any) -> Engine:
    return Engine(*sparse_specimen(), EngineOptions(threads=0, **options))


def assert_same_traces(one: dict[str, Response], other: dict[str, Response]) -> None:
    for key, response in one.items():
        for name, trace in response.traces.items():
            first, second = unpacked(trace).to_pandas(), unpacked(other[key].traces[name]).to_pandas()
            assert first.drop(columns="weight").equals(second.drop(columns="weight")), (key, name)
            np.testing.assert_allclose(first["weight"], second["weight"], atol=1e-4)


def test_traces_change_no_reply_and_do_not_depend_on_batches_or_on_what_was_kept() -> None:
    engine = traced(trace_routing="tokens")
    together = answers(engine)
    assert {key: one.text for key, one in together.items()} == {
        key: one.text for key, one in answers(Engine(*sparse_specimen())).items()
    }
    assert_same_traces(together, answers(traced(trace_routing="tokens", max_batch=2, batch_tokens=100, window=5)))
    assert_same_traces(together, answers(engine))  # pictures and prefixes are kept by now
    resumed = traced(trace_routing="tokens")
    assert_same_traces(together, answers(resumed, REQUESTS[9:]) | answers(resumed, REQUESTS[:9]))


def test_every_token_chooses_as_many_experts_as_are_active_and_counts_agree_with_choices() -> None:
    model, _ = sparse_specimen()
    backbone, variant = model.variant.backbone, model.variant
    for response in answers(traced(trace_routing="tokens")).values():
        counts, tokens = (unpacked(response.traces[name]).to_pandas() for name in ("routing", "routing_tokens"))
        positions = (response.prompt_tokens or 0) + (response.completion_tokens or 0) - 1
        assert counts["count"].sum() == backbone.active_experts * backbone.layers * positions
        np.testing.assert_allclose(counts["weight"].sum(), backbone.layers * positions, rtol=1e-4)
        assert set(tokens["position"]) == set(range(positions))
        keys = ["layer", "expert", "modality", "view"]
        again = tokens.astype({"modality": str}).groupby(keys)["weight"].agg(["size", "sum"]).reset_index()
        merged = again.merge(counts.astype({"modality": str}), on=keys, how="outer")
        assert (merged["size"] == merged["count"]).all()
        image = counts[counts["modality"] == "image"]
        assert set(image["view"]) <= set(range(variant.views)) and (counts[counts["modality"] != "image"]["view"] == -1).all()


def test_choices_are_those_of_transformers_own_forward_pass() -> None:
    engine = traced(trace_routing="tokens")
    model, tokenizer = sparse_specimen()
    request = next(request for request in REQUESTS if request.group.startswith("square"))
    table = unpacked(answers(engine, [request])[request.key].traces["routing_tokens"]).to_pandas()
    with torch.inference_mode():
        pictures = engine._pictures.alone(request)
        text = "\n".join(part.text for part in request.parts if hasattr(part, "text"))
        ids = tokenizer.encode_prompt(text)
        output = model(model.splice(pictures, ids)[None], output_router_logits=True, use_cache=False)
    for layer, logits in enumerate(output.router_logits):
        chosen = logits.topk(model.variant.backbone.active_experts).indices.sort(dim=-1).values
        mine = table[(table["layer"] == layer) & (table["position"] < len(logits))]
        assert mine["expert"].to_numpy().reshape(len(logits), -1).tolist() == chosen.tolist()
    square = table[(table["layer"] == 0) & (table["modality"] == "image")].drop_duplicates("position")
    lengths = [model.variant.view_tokens(view) for view in range(model.variant.views)]
    assert square["view"].value_counts().sort_index().tolist() == lengths


def test_dense_models_and_weighed_choices_are_not_traced(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no experts to trace"):
        Engine(*specimen(), EngineOptions(trace_routing="counts"))
    with pytest.raises(ConfigError, match="trace_routing='all'"):
        SphinxXModel(str(folder), trace_routing="all")  # type: ignore[arg-type]
    with pytest.raises(RunStopped, match="kind=generate"):
        SphinxXModel(str(folder), trace_routing=True).loglikelihood(REQUESTS)


def pruned(**values: Any) -> tuple[SphinxX, pruning.Pruned]:
    model, tokenizer = sparse_specimen()
    done = prune(model, tokenizer, pruning.settings(values))
    assert done is not None
    return model, done


def test_all_experts_active_are_a_dense_mixture() -> None:
    model, _ = sparse_specimen()
    backbone = model.variant.backbone
    model.set_active_experts(backbone.experts)
    layer: Any = model.language_model.model.layers[0].mlp  # type: ignore[union-attr, index]
    inputs = torch.randn(7, backbone.width)
    with torch.inference_mode():
        outputs = pruning._outputs(layer, inputs)
        shares = torch.softmax(inputs @ layer.gate.weight.T, dim=-1)
        dense = torch.einsum("te,etw->tw", shares, outputs)
        torch.testing.assert_close(layer(inputs[None])[0], dense, rtol=1e-4, atol=1e-4)


def test_taking_out_an_expert_that_is_never_chosen_changes_nothing(folder: Path) -> None:
    model, tokenizer = sparse_specimen()
    layer: Any = model.language_model.model.layers[0].mlp  # type: ignore[union-attr, index]
    with torch.no_grad():  # the mean of the others is never the best
        for one in model.language_model.model.layers:  # type: ignore[union-attr]
            one.mlp.gate.weight[3] = one.mlp.gate.weight[:3].mean(dim=0)
    model.set_active_experts(1)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    before = answers(Engine(model, tokenizer, EngineOptions(threads=0, trace_routing="counts")))
    used = {int(e) for r in before.values() for e in unpacked(r.traces["routing"])["expert"].to_pylist()}
    assert used == {0, 1, 2}
    other, _ = sparse_specimen()
    other.load_state_dict(state)
    other.set_active_experts(1)
    prune(other, tokenizer, pruning.settings({"remove": [3]}))
    assert layer.gate.weight.shape[0] == 4 and other.language_model.model.layers[0].mlp.gate.weight.shape[0] == 3  # type: ignore[union-attr, index]
    after = answers(Engine(other, tokenizer, EngineOptions(threads=0, trace_routing="counts")))
    assert {key: one.text for key, one in before.items()} == {key: one.text for key, one in after.items()}
    assert_same_traces(before, after)


def test_draws_differ_by_seed_and_layer_and_fewer_are_part_of_more() -> None:
    kept = {(keep, seed): pruned(keep=keep, seed=seed)[1].kept for keep in (1, 2, 3) for seed in range(4)}
    assert all(len(layer) == keep for (keep, _), layers in kept.items() for layer in layers)
    assert all(set(a) < set(b) for seed in range(4) for a, b in zip(kept[1, seed], kept[2, seed], strict=True))
    assert len({kept[2, seed] for seed in range(4)}) > 1 and any(len(set(layers)) > 1 for layers in kept.values())
    assert len(set(pruned(keep=2, same=True)[1].kept)) == 1
    assert pruned(remove=[[0], [1, 2]])[1].kept == ((1, 2, 3), (0, 3))


def test_fewer_experts_than_active_ones_lower_the_active_ones_and_memory_is_saved(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole, one = SphinxXModel(str(folder)), SphinxXModel(str(folder), pruned_experts={"keep": 1}, trace_routing=True)
    assert "so as many are active, not 2" in caplog.text
    assert (whole.details["active_experts"], one.details["active_experts"]) == (2, 1)
    assert whole.details["parameters"] - one.details["parameters"] == one.details["parameters_saved"] > 0
    assert one.details["bytes_saved"] == 4 * one.details["parameters_saved"]
    assert whole.fingerprint != one.fingerprint
    assert whole.fingerprint == SphinxXModel(str(folder), pruned_experts={"keep": None}, trace_routing="tokens").fingerprint
    tables = [unpacked(response.traces["routing"]).to_pandas() for response in answers(one).values()]
    assert {(row.layer, row.expert) for table in tables for row in table.itertuples()} == {
        (layer, kept[0]) for layer, kept in enumerate(one.details["kept_experts"])
    }


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Path:
    """A finished run with traces and stored prompts."""
    from harness.plan import Settings
    from harness.run import evaluate
    from tests.harness.fakes import toy_task, write_toy

    model = SphinxXModel(str(folder), trace_routing=True)
    return evaluate(toy_task(), model, write_toy(tmp_path / "data", n=6), Settings(), tmp_path / "runs").folder


@torch.no_grad()
def test_informed_criteria_keep_what_they_say(run: Path) -> None:
    load = pruning.load_of([run], "count", (2, 4))
    assert load.sum() > 0
    for by, column in (("usage", "count"), ("weight", "weight")):
        load = pruning.load_of([run], column, (2, 4))  # type: ignore[arg-type]
        kept = pruned(keep=2, by=by, runs=[str(run)])[1].kept
        assert [set(layer) for layer in kept] == [set(np.argsort(-row)[:2].tolist()) for row in load]
    model, tokenizer = sparse_specimen()
    inputs = pruning.calibration(model, tokenizer, PrunedExperts(keep=2, runs=(run,)))
    layer: Any = model.language_model.model.layers[0].mlp  # type: ignore[union-attr, index]
    outputs, logits = pruning._outputs(layer, inputs[0]), inputs[0] @ layer.gate.weight.T
    torch.testing.assert_close(pruning._mixed(outputs, logits, range(4), 2), layer(inputs[0][None])[0], rtol=1e-4, atol=1e-4)
    errors = {
        subset: float((pruning._mixed(outputs, logits, subset, 2) - layer(inputs[0][None])[0]).square().sum())
        for subset in combinations(range(4), 2)
    }
    assert pruned(keep=2, by="reconstruction", runs=[str(run)])[1].kept[0] == min(errors, key=errors.__getitem__)


def test_merging_equal_experts_changes_nothing(run: Path) -> None:
    model, tokenizer = sparse_specimen()
    with torch.no_grad():
        for one in model.language_model.model.layers:  # type: ignore[union-attr]
            for name in ("gate_up_proj", "down_proj"):
                weights = getattr(one.mlp.experts, name)
                weights[3] = weights[1]
    before = answers(Engine(model, tokenizer))
    done = prune(model, tokenizer, PrunedExperts(keep=3, by="similarity", runs=(run,)))
    assert done is not None and done.kept == ((0, 1, 2), (0, 1, 2)) and done.clusters == ((0, 1, 2, 1), (0, 1, 2, 1))
    after = answers(Engine(model, tokenizer, EngineOptions(trace_routing="counts")))
    assert {key: one.text for key, one in before.items()} == {key: one.text for key, one in after.items()}
    assert model.language_model.model.layers[0].mlp.experts.down_proj.shape[0] == 3  # type: ignore[union-attr, index]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"keep": 0}, "one must stay"),
        ({"keep": 5}, "has 4 experts"),
        ({"keep": 2, "remove": [0]}, "keep or remove"),
        ({"keep": 2, "by": "usage"}, "trace_routing=true"),
        ({"keep": 2, "by": "luck"}, "must be one of"),
        ({"remove": [7]}, "numbers from 0 to 3"),
        ({"remove": [0, 1, 2, 3]}, "one expert a layer must stay"),
        ({"kept": 2}, "unknown setting"),
    ],
)
def test_bad_prunings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pruned(**values)


def test_a_run_keeps_its_traces_through_kills_and_asks_again_only_when_they_are_wanted(tmp_path: Path) -> None:
    from pyarrow import parquet

    from harness.errors import Interrupted
    from harness.plan import Settings
    from harness.run import evaluate
    from harness.store import Elsewhere
    from harness.types import Request
    from tests.harness.fakes import FakeModel, toy_task, write_toy

    data = write_toy(tmp_path / "data", n=12)

    class Tracing(FakeModel):
        traces = ("marks",)
        stop = ""

        def generate(self, requests: Any) -> Any:
            for response in super().generate(requests):
                yield Response(
                    key=response.key, text=response.text, traces={"marks": packed({"place": [int(response.key[:4], 16), 1]})}
                )

    def ask(model: FakeModel, runs: str = "runs", **settings: Any) -> Path:
        return evaluate(toy_task(), model, data, Settings(**settings), tmp_path / runs).folder

    def stop(request: Request) -> str:
        if request.sample_id == "toy-7":
            raise KeyboardInterrupt
        return "A"

    plain = FakeModel(lambda _: "A")
    folder = ask(plain)
    assert not (folder / "traces").exists()
    with pytest.raises(Interrupted):
        ask(Tracing(stop, batch=4))
    model = Tracing(lambda _: "A")
    assert ask(model) == folder
    assert 0 < len(model.asked) < 12  # what was answered with its traces before the kill is not asked again
    table = parquet.read_table(folder / "traces/marks.parquet").to_pandas()
    assert table["sample_id"].tolist() == [f"toy-{i}" for i in range(12) for _ in range(2)]
    assert (table["place"][::2].to_numpy() == [int(key[:4], 16) for key in table["key"][::2]]).all()
    ask(plain)
    assert len(parquet.read_table(folder / "traces/marks.parquet")) == 24
    again = Tracing(lambda _: "A")
    ask(again, limit=5)  # another run of the same model: its replies are taken over with their traces
    assert again.asked == []
    with Elsewhere(tmp_path / "runs", tmp_path, model.fingerprint) as others:
        assert others.find(table["key"][0], ("other",)) is None


def test_a_trace_that_is_no_table_fails_its_request_alone(tmp_path: Path) -> None:
    from harness.engine.stream import checked

    request = REQUESTS[0]
    for traces in ({"routing": b"junk"}, {"../x": packed({"a": [1]})}, {"routing": 3}):
        with pytest.raises(ValueError, match="trace"):
            checked(Response(key=request.key, traces=traces), request)  # type: ignore[arg-type]
