"""Training: packed questions mean what single prompts mean, runs resume exactly, experts start from a dense model."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.errors import ConfigError
from harness.world import Clip, draw
from models.sphinx_x import checkpoint
from models.sphinx_x.corpus.mini import LATE
from models.sphinx_x.corpus.turns import Turn, placed, spelled
from models.sphinx_x.model import SphinxX
from models.sphinx_x.plugin import SphinxXModel
from models.sphinx_x.template import question_piece
from models.sphinx_x.tiling import views_of, views_of_prompt
from models.sphinx_x.tokenizer import Tokenizer, train_tokenizer
from models.sphinx_x.train import upcycle
from models.sphinx_x.train.attention import CHUNK
from models.sphinx_x.train.batch import Picture, collate, draw_pictures
from models.sphinx_x.train.config import PretrainConfig, TrainConfig
from models.sphinx_x.train.curves import plot
from models.sphinx_x.train.run import train
from models.sphinx_x.train.state import STATE
from models.sphinx_x.train.step import Coordinates, TrainingModel, forward, picture_table
from models.sphinx_x.train.vocabulary import learn_vocabulary
from models.sphinx_x.variants import MICRO, MICRO_MOE


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return learn_vocabulary(MICRO.backbone.vocab, 1, pictures=40)


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return [picture for step in range(3) for picture in draw_pictures(step, 1, LATE, 4, 6)]


def alone(model: SphinxX, words: Tokenizer, picture: Picture, question: str, answer: str) -> torch.Tensor:
    """Log-probabilities of an answer's tokens in a prompt of its own."""
    from models.sphinx_x.template import answer_piece

    world = picture.world
    frames = list(world.frames) if isinstance(world, Clip) else [world.image]
    shown = views_of_prompt(frames, model.variant)
    prompt, reply = words.encode_prompt(question), words.encode(answer_piece(answer))
    logits = model(model.splice(model.encode(shown), [*prompt, *reply[:-1]])[None]).logits[0]
    return logits.log_softmax(-1)[-len(reply) :].gather(1, torch.tensor(reply)[:, None])[:, 0]


def test_packed_questions_get_the_losses_of_single_prompts(words: Tokenizer, pictures: list[Picture]) -> None:
    torch.manual_seed(0)
    variant = replace(MICRO, image_size=96, encoders=tuple(replace(e, input_size=48) for e in MICRO.encoders))
    training = TrainingModel(SphinxX(variant))
    for parameter in training.model.language_model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    batch = collate(pictures, variant, words, 3)
    with torch.no_grad():
        packed = forward(training, batch, Coordinates.of(words, 1e-6), 0.0, bf16=False)
        training.model.language_model.set_attn_implementation("eager")
        singles = []
        for picture in pictures:
            for turn in picture.turns:
                loss = -alone(training.model, words, picture, turn.question, turn.answer)
                singles.append((turn.family, float(loss[0] + loss[1:].sum() / len(loss) ** 0.5)))
    expected = iter(singles)
    for family, loss in zip(batch.families, packed.per_answer.tolist(), strict=True):
        match = next(single for single in expected if single[0] == family and abs(single[1] - loss) < 2e-3)
        assert match


def test_gathered_visual_rows_are_what_encoding_gives(words: Tokenizer, pictures: list[Picture]) -> None:
    variant = replace(MICRO, image_size=96, encoders=tuple(replace(e, input_size=48) for e in MICRO.encoders))
    training = TrainingModel(SphinxX(variant))
    scenes = [picture for picture in pictures if not isinstance(picture.world, Clip)][:3]
    batch = collate(scenes, variant, words, 1)
    with torch.no_grad():
        table, _ = picture_table(training, batch)
        blocks = training.model.encode([views_of(picture.world.image, variant) for picture in scenes])
    for row, block in zip(table[batch.rows], blocks, strict=True):
        assert torch.allclose(row[1 : 1 + len(block)], block, atol=1e-5)


