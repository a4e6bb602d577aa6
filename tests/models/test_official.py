"""The authors' folders: read in every form they come in, written again bit by bit, and refused with one clear report."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from harness.cli import main
from harness.errors import ConfigError
from harness.types import Generation, Request, Text
from models.sphinx_x import checkpoint
from models.sphinx_x.model import SphinxX
from models.sphinx_x.official.convert import convert, load_official
from models.sphinx_x.official.layout import LAYOUTS, config_of, ffn_width, kind_of, variant_of
from models.sphinx_x.plugin import SphinxXModel
from models.sphinx_x.variants import MICRO, Backbone, find_variant
from tests.models.golden_sphinx import BUNDLED
from tests.models.official_specimens import DENSE, SPARSE, layouts_are, official_folder, random_model, rewrite, small_layout


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts_are(monkeypatch, *(small_layout(name) for name in LAYOUTS.values()))


def pth(folder: Path, rank: int = 0, ranks: int = 1) -> Path:
    return folder / f"consolidated.{rank:02}-of-{ranks:02}.model.pth"


def tensors(path: Path) -> dict[str, torch.Tensor]:
    held: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["model"]
    return held


def same_model(one: SphinxX, other: SphinxX) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_configuration_survives_the_way_there_and_back(kind: str) -> None:
    base = small_layout(LAYOUTS[kind])
    for changes in ({}, {"rope_scaling": 0.5}, {"kv_heads": 4, "vocab": 60}, {"ffn": 32}, {"ffn": 100}):
        backbone = Backbone(**{**vars(base.backbone), **changes})
        variant = small_layout(LAYOUTS[kind], backbone)
        assert kind_of(variant) == kind
        assert variant_of(kind, config_of(variant)) == variant


@pytest.mark.parametrize(("width", "multiple", "expected"), [(5120, 256, 13824), (5120, 2048, 14336), (2048, 256, 5632)])
def test_the_feed_forward_width_is_theirs(width: int, multiple: int, expected: int) -> None:
    assert ffn_width(width, multiple, None) == expected


@pytest.mark.parametrize(
    ("name", "ranks"), [("sphinx_1k", 1), ("sphinx_moe_1k", 2), pytest.param("sphinx", 2, marks=pytest.mark.slow)]
)
def test_all_encoders_and_the_language_model_come_back(name: str, ranks: int, tmp_path: Path) -> None:
    model = random_model(small_layout(name))
    loaded, tokenizer = load_official([official_folder(tmp_path, model, ranks)])
    assert tokenizer is None
    assert loaded.variant == model.variant
    same_model(loaded, model)


def test_names_of_encoders_are_their_authors(tmp_path: Path) -> None:
    held = tensors(pth(official_folder(tmp_path, random_model(small_layout("sphinx_1k")))))
    for name, shape in {
        "llma.dinov2_vitg14.blocks.1.attn.qkv.weight": (72, 24),
        "llma.dinov2_vitg14.blocks.0.mlp.w12.bias": None,
        "llma.dinov2_vitg14.blocks.0.ls2.gamma": (24,),
        "llma.dinov2_vitg14.pos_embed": (1, 1370, 24),
        "llma.dinov2_vitg14.patch_embed.proj.bias": (24,),
        "llma.openclip_convnext_xxl.stem.1.weight": (8,),
        "llma.openclip_convnext_xxl.stages.2.blocks.1.mlp.fc1.weight": (48, 12),
        "llma.openclip_convnext_xxl.stages.2.blocks.1.gamma": (12,),
        "llma.openclip_convnext_xxl.stages.3.downsample.1.weight": (16, 12, 2, 2),
        "llma.openclip_convnext_xxl.head.norm.bias": (16,),
        "llma.clip.visual.transformer.resblocks.1.attn.in_proj_weight": (48, 16),
        "llma.clip.visual.transformer.resblocks.0.mlp.c_fc.bias": (32,),
        "llma.clip.visual.positional_embedding": (257, 16),
        "llma.clip.visual.ln_pre.weight": (16,),
        "llma.qformer.query_tokens": (1, 32, 12),
        "llma.qformer.vision_model.encoder.layers.0.self_attn.qkv.weight": (48, 16),
        "llma.qformer.qformer.encoder.layer.0.crossattention.attention.key.weight": (12, 16),
    }.items():
        assert name in held
        assert shape is None or tuple(held[name].shape) == shape, name


UNUSED = {
    "llma.clip.visual.proj": torch.ones(3, 2),
    "llma.clip.token_embedding.weight": torch.ones(5),
    "llma.dinov2_vitg14.mask_token": torch.ones(1, 4),
}


@pytest.mark.parametrize(
    ("name", "middle", "dtype"),
    [
        ("sphinx_moe_1k", "riddle", torch.bfloat16),
        pytest.param("sphinx_1k", "hf", torch.float32, marks=pytest.mark.slow),
        pytest.param("sphinx_moe_1k", "hf", torch.bfloat16, marks=pytest.mark.slow),
        pytest.param("sphinx_1k", "riddle", torch.float32, marks=pytest.mark.slow),
    ],
)
def test_there_and_back_is_bit_identical_with_any_number_of_shards(
    name: str, middle: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    first = official_folder(tmp_path / "a", random_model(small_layout(name), dtype=dtype), 2, UNUSED)
    rewrite(first / "config.json", max_batch_size=7)
    convert((first,), tmp_path / "b", middle, max_shard_mb=1)  # type: ignore[arg-type]
    for ranks in (1, 2):
        back = tmp_path / f"c{ranks}"
        convert((tmp_path / "b",), back, "official", shards=ranks)
        again = tmp_path / f"d{ranks}"
        convert((back,), again, "official", shards=2)
        for rank in (0, 1):
            old, new = tensors(pth(first, rank, 2)), tensors(pth(again, rank, 2))
            assert old.keys() == new.keys()
            for key, value in old.items():
                assert value.dtype == new[key].dtype and torch.equal(value, new[key]), key
    if middle == "riddle":
        assert json.loads((back / "config.json").read_text()) == json.loads((first / "config.json").read_text())


def test_experts_are_cut_along_their_width(tmp_path: Path) -> None:
    model = random_model(small_layout("sphinx_moe_1k"))
    whole = tensors(pth(official_folder(tmp_path / "1", model)))["llma.layers.1.feed_forward.w2"]
    halves = official_folder(tmp_path / "2", model, 2)
    parts = [tensors(pth(halves, rank, 2))["llma.layers.1.feed_forward.w2"] for rank in (0, 1)]
    merged = torch.cat([part.view(SPARSE.experts, -1, SPARSE.width) for part in parts], dim=1).flatten(0, 1)
    assert torch.equal(merged, whole)


def test_a_bare_dictionary_is_read_too(tmp_path: Path) -> None:
    model = random_model(small_layout())
    path = pth(official_folder(tmp_path, model))
    torch.save(tensors(path), path)
    same_model(load_official([tmp_path])[0], model)


def test_metas_form_gives_the_language_model(tmp_path: Path) -> None:
    model = random_model(small_layout())
    folder = official_folder(tmp_path, model, 2)
    for rank in (0, 1):
        held = {name.removeprefix("llma."): value for name, value in tensors(pth(folder, rank, 2)).items()}
        language = {name: value for name, value in held.items() if name.startswith(("layers.", "tok_", "norm.", "output."))}
        torch.save({**language, "rope.freqs": torch.ones(4)}, folder / f"consolidated.{rank:02}.pth")
        pth(folder, rank, 2).unlink()
    loaded, _ = load_official([folder], optional=("connector", "encoders"))
    same_model(loaded.language_model, model.language_model)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="llma.start_img: missing"):
        load_official([folder])


def test_a_difference_is_added_to_its_base_and_later_folders_override(tmp_path: Path) -> None:
    base, other = (random_model(small_layout("sphinx_tiny_1k"), seed) for seed in (0, 1))
    first, second = official_folder(tmp_path / "a", base, 2), official_folder(tmp_path / "b", other)
    held = tensors(pth(second))
    torch.save({"model": held}, second / "consolidated.00-of-01.model-diff.pth")
    pth(second).unlink()
    total, _ = load_official([first, second])
    assert torch.equal(total.start_img, base.start_img + other.start_img)
    some = tmp_path / "c"
    some.mkdir()
    torch.save({"model": {"llma.end_img": held["llma.end_img"]}}, pth(some))
    mixed, _ = load_official([first, some])
    assert torch.equal(mixed.end_img, other.end_img) and torch.equal(mixed.start_img, base.start_img)
    with pytest.raises(ConfigError, match="name the folder of the base before it"):
        load_official([second, first])


def test_the_folders_tokenizer_says_the_vocabulary_and_travels_along(tmp_path: Path) -> None:
    backbone = Backbone(**{**vars(DENSE), "vocab": 520})
    folder = official_folder(tmp_path / "a", random_model(small_layout("sphinx_1k", backbone)))
    shutil.copy(BUNDLED / "dialog" / "tokenizer.model", folder)
    rewrite(folder / "config.json", vocab_size=-1)
    model, tokenizer = load_official([folder])
    assert tokenizer is not None and tokenizer.size == model.variant.backbone.vocab == 520
    convert((folder,), tmp_path / "b", "riddle")
    loaded, words = checkpoint.load(tmp_path / "b")
    same_model(loaded, model)
    assert words.encode("Near value") == tokenizer.encode("Near value")
    convert((tmp_path / "b",), tmp_path / "c", "official")
    assert (tmp_path / "c" / "tokenizer.model").read_bytes() == (folder / "tokenizer.model").read_bytes()


def test_a_vocabulary_that_does_not_fit_the_tokenizer_is_named(tmp_path: Path) -> None:
    folder = official_folder(tmp_path, random_model(small_layout()))
    shutil.copy(BUNDLED / "dialog" / "tokenizer.model", folder)
    with pytest.raises(ConfigError, match=r"(?s)tokenizer's 520 ids.*tok_embeddings.weight: shape \(48, 32\), expected \(520"):
        load_official([folder])


def test_one_report_names_every_tensor_that_does_not_fit(tmp_path: Path) -> None:
    path = pth(official_folder(tmp_path, random_model(small_layout())))
    held = tensors(path)
    del held["llma.end_img"], held["llma.dinov2_vitg14.cls_token"]
    held["llma.norm.weight"] = torch.ones(3)
    held["llma.layers.9.ffn_norm.weight"] = torch.ones(32)
    torch.save({"model": held}, path)
    with pytest.raises(ConfigError) as caught:
        load_official([tmp_path])
    for line in (
        "llma.end_img: missing",
        "llma.dinov2_vitg14.cls_token: missing",
        "llma.norm.weight: shape (3,), expected (32,)",
        "llma.layers.9.ffn_norm.weight: unknown",
    ):
        assert line in str(caught.value)


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("this must never be printed",))


def test_code_in_a_weight_file_is_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pth(official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k"))))
    torch.save({"model": {"llma.start_img": Code()}}, path)
    with pytest.raises(ConfigError, match=r"(?s)00-of-01.model.pth: refused or damaged.*no code is run"):
        load_official([tmp_path])
    path.write_bytes(pickle.dumps({"model": {"llma.start_img": Code()}}, protocol=2))
    with pytest.raises(ConfigError, match="refused or damaged"):
        load_official([tmp_path])
    assert "never be printed" not in capsys.readouterr().out


@pytest.mark.parametrize("share", [0.0, 0.3, 0.98])
def test_a_truncated_file_is_named(share: float, tmp_path: Path) -> None:
    path = pth(official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k"))))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ConfigError, match=r"00-of-01.model.pth: .*(truncated|damaged)"):
        load_official([tmp_path])


def test_other_things_than_tensors_are_named(tmp_path: Path) -> None:
    path = pth(official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k"))))
    torch.save({"model": {"llma.start_img": 3}}, path)
    with pytest.raises(ConfigError, match="llma.start_img: is a int"):
        load_official([tmp_path])
    torch.save([torch.ones(1)], path)
    with pytest.raises(ConfigError, match="holds a list"):
        load_official([tmp_path])


def test_missing_ranks_and_mixed_sizes_are_named(tmp_path: Path) -> None:
    folder = official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k")), 2)
    second = pth(folder, 1, 2)
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(ConfigError, match="file of rank 1 is missing; the checkpoint has 2"):
        load_official([folder])
    pth(folder, 1, 4).write_bytes(kept)
    with pytest.raises(ConfigError, match=r"several numbers of ranks \(2, 4\)"):
        load_official([folder])
    pth(folder, 1, 4).unlink()
    second.write_bytes(kept)
    (folder / "consolidated.00.pth").write_bytes(kept)
    with pytest.raises(ConfigError, match=r"several forms \(model, meta\)"):
        load_official([folder])


def test_ranks_that_do_not_fit_together_are_named(tmp_path: Path) -> None:
    folder = official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k")), 2)
    held = tensors(pth(folder, 1, 2))
    del held["llma.start_img"]
    held["llma.norm.weight"] = torch.ones(7)
    held["llma.output.weight"] = held["llma.output.weight"][:, :5]
    torch.save({"model": held}, pth(folder, 1, 2))
    with pytest.raises(ConfigError) as caught:
        load_official([folder])
    for line in ("llma.start_img: missing in rank 1", "llma.norm.weight: shapes (32,), (7,)", "llma.output.weight: shapes"):
        assert line in str(caught.value)


def test_unequal_copies_of_a_tensor_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k")), 2)
    held = tensors(pth(folder, 1, 2))
    held["llma.start_img"] += 1
    torch.save({"model": held}, pth(folder, 1, 2))
    load_official([folder])
    assert "llma.start_img differs between ranks" in caplog.text


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("meta.json", {"llama_type": "llama_ens55"}, r"'llama_ens55' is unknown.*llama_ens5"),
        ("config.json", {"dim_": 3}, "knows no field dim_"),
        ("config.json", {"vocab_size": -1}, "vocabulary=-1"),
        ("config.json", {"n_heads": 5}, "do not divide"),
        ("config.json", {"n_layers": "many"}, "no number"),
    ],
)
def test_descriptions_that_make_no_model_are_refused(file: str, changes: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = official_folder(tmp_path, random_model(small_layout("sphinx_tiny_1k")))
    rewrite(folder / file, **changes)
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        load_official([folder])


def test_folders_without_weights_or_description_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no meta.json"):
        load_official([tmp_path])
    folder = official_folder(tmp_path / "a", random_model(small_layout("sphinx_tiny_1k")))
    pth(folder).unlink()
    with pytest.raises(ConfigError, match="holds no consolidated"):
        load_official([folder])
    (folder / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="config.json: is not JSON"):
        load_official([folder])


def test_what_the_authors_have_no_layout_for_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the authors' layouts"):
        official_folder(tmp_path, SphinxX(MICRO))
    with pytest.raises(ConfigError, match=r"(?s)shards=3.*heads: 4.*channels: 32"):
        official_folder(tmp_path, random_model(small_layout()), 3)


def test_a_model_of_many_bytes_is_stored_in_several_files(tmp_path: Path) -> None:
    model = random_model(small_layout("sphinx_1k", Backbone(**{**vars(DENSE), "vocab": 6000})))
    first = official_folder(tmp_path / "a", model)
    convert((first,), tmp_path / "b", "riddle", max_shard_mb=1)
    index = json.loads((tmp_path / "b" / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    assert len(files) > 1 and not (tmp_path / "b" / "model.safetensors").exists()
    assert index["metadata"]["total_size"] == sum(value.nbytes for value in model.state_dict().values())
    for file in files:
        assert {index["weight_map"][name] for name in load_file(tmp_path / "b" / file)} == {file}
    rebuilt = SphinxX(model.variant)
    checkpoint.load_into(rebuilt, tmp_path / "b")
    same_model(rebuilt, model)
    (tmp_path / "b" / files[0]).unlink()
    with pytest.raises(ConfigError, match=files[0]):
        checkpoint.load_into(rebuilt, tmp_path / "b")
    rewrite(tmp_path / "b" / "model.safetensors.index.json", weight_map={"x": "../a/secret.safetensors"})
    with pytest.raises(ConfigError, match="outside of its folder"):
        checkpoint.load_into(rebuilt, tmp_path / "b")


def test_the_names_of_layouts_exist() -> None:
    assert all(find_variant(name).resize == "float16" for name in LAYOUTS.values())


@pytest.mark.parametrize("form", ["official", "riddle", "hf"])
def test_the_plugin_answers_from_a_folder_of_any_form(form: str, tmp_path: Path) -> None:
    backbone = Backbone(**{**vars(DENSE), "vocab": 520, "max_positions": 512})
    folder = official_folder(tmp_path / "a", random_model(small_layout("sphinx_tiny_1k", backbone)))
    shutil.copy(BUNDLED / "dialog" / "tokenizer.model", folder)
    if form != "official":
        convert((folder,), tmp_path / "b", form)  # type: ignore[arg-type]
        folder = tmp_path / "b"
    model = SphinxXModel(str(folder))
    request = Request(key="0" * 32, sample_id="s", parts=(Text("How many?"),), generation=Generation(max_new_tokens=4))
    (answer,) = model.generate([request])
    assert answer.failure is None and answer.completion_tokens
    assert SphinxXModel(str(folder)).fingerprint == model.fingerprint
    next(folder.glob("tokenizer.model")).write_bytes(b"no model")
    with pytest.raises(ConfigError, match=r"tokenizer.model: is no sentencepiece model"):
        SphinxXModel(str(folder))


def test_the_command_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = official_folder(tmp_path / "a", random_model(small_layout("sphinx_tiny_1k")), 2)
    there, back = tmp_path / "b", tmp_path / "c"
    assert main(["data", "convert", f"from={folder}", f"to={there}", "format=riddle"]) == 0
    assert str(there) in capsys.readouterr().out
    assert main(["data", "convert", f"from={there}", f"to={back}", "format=official", "shards=2"]) == 0
    for rank in (0, 1):
        old, new = tensors(pth(folder, rank, 2)), tensors(pth(back, rank, 2))
        assert all(torch.equal(value, new[name]) for name, value in old.items()) and old.keys() == new.keys()
    assert main(["data", "convert", f"from={there}", "format=hf"]) == 2
    assert "from, to and format" in capsys.readouterr().err
    assert main(["data", "convert", f"from={there}", f"to={there}", "format=hf"]) == 2
    assert main(["data", "convert", f"from={tmp_path}", f"to={back}", "format=hf"]) == 2
