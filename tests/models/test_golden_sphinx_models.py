"""Whole models against the authors' code: the folders in ``tests/golden/sphinx_x``, and those that the environment names.

Everything is read from each folder's own files, so that a model of other sizes and seeds is tested by naming its folder in
``RIDDLE_GOLDEN_SPHINX``. The cases with skip tokens are no evidence of what the authors did (see the folder's README).
"""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from models.sphinx_x.inference.decoder import Decoder
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.convert import load_official
from models.sphinx_x.official.names import ENCODER_NAMES
from models.sphinx_x.tiling import Views, cut, square, views_of
from models.sphinx_x.train.dialog import answer_loss
from models.sphinx_x.train.step import balance
from tests.models.golden_sphinx import BUNDLED, model_folders, pictures_folder
from tests.models.sphinx_probes import FILE, build_probe, load_probe, probe_of

GIVEN, PICTURE = 2e-5, 2e-3
"""Tolerances of logits: of given visual or text tokens, and where a picture is resized in float16 first."""

FOLDERS = model_folders()
ATTENTION = ("eager", "sdpa")
QUICK = "dense_llama_ens_light"
"""The bundled model that the default run takes; the larger ones are slow, those that the environment names never are."""


def names_of(folder: Path) -> set[str]:
    with safe_open(folder / "cases.safetensors", framework="pt") as file:
        return set(file.keys())


def having(name: str, *, quick: bool = False) -> Any:
    """All models that have a case; a case that is quick for all of them says so."""
    found = [folder for folder in FOLDERS if name in names_of(folder)]
    return pytest.mark.parametrize("folder", [marked(folder, quick) for folder in found])


def marked(folder: Path, quick: bool) -> Any:
    slow = folder.parent == BUNDLED and folder.name != QUICK and not quick
    return pytest.param(folder, id=folder.name, marks=[pytest.mark.slow] if slow else [])