def test_hints_stand_at_the_token_that_ends_their_phrase(words: Tokenizer) -> None:
    turn = Turn("exists", "Is there a red star here?", "Yes", (*placed("red star", (12.0, 80.0), 96), *spelled("red", "AB")))
    scene = draw("scene", 0, "train")
    batch = collate([Picture(scene, (turn,))], MICRO, words, 1)
    pieces = words.encode(question_piece(turn.question))
    start = len(batch.rows[0]) - CHUNK
    said = {}
    for kind, (where, values) in batch.hints.items():
        said[kind] = [(words.decode(pieces[: int(at) - start + 1]), int(value)) for at, value in zip(where, values, strict=True)]
    assert [text.endswith("red star") for text, _ in said["x"]] == [True] and not said["number"]
    assert [said[axis][0][1] for axis in "xy"] == [3, 20]
    assert [value for _, value in said["char"]][-1] in (0, 2)  # "B", or nothing behind it where letters share a token


def test_hints_add_their_loss_and_nothing_else(words: Tokenizer, pictures: list[Picture]) -> None:
    torch.manual_seed(0)
    training = TrainingModel(SphinxX(replace(MICRO, backbone=replace(MICRO.backbone, layers=4))))
    batch = collate(pictures, training.model.variant, words, 2)
    assert sum(len(where) for where, _ in batch.hints.values())
    plain, more = (forward(training, batch, Coordinates.of(words, 1.0), 0.0, False, hints=weight) for weight in (0.0, 0.5))
    assert more.loss.detach() > plain.loss.detach() and more.answer_loss == plain.answer_loss
    more.loss.backward()
    used = {name for name, value in training.named_parameters() if value.grad is not None and float(value.grad.abs().max()) > 0}
    assert any(name.startswith("hints.read.x") for name in used) and any(".layers.3." in name for name in used)


def test_a_coordinate_nearby_costs_less_than_one_far_away(words: Tokenizer) -> None:
    coordinates = Coordinates.of(words, 1.5)
    target = coordinates.ids[40:41]

    def loss(at: int) -> float:
        logits = torch.zeros(1, words.size)
        logits[0, coordinates.ids[at]] = 8.0
        return float(coordinates.loss(logits.log_softmax(-1), target))

    assert loss(40) < loss(41) < loss(44) < loss(60) + 1e-6


def settings(folder: Path, **changes: object) -> TrainConfig:
    values: dict[str, object] = {"variant": "micro", "batch": 3, "turns": 3, "chunks": 1, "steps": 6, "precision": "fp32"}
    values |= {"folder": str(folder), "pretrain": PretrainConfig(steps=6, batch=3)}
    return TrainConfig(**(values | changes))  # type: ignore[arg-type]


def started(folder: Path, words: Tokenizer) -> Path:
    folder.mkdir()
    words.save(folder / checkpoint.TOKENIZER)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, words: Tokenizer) -> Path:
    """A finished run of a few steps."""
    folder = started(tmp_path_factory.mktemp("runs") / "whole", words)
    train(settings(folder))
    return folder


def test_a_run_that_was_stopped_twice_ends_with_the_weights_of_one_that_was_not(
    whole: Path, words: Tokenizer, tmp_path: Path
) -> None:
    folder = started(tmp_path / "stopped", words)
    for stop in (2, 4, 0):
        train(settings(folder, stop_after=stop))
    straight, resumed = (checkpoint.load(run / "model")[0].state_dict() for run in (whole, folder))
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


