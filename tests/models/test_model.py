"""The model's parts, its visual prompt, and folders of weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from harness.errors import ConfigError
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.template import SYSTEM, answer_piece, conversation, cut_reply, open_prompt
from models.sphinx_x.tiling import views_of
from models.sphinx_x.tokenizer import FRACTIONS, train_tokenizer
from models.sphinx_x.variants import MICRO, find_variant
from tests.models.specimens import sparse_specimen, specimen


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_the_visual_prompt_is_start_tokens_end_for_every_view() -> None:
    model, _ = specimen()
    (block,) = model.encode([views_of(noise(48, 48), MICRO)])
    assert block.shape == (5 * MICRO.view_tokens(0), MICRO.backbone.width)
    assert torch.equal(block[0], model.start_img[0, 0])
    assert torch.equal(block[MICRO.view_tokens(0) - 1], model.end_img[0, 0])


@pytest.mark.parametrize(("form", "extra"), [("bare", 1), ("bracketed", 3)])
def test_an_empty_tile_is_a_skip_token(form: str, extra: int) -> None:
    variant = replace(MICRO, skip_token=form)  # type: ignore[arg-type]
    model = SphinxX(variant)
    (block,) = model.encode([views_of(noise(48, 24), variant)])
    assert len(block) == 3 * variant.view_tokens(0) + 2 * extra
    middle = block[-1] if form == "bare" else block[-2]
    assert torch.equal(middle, model.skip_token[0, 0])


def test_pictures_are_encoded_alike_alone_and_in_company() -> None:
    model, _ = specimen()
    one, two = views_of(noise(48, 48), MICRO), views_of(noise(48, 24), MICRO)
    with torch.no_grad():
        together = model.encode([one, two])
        for views, block in zip((one, two), together, strict=True):
            assert torch.allclose(model.encode([views])[0], block, atol=1e-6)


def test_local_pooling_halves_the_grid_of_tiles_only() -> None:
    variant = replace(MICRO, local_pool=2, class_token=True)
    model = SphinxX(variant)
    (block,) = model.encode([views_of(noise(48, 48), variant)])
    assert len(block) == variant.view_tokens(0) + 4 * variant.view_tokens(1) == (1 + 4 + 2) + 4 * (1 + 1 + 2)


def test_the_picture_changes_the_prediction_and_the_prompt_is_causal() -> None:
    model, tokenizer = specimen()
    ids = tokenizer.encode_prompt("what is there")
    with torch.no_grad():
        blocks = model.encode([views_of(noise(48, 48), MICRO), views_of(Image.new("RGB", (48, 48), "red"), MICRO)])
        seen = [model(model.splice([block], ids)[None]).logits[0] for block in blocks]
        shorter = model(model.splice([blocks[0]], ids[:-2])[None]).logits[0]
    assert not torch.allclose(seen[0][-1], seen[1][-1])
    assert torch.allclose(seen[0][: len(shorter)], shorter, atol=1e-5)


def test_active_experts_change_the_prediction() -> None:
    model, tokenizer = sparse_specimen()
    prompt = model.splice([], tokenizer.encode_prompt("how many"))[None]
    with torch.no_grad():
        two = model(prompt).logits
        model.set_active_experts(4)
        four = model(prompt).logits
    assert not torch.allclose(two, four)
    assert model.variant.backbone.active_experts == 4


@pytest.mark.parametrize(("make", "count"), [(specimen, 1), (sparse_specimen, 0), (sparse_specimen, 5)])
def test_impossible_numbers_of_active_experts_are_refused(make: object, count: int) -> None:
    model, _ = make()  # type: ignore[operator]
    with pytest.raises(ConfigError, match=f"active_experts={count}"):
        model.set_active_experts(count)


@pytest.mark.parametrize("make", [specimen, sparse_specimen])
def test_a_saved_model_answers_as_before_up_to_half_precision(make: object, tmp_path: Path) -> None:
    model, tokenizer = make()  # type: ignore[operator]
    checkpoint.save(tmp_path, model, tokenizer)
    loaded, words = checkpoint.load(tmp_path)
    assert loaded.variant == model.variant
    assert words.encode_prompt("red circle") == tokenizer.encode_prompt("red circle")
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name


def test_every_tensor_that_does_not_fit_is_named(tmp_path: Path) -> None:
    model, tokenizer = specimen()
    checkpoint.save(tmp_path, model, tokenizer)
    weights = load_file(tmp_path / checkpoint.WEIGHTS)
    del weights["start_img"]
    weights["end_img"] = weights["end_img"][..., :3].contiguous()
    weights["surplus"] = torch.zeros(1)
    save_file(weights, tmp_path / checkpoint.WEIGHTS)
    with pytest.raises(ConfigError) as caught:
        checkpoint.load(tmp_path)
    for part in ("start_img: missing", "end_img: shape (1, 1, 3)", "surplus: unknown"):
        assert part in str(caught.value)


def test_a_folder_of_another_schema_is_refused(tmp_path: Path) -> None:
    model, tokenizer = specimen()
    checkpoint.save(tmp_path, model, tokenizer)
    path = tmp_path / checkpoint.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(ConfigError, match="schema 99"):
        checkpoint.load(tmp_path)


def test_an_empty_folder_says_what_a_model_folder_holds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tokenizer.json"):
        checkpoint.load(tmp_path)


def test_the_conversation_is_the_published_template() -> None:
    text = conversation([("<image>\nHi", "Yes"), ("And?", None)])
    assert text == f"{SYSTEM}\n\n### Human: Hi\n### Assistant: Yes\n### Human: And?\n### Assistant:"
    assert open_prompt("And?").endswith(" Human: And?\n### Assistant:")
    assert cut_reply(answer_piece("Yes, red") + " Human: more") == "Yes, red"


def test_a_small_vocabulary_spends_nothing_on_the_template_and_one_token_on_a_coordinate() -> None:
    tokenizer = train_tokenizer(["a red circle. Where is it?"] * 3, 420)
    frame = len(tokenizer.encode_prompt("x")) - len(tokenizer.encode(" x"))
    assert frame == 5  # start of text, system sentence, human, end of turn, assistant
    for text in FRACTIONS:
        assert len(tokenizer.encode(f"[{text},")) == 3
    assert tokenizer.decode(tokenizer.encode("10.37 and [0.37,1.00] READ 42")) == "10.37 and [0.37,1.00] READ 42"


SHIPPED = Path(checkpoint.__file__).parent / "weights"


@pytest.mark.parametrize("folder", sorted(path for path in SHIPPED.iterdir() if path.is_dir()), ids=lambda path: path.name)
def test_shipped_weights_are_of_their_variant_and_have_a_card(folder: Path) -> None:
    model, tokenizer = checkpoint.load(folder)
    assert model.variant == find_variant(folder.name)
    assert tokenizer.size <= model.variant.backbone.vocab
    assert (folder / "README.md").is_file()


def test_shipped_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.safetensors")) < 40_000_000