@functools.cache
def cases(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    return load_file(folder / "cases.safetensors"), json.loads((folder / "cases.json").read_text())


def load(folders: list[Path], probes: Path) -> SphinxX:
    model, _ = load_official(folders, optional=("encoders",), build_encoder=build_probe)
    weights = load_file(probes / FILE)
    for encoder in model.variant.visual_experts:
        load_probe(model.vision.encoders[encoder.name], encoder.kind, weights)
    return model


@functools.lru_cache(maxsize=1)
def model_of(folder: Path) -> SphinxX:
    return load([folder], folder)


@functools.lru_cache(maxsize=2)
def visual(folder: Path, picture: str) -> tuple[Views, Tensor]:
    """The views of a picture and its visual prompt, [positions, width]."""
    model = model_of(folder)
    with Image.open(pictures_folder(folder) / picture) as image:
        views = views_of(image, model.variant)
    with torch.no_grad():
        return views, model.encode([views])[0]


MAIN, SECOND = "d_200x90.png", "b_20x60.png"


@torch.no_grad()
def last_logits(model: SphinxX, blocks: list[Tensor], tokens: Tensor) -> Tensor:
    """Logits at the last positions of the sequence, as many as there are tokens."""
    sequences = [model.splice([block], ids) for block, ids in zip(blocks, tokens.tolist(), strict=True)]
    logits: Tensor = model(torch.stack(sequences)).logits[:, -tokens.shape[1] :]
    return logits


@pytest.mark.parametrize("attention", ATTENTION)
@having("text.logits", quick=True)
def test_text(folder: Path, attention: str) -> None:
    model, (case, _) = model_of(folder), cases(folder)
    model.language_model.set_attn_implementation(attention)
    with torch.no_grad():
        logits = model(model.embed(case["text.tokens"])).logits
    torch.testing.assert_close(logits, case["text.logits"], atol=GIVEN, rtol=0)


@having("img.view_tokens")
def test_what_encoders_are_given_and_what_views_become(folder: Path) -> None:
    model, (case, facts) = model_of(folder), cases(folder)
    views, _ = visual(folder, MAIN)
    assert model.variant.image_size == facts["image_size"]
    assert model.variant.views == facts["n_views"] == len(views.empty)
    with torch.no_grad():
        tokens = model.features(views.pixels)
    torch.testing.assert_close(tokens, case["img.view_tokens"], atol=PICTURE, rtol=0)
    for encoder in model.variant.visual_experts:
        name = f"img.encoder_input.{ENCODER_NAMES[encoder.kind]}"
        seen = probe_of(model.vision.encoders[encoder.name]).seen
        assert list(seen.shape) == facts[f"{name}.full_shape"]
        (pooled,) = [key for key in case if key.startswith(f"{name}.pool")]
        mean = avg_pool2d(seen, int(pooled.removeprefix(f"{name}.pool")))
        torch.testing.assert_close(mean, case[pooled], atol=PICTURE, rtol=0)


@pytest.mark.parametrize("attention", ATTENTION)
@having("img.logits")
def test_one_picture(folder: Path, attention: str) -> None:
    model, (case, facts) = model_of(folder), cases(folder)
    model.language_model.set_attn_implementation(attention)
    _, block = visual(folder, MAIN)
    assert len(block) == facts["image_words"] == sum(model.variant.view_tokens(view) for view in range(model.variant.views))
    logits = last_logits(model, [block], case["img.tokens"])
    torch.testing.assert_close(logits, case["img.logits"], atol=PICTURE, rtol=0)


@having("img.logits", quick=True)
def test_given_visual_tokens(folder: Path) -> None:
    model, (case, _) = model_of(folder), cases(folder)
    start, end = model.start_img[0], model.end_img[0]
    block = torch.cat([torch.cat([start, tokens, end]) for tokens in case["img.view_tokens"]])
    logits = last_logits(model, [block], case["img.tokens"])
    torch.testing.assert_close(logits, case["img.logits"], atol=GIVEN, rtol=0)


@having("imgbatch.logits")
def test_two_pictures_in_a_batch(folder: Path) -> None:
    model, (case, _) = model_of(folder), cases(folder)
    blocks = [visual(folder, name)[1] for name in (MAIN, SECOND)]
    logits = last_logits(model, blocks, case["imgbatch.tokens"])
    torch.testing.assert_close(logits, case["imgbatch.logits"], atol=PICTURE, rtol=0)


def prompt_of(folder: Path, kind: str) -> Tensor:
    """The embedded prompt of a generation case: [positions, width]."""
    ids = cases(folder)[0][f"{kind}.prompt"][0].tolist()
    return model_of(folder).splice([visual(folder, MAIN)[1]] if kind == "gen_img" else [], ids)


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("kind", ["gen_text", "gen_img"])
@having("gen_text.logits")
@torch.no_grad()
def test_greedy_steps_with_a_cache(folder: Path, kind: str, attention: str) -> None:
    model, (case, _) = model_of(folder), cases(folder)
    model.language_model.set_attn_implementation(attention)
    ids = case[f"{kind}.prompt"][0].tolist()
    embeddings, cache, rows = prompt_of(folder, kind)[None], None, []
    for _ in range(len(case[f"{kind}.logits"])):
        out = model(embeddings, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, row = out.past_key_values, out.logits[0, -1]
        rows.append(row)
        ids.append(int(row.argmax()))
        embeddings = model.embed(torch.tensor([ids[-1:]]))
    assert ids == case[f"{kind}.tokens"][0].tolist()
    torch.testing.assert_close(torch.stack(rows), case[f"{kind}.logits"], atol=PICTURE if kind == "gen_img" else GIVEN, rtol=0)


@pytest.mark.parametrize("kind", ["gen_text", "gen_img"])
@having("gen_text.logits")
@torch.inference_mode()
def test_greedy_steps_of_the_engine(folder: Path, kind: str) -> None:
    """The engine's own forward pass: the prompt's last token alone in a row, the rest as its prefix."""
    case, decoder = cases(folder)[0], Decoder(load([folder], folder).language_model)
    prompt = case[f"{kind}.prompt"][0].tolist()
    rows, hidden = decoder.extend(decoder.prefill([prompt_of(folder, kind)[:-1]]), [[prompt[-1:]]], [0])
    found, ids = [], prompt
    for _ in range(len(case[f"{kind}.logits"])):
        logits = decoder.logits(hidden)
        found.append(logits[0].clone())
        ids = [*ids, int(logits[0].argmax())]
        hidden = decoder.step([rows], torch.tensor(ids[-1:]))
    assert ids == case[f"{kind}.tokens"][0].tolist()
    torch.testing.assert_close(torch.stack(found), case[f"{kind}.logits"], atol=PICTURE if kind == "gen_img" else GIVEN, rtol=0)


@pytest.mark.parametrize("form", ["noskip", "skip_bare", "skip_bracketed"])
@having("zeropad.tokens")
@torch.no_grad()
def test_padded_views(folder: Path, form: str) -> None:
    model, (case, facts) = load([folder], folder), cases(folder)
    with Image.open(pictures_folder(folder) / MAIN) as image:
        pixels = square(image, model.variant)
    pixels[:, facts["zeropad.first_zero_row"] :] = 0
    side = model.variant.image_size // model.variant.grid
    tiles = pixels.unfold(1, side, side).unfold(2, side, side).flatten(1, 2)  # [3, tiles, side, side]
    empty = [bool((tile == 0).all()) for tile in tiles.unbind(1)]
    assert empty == facts["zeropad.empty_subimages"]
    flags = (False, *(flag and form != "noskip" for flag in empty))
    keep = [index for index, flag in enumerate(flags) if not flag]
    views = Views(flags, {size: found[0, keep] for size, found in cut(pixels[None], model.variant).items()})
    if form != "noskip":
        model.variant = replace(model.variant, skip_token=form.removeprefix("skip_"))  # type: ignore[arg-type]
        model.skip_token = nn.Parameter(case["zeropad.skip_token"])
    (block,) = model.encode([views])
    assert len(block) == facts["image_words" if form == "noskip" else f"zeropad.{form}.image_words"]
    logits = last_logits(model, [block], case["zeropad.tokens"])
    torch.testing.assert_close(logits, case[f"zeropad.{form}.logits"], atol=PICTURE, rtol=0)


def losses(model: SphinxX, blocks: list[Tensor], case: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Cross-entropy and, for sparse models, the load-balancing loss of the training batch."""
    labels = case["loss.labels"]
    length = int(labels.any(0).nonzero().max()) + 1
    rows = [model.splice([block], ids) for block, ids in zip(blocks, case["loss.examples"][:, :length].tolist(), strict=True)]
    sparse = model.variant.backbone.experts > 0
    out = model(torch.stack(rows), **({"output_router_logits": True} if sparse else {}))
    balanced = balance(out.router_logits, model.variant.backbone.active_experts) if sparse else None
    return answer_loss(out.logits[:, -length:], labels[:, :length]), balanced


@pytest.mark.parametrize("kind", ["text", "img"])
@having("loss.img.total")
def test_training_losses_and_gradients(folder: Path, kind: str) -> None:
    model, (case, facts) = model_of(folder), cases(folder)
    model.zero_grad()
    model.train()
    try:
        blocks = [torch.empty(0, model.variant.backbone.width)] * len(case["loss.examples"])
        if kind == "img":
            blocks = model.encode([visual(folder, name)[0] for name in (MAIN, SECOND)])
        answers, balanced = losses(model, blocks, case)
        weight = model.variant.backbone.load_balance
        total = answers if balanced is None else answers + weight * balanced
        total.backward()
    finally:
        model.eval()
    atol = PICTURE if kind == "img" else GIVEN
    torch.testing.assert_close(answers[None], case[f"loss.{kind}.closs"], atol=atol, rtol=0)
    torch.testing.assert_close(total[None], case[f"loss.{kind}.total"], atol=atol, rtol=0)
    if balanced is not None:
        assert weight == facts["loss.load_balancing.weight"]
        torch.testing.assert_close(balanced[None], case[f"loss.{kind}.load_balancing"], atol=atol, rtol=0)
    if kind == "img":
        own = {"start_img": model.start_img, "end_img": model.end_img, "visual_proj.0.bias": model.projector.linear.bias}
        for name, parameter in own.items():
            torch.testing.assert_close(parameter.grad, case[f"loss.img.grad.{name}"], atol=PICTURE, rtol=PICTURE, msg=name)


SPLIT = [folder for folder in FOLDERS if any(folder.glob("mp*/consolidated.*.pth"))]


@pytest.mark.parametrize("folder", [marked(folder, folder.name.startswith("moe")) for folder in SPLIT])
def test_files_of_several_ranks_are_the_whole(folder: Path) -> None:
    whole = model_of(folder).state_dict()
    for ranks in sorted(folder.glob("mp*")):
        merged = load([folder, ranks], folder).state_dict()
        assert merged.keys() == whole.keys()
        for name, value in whole.items():
            assert torch.equal(merged[name], value), f"{ranks.name}: {name}"