def test_a_run_leaves_its_curves(whole: Path) -> None:
    with (whole / "heldout.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"family", "n", "loss", "exact"} <= set(rows[0])
    plot(whole)
    assert (whole / "curves.png").stat().st_size > 1000


def test_a_model_says_what_it_was_trained_with(whole: Path) -> None:
    details = SphinxXModel(str(whole / "model")).details
    account = details["training"]
    assert details["variant"] == "micro" and details["active_parameters"] == details["parameters"]
    assert account["pictures"] == settings(whole).steps * settings(whole).batch and account["core_seconds"] >= 0


def test_a_folder_of_another_variant_is_not_overwritten(whole: Path) -> None:
    with pytest.raises(ConfigError, match="holds variant micro"):
        train(settings(whole, variant="micro_moe"))


def test_a_partly_written_state_is_not_read(whole: Path) -> None:
    (whole / f"{STATE}.partial").write_bytes(b"half")
    train(settings(whole))


def test_a_sparse_model_starts_where_the_dense_one_stood(whole: Path, words: Tokenizer) -> None:
    dense, _ = checkpoint.load(whole / "model")
    sparse = SphinxX(MICRO_MOE).eval()
    upcycle.initialise(sparse, whole / "model", seed=0)
    prompt = dense.splice([], words.encode_prompt("What color is it?"))[None]
    with torch.no_grad():
        one, other = dense(prompt).logits, sparse(prompt).logits
    assert torch.allclose(one, other, atol=0.1 * float(one.std()))
    experts = sparse.language_model.model.layers[0].mlp.experts.down_proj
    assert not torch.equal(experts[0], experts[1])


def test_narrower_experts_keep_the_strongest_neurons(whole: Path) -> None:
    dense, _ = checkpoint.load(whole / "model")
    sparse = SphinxX(replace(MICRO_MOE, backbone=replace(MICRO_MOE.backbone, ffn=40)))
    upcycle.initialise(sparse, whole / "model", seed=0)
    block = dense.language_model.requires_grad_(False).model.layers[0].mlp
    strength = block.gate_proj.weight.norm(dim=1) * block.up_proj.weight.norm(dim=1) * block.down_proj.weight.norm(dim=0)
    kept = block.down_proj.weight[:, strength.topk(40).indices.sort().values]
    assert torch.allclose(sparse.language_model.model.layers[0].mlp.experts.down_proj[0], kept, atol=0.3 * float(kept.std()))


def test_a_share_of_each_expert_starts_afresh(whole: Path) -> None:
    plain, fresh = SphinxX(MICRO_MOE), SphinxX(MICRO_MOE)
    upcycle.initialise(plain, whole / "model", seed=0)
    upcycle.initialise(fresh, whole / "model", seed=0, fresh=0.25)
    one, other = (model.requires_grad_(False).language_model.model.layers[0].mlp.experts for model in (plain, fresh))
    neurons = other.down_proj.shape[2]
    changed = (one.down_proj != other.down_proj).all(dim=1)  # [experts, neurons]
    assert changed.sum(dim=1).tolist() == [round(neurons / 4)] * len(changed)
    assert not torch.equal(changed[0], changed[1])
    rows = (one.gate_up_proj != other.gate_up_proj).all(dim=2)
    assert torch.equal(rows, torch.cat([changed, changed], dim=1))


def test_words_that_a_model_knows_are_translated_into_another_vocabulary(whole: Path, words: Tokenizer) -> None:
    old = checkpoint.load(whole / "model")[0].embed(torch.arange(words.size))
    same, other = SphinxX(MICRO), SphinxX(MICRO)
    upcycle.initialise(same, whole / "model", seed=0, tokenizer=words)
    assert torch.equal(same.embed(torch.arange(words.size)), old)
    wanted = train_tokenizer(["zebras are striped " * 9], MICRO.backbone.vocab)
    upcycle.initialise(other, whole / "model", seed=0, tokenizer=wanted)
    (zebra,), pieces = wanted.encode(" are"), words.encode(" are")
    assert torch.allclose(other.embed(torch.tensor([zebra]))[0], old[pieces].mean(0), atol=1e-6)


def test_a_sparse_model_trains_with_a_balanced_router(whole: Path, tmp_path: Path) -> None:
    folder = train(settings(tmp_path / "sparse", variant="micro_moe", init=str(whole / "model"), steps=2))
    model, _ = checkpoint.load(folder)
    assert model.variant.backbone.experts == 4


@pytest.mark.parametrize("changes", [{"precision": "int4"}, {"batch": 0}, {"budget_s": -1.0}])
def test_impossible_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(changes)))):
        settings(Path("x"), **changes)
