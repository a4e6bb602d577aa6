"""The mixture of visual experts: what transformers' encoders are corrected in, and how their tokens come together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, layer_norm

from models.sphinx_x.axes import Variant
from models.sphinx_x.encoders import ClipEncoder, ConvNextEncoder, Dinov2Encoder, Encoder, QFormerEncoder
from models.sphinx_x.model import SphinxX
from models.sphinx_x.tiling import Views
from models.sphinx_x.variants import MICRO, find_variant
from models.sphinx_x.vision import Clip, ConvNext, Dinov2, MixtureOfVisualExperts, QFormer, build_encoder

CONVNEXT = ConvNextEncoder(input_size=32, stem=4, widths=(8, 16), depths=(1, 1), norm_eps=1e-5, view_size=28, repeat=1)
DINOV2 = Dinov2Encoder(input_size=28, patch=7, width=12, layers=2, heads=2, swiglu=True, trained_size=63)
CLIP = ClipEncoder(input_size=28, patch=7, width=8, layers=2, heads=2)
QFORMER = QFormerEncoder(
    input_size=28,
    patch=7,
    width=16,
    layers=1,
    heads=2,
    mlp=32,
    queries=3,
    query_width=8,
    query_layers=3,
    query_heads=2,
    query_mlp=16,
)
FOUR = replace(
    MICRO,
    name="four",
    encoders=(CLIP, CONVNEXT, DINOV2),
    qformer=QFORMER,
    image_size=56,
    padding="centre",
    resize="float16",
    skip_token="none",
    class_token=True,
)


class Probe(nn.Module):
    """Answers every view with numbers of its own, and keeps what it was given."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.given = torch.empty(0)
        if isinstance(encoder, QFormerEncoder):
            self.shape = (encoder.queries, encoder.query_width)
        elif isinstance(encoder, ConvNextEncoder):
            self.shape = ((encoder.side // encoder.repeat) ** 2, encoder.channels)
        else:
            self.shape = (1 + encoder.side**2, encoder.channels)

    def forward(self, views: Tensor) -> Tensor:
        self.given = views
        return torch.arange(len(views) * self.shape[0] * self.shape[1], dtype=torch.float32).reshape(len(views), *self.shape)


def probed(variant: Variant) -> MixtureOfVisualExperts:
    return MixtureOfVisualExperts(variant, lambda encoder, _: Probe(encoder))


def views(count: int, size: int = 28) -> dict[int, Tensor]:
    return {size: torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))}


def test_tokens_are_concatenated_by_channel_in_the_order_of_the_encoders() -> None:
    vision = probed(FOUR)
    tokens = vision(views(2))
    clip, convnext, dinov2 = (vision.encoders[name](views(2)[28]) for name in ("clip", "convnext", "dinov2"))
    assert tokens.shape == (2, 17, 8 + 16 + 12)
    assert torch.equal(tokens[..., :8], clip)
    assert torch.equal(tokens[:, 1:, 8:24], convnext)
    assert torch.equal(tokens[..., 24:], dinov2)


def test_the_class_token_of_a_map_is_its_mean() -> None:
    vision = probed(FOUR)
    tokens = vision(views(2))[..., 8:24]
    assert torch.allclose(tokens[:, 0], tokens[:, 1:].mean(1))


def test_without_class_token_there_are_only_cells() -> None:
    assert probed(replace(FOUR, class_token=False))(views(2)).shape == (2, 16, 36)


def test_cells_of_a_coarser_map_are_repeated_in_both_directions() -> None:
    coarse = replace(CONVNEXT, input_size=16, repeat=2)
    vision = probed(replace(FOUR, encoders=(CLIP, coarse, DINOV2)))
    cells = vision(views(1))[0, 1:, 8:24].reshape(4, 4, 16)
    map_ = vision.encoders["convnext"](views(1)[28]).reshape(2, 2, 16)
    assert all(torch.equal(cells[row, column], map_[row // 2, column // 2]) for row in range(4) for column in range(4))


def test_views_are_enlarged_by_nearest_neighbour_through_half_precision_as_published() -> None:
    for resize, rounded in (("float16", lambda x: x.half().float()), ("antialias", lambda x: x)):
        vision = probed(replace(FOUR, resize=resize))
        pixels = views(2)
        vision(pixels)
        assert torch.equal(vision.encoders["convnext"].given, interpolate(rounded(pixels[28]), size=(32, 32)))
        assert vision.encoders["dinov2"].given is pixels[28]


def test_the_query_tokens_lead_those_of_the_grid_through_a_projection_of_their_own() -> None:
    model = SphinxX(FOUR, lambda encoder, _: Probe(encoder))
    pixels = views(5)
    (block,) = model.encode([Views((False,) * 5, pixels)])
    assert len(block) == 5 * FOUR.view_tokens(0) == 5 * (1 + 3 + 17 + 1)
    queries, tokens = model.vision.queries(pixels), model.vision(pixels)
    assert torch.equal(block[1:4], model.qformer_projector(queries[0]))
    assert torch.equal(block[4:21], model.projector(tokens[0]))
    assert torch.equal(block[21], model.end_img[0, 0])
    assert torch.allclose(model.features(pixels)[0], block[1:21], atol=1e-6)


def test_pooled_tiles_are_the_published_bilinear_halving_and_keep_class_and_queries() -> None:
    variant = replace(FOUR, local_pool=2)
    model = SphinxX(variant, lambda encoder, _: Probe(encoder))
    pixels = views(5)
    (block,) = model.encode([Views((False,) * 5, pixels)])
    assert len(block) == (2 + 3 + 17) + 4 * (2 + 3 + 1 + 4)
    tile = model.vision(pixels)[1]
    grid = tile[1:].T.reshape(1, -1, 4, 4)
    halved = interpolate(grid, size=(2, 2), mode="bilinear", align_corners=False)
    assert torch.allclose(halved, avg_pool2d(grid, 2))
    expected = model.projector(torch.cat([tile[:1], halved.flatten(2)[0].T]))
    assert torch.allclose(block[22 + 1 + 3 : 22 + 1 + 3 + 5], expected, atol=1e-5)


def test_dinov2_positions_shrink_by_a_scale_as_its_authors_do_it() -> None:
    torch.manual_seed(0)
    embeddings = Dinov2(DINOV2, FOUR).trunk.embeddings
    nn.init.normal_(embeddings.position_embeddings)
    lead, grid = embeddings.position_embeddings[:, :1], embeddings.position_embeddings[:, 1:].reshape(1, 9, 9, 12)
    grid = interpolate(grid.permute(0, 3, 1, 2), scale_factor=(4.1 / 9, 4.1 / 9), mode="bicubic", align_corners=False)
    found = embeddings.interpolate_pos_encoding(torch.empty(1, 17, 12), 28, 28)
    assert torch.allclose(found, torch.cat([lead, grid.flatten(2).transpose(1, 2)], 1), atol=1e-6)
    to_a_size = super(type(embeddings), embeddings).interpolate_pos_encoding(torch.empty(1, 17, 12), 28, 28)
    assert not torch.allclose(found, to_a_size, atol=1e-3)


def test_dinov2_sees_its_own_statistics() -> None:
    encoder = replace(DINOV2, trained_size=None, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))
    torch.manual_seed(0)
    renormalising = Dinov2(encoder, FOUR).eval()
    plain = Dinov2(replace(encoder, mean=FOUR.mean, std=FOUR.std), FOUR).eval()
    plain.load_state_dict(renormalising.state_dict())
    pixels = torch.rand(1, 3, 28, 28)

    def normalised(mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)

    with torch.no_grad():
        found = renormalising(normalised(FOUR.mean, FOUR.std))
        assert torch.allclose(found, plain(normalised(encoder.mean, encoder.std)), atol=1e-5)


def test_convnext_norms_have_one_epsilon_and_the_last_acts_at_each_cell() -> None:
    encoder = ConvNext(CONVNEXT).eval()
    norms = [module for module in encoder.modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) > 3 and {norm.eps for norm in norms} == {1e-5}
    pixels = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        map_ = encoder.trunk(pixels).last_hidden_state
        assert torch.allclose(encoder(pixels)[0, 5], layer_norm(map_[0, :, 1, 1], (16,), eps=1e-5), atol=1e-5)


def test_clip_norms_all_tokens_and_its_activation_can_be_chosen() -> None:
    torch.manual_seed(0)
    quick, exact = Clip(CLIP).eval(), Clip(replace(CLIP, activation="gelu")).eval()
    exact.load_state_dict(quick.state_dict())
    pixels = torch.randn(1, 3, 28, 28)
    with torch.no_grad():
        tokens = quick(pixels)
        assert torch.allclose(tokens.mean(-1), torch.zeros(1, 17), atol=1e-5)
        assert torch.allclose(tokens[:, 0], quick.trunk(pixels).pooler_output)
        assert not torch.allclose(exact(pixels), tokens)


def test_the_q_former_gives_a_fixed_number_of_tokens_that_depend_on_the_view() -> None:
    torch.manual_seed(0)
    encoder = QFormer(QFORMER).eval()
    for value in encoder.vision_model.parameters():
        nn.init.normal_(value, std=0.2)
    nn.init.normal_(encoder.query_tokens)
    with torch.no_grad():
        tokens = encoder(torch.randn(2, 3, 28, 28))
    assert tokens.shape == (2, 3, 8)
    assert not torch.allclose(tokens[0], tokens[1])
    assert {name.partition(".")[0] for name in encoder.state_dict()} == {"vision_model", "query_tokens", "qformer"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sphinx_1k", "sphinx_moe_1view", "sphinx_tiny"])
def test_real_encoders_and_probes_agree_on_shapes(name: str) -> None:
    variant = find_variant(name)
    for encoder in variant.visual_experts:
        with torch.device("meta"):
            found = build_encoder(encoder, variant).eval()(torch.zeros(2, 3, encoder.input_size, encoder.input_size))
        assert found.shape == (2, *Probe(encoder).shape), encoder.name


def test_a_four_encoder_variant_survives_its_json() -> None:
    assert Variant.from_json(FOUR.to_json()) == FOUR
