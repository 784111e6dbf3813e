"""The ResNet encoders against the libraries they stand on and against their projections written out by hand."""

from __future__ import annotations

import pytest
import torch
import torchvision
from comparing import relative
from official_files import certificate, hollow_tensors, saved
from test_encoders import twin
from torch import nn

from benchx.errors import CheckpointError, UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder
from benchx.methods.keyed_init import seeded_images
from benchx.methods.loading import filled
from benchx.methods.projections import Projection, build_projection

CARDS = (
    "biovil",
    "biovil-t",
    "clip-rn50",
    "convirt-benchx",
    "convirt-edreis",
    "medclip-resnet50",
    "mflag",
    "mgca-resnet50",
    "xrv-resnet50",
)


def stages_by_hand(trunk: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    theirs = torchvision.models.resnet50(weights=None).eval()
    theirs.load_state_dict(trunk.state_dict(), strict=False)
    grid = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(images))))
    found = []
    for stage in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        found.append(grid := stage(grid))
    return found


@pytest.mark.parametrize("name", CARDS)
def test_the_official_names_and_shapes_fill_the_encoder(tmp_path, name):
    path = saved(tmp_path / "official.pth", hollow_tensors(name), tuple(certificate(name)["container"]))
    found = filled(read_card(name), path, text=False)
    assert found.filled == {"image encoder": len(found.encoder.expected())}


def test_biovil_ts_temporal_transformer_is_listed_as_unused(tmp_path):
    beside = ("vit_pooler.blocks.0.norm1.weight", "vit_pooler.norm_post.bias", "encoder.fc.weight")
    tensors = hollow_tensors("biovil-t") | {f"encoder.{name}": torch.ones(2) for name in beside}
    found = filled(read_card("biovil-t"), saved(tmp_path / "official.pth", tensors), text=False)
    assert found.unused == {"encoder.vit_pooler": 2, "encoder.encoder": 1}


@pytest.mark.parametrize("size", [224, 512])
@pytest.mark.parametrize("name", CARDS)
def test_maps_tokens_and_features_have_the_promised_shapes(name, size):
    card = read_card(name)
    with torch.device("meta"):
        encoder = build_encoder(card)
        encoder.resize(size)
        features = encoder.eval().encode(torch.empty(1, card.images.channels, size, size))
        tokens = encoder.project_tokens(features) if encoder.token_projection is not None else None
    widths = (256, 512, 1024, 2048)
    sides = [(1, width, size // stride, size // stride) for width, stride in zip(widths, (4, 8, 16, 32), strict=True)]
    assert features.strides == (4, 8, 16, 32)
    assert [tuple(one.shape) for one in features.maps] == sides
    assert features.pooled.shape == (1, encoder.dim)
    assert encoder.dim == (512 if name == "biovil-t" else 2048)
    places = 19**2 if name == "mgca-resnet50" else (size // 32) ** 2
    assert features.tokens.shape[:2] == (1, places)
    assert tokens is None or tokens.shape == (1, places, 128)


@pytest.mark.parametrize(
    ("name", "width"),
    [("medclip-resnet50", 512), ("mflag", 1024), ("convirt-benchx", 768), ("convirt-edreis", 512)],
)
def test_projections_have_the_published_widths(name, width):
    with torch.device("meta"):
        encoder = build_encoder(read_card(name)).eval()
        assert encoder.project(encoder.encode(torch.empty(2, 3, 64, 64))).shape == (2, width)


def test_biovils_embedding_is_the_mean_of_the_projected_places():
    encoder = twin("biovil")
    images = seeded_images(96, count=1)
    with torch.inference_mode():
        last = stages_by_hand(encoder.trunk, images)[-1]
        projected = nn.Sequential(*encoder.token_projection)(last)
        features = encoder.encode(images)
        assert relative(encoder.project_tokens(features), projected.flatten(2).transpose(1, 2)) < 1e-5
        assert relative(encoder.project(features), projected.mean((2, 3))) < 1e-5


def test_biovil_t_sets_the_missing_image_beside_the_map():
    encoder = twin("biovil-t")
    images = seeded_images(96, count=2)
    with torch.inference_mode():
        narrow = encoder.backbone_to_vit(stages_by_hand(encoder.trunk, images)[-1])
        features = encoder.encode(images)
        assert torch.equal(encoder(images), features.pooled)
    missing = encoder.missing_previous_emb.detach()[0, :, 0, 0]
    assert relative(features.tokens[..., :256], narrow.flatten(2).transpose(1, 2)) < 1e-5
    assert (features.tokens[..., 256:] == missing).all()
    assert relative(features.pooled, torch.cat([narrow.mean((2, 3)), missing.expand(2, -1)], dim=1)) < 1e-5


@pytest.mark.slow
def test_clips_resnet_equals_open_clip_with_the_same_weights(tmp_path):
    open_clip = pytest.importorskip("open_clip")
    theirs = open_clip.modified_resnet.ModifiedResNet([3, 4, 6, 3], output_dim=1024, heads=32).eval()
    nn.init.normal_(theirs.layer4[2].bn3.weight, std=0.5)
    path = saved(tmp_path / "RN50.pt", {f"visual.{name}": value for name, value in theirs.state_dict().items()})
    encoder = load("clip-rn50", path, text=False)
    images = seeded_images(224, count=1)
    with torch.inference_mode():
        features = encoder.encode(images)
        grid = theirs.stem(images)
        for ours, stage in zip(
            features.maps, (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4), strict=True
        ):
            grid = stage(grid)
            assert relative(ours, grid) < 1e-5
        assert relative(features.pooled, grid.mean((2, 3))) < 1e-5
        assert torch.equal(encoder(images), features.pooled)
        assert relative(encoder.project(features), theirs(images)) < 1e-5


def test_clips_attention_pooling_is_for_one_size_unless_the_card_allows_others():
    card = read_card("clip-rn50")
    free = card.encoder.model_copy(update={"arguments": {"resize_positions": True}})
    with torch.device("meta"):
        encoder = build_encoder(card).eval()
        features = encoder.encode(torch.empty(1, 3, 96, 96))
        with pytest.raises(UsageError, match="does not allow to resize"):
            encoder.project(features)
        allowed = build_encoder(card.model_copy(update={"encoder": free})).eval()
        assert allowed.project(features).shape == (1, 1024)


def test_clips_random_twin_has_its_architecture():
    with torch.device("meta"):
        ours, theirs = (build_encoder(read_card(name)) for name in ("random-clip-resnet50", "clip-rn50"))
    assert ours.expected() == theirs.expected()


@pytest.mark.parametrize(
    ("layer", "bias", "norm", "names"),
    [
        ("linear", "all", "none", ["0.bias", "0.weight", "2.bias", "2.weight"]),
        ("conv1x1", "none", "none", ["0.weight", "2.weight"]),
        ("conv1x1", "last", "hidden", ["0.weight", "1.bias", "1.weight", "3.bias", "3.weight"]),
        ("conv1d", "all", "all", ["0.bias", "0.weight", "1.bias", "1.weight", "3.bias", "3.weight"]),
    ],
)
def test_a_projections_layers_are_named_as_in_the_files(layer, bias, norm, names):
    choice = Projection(layer=layer, widths=(5, 3), bias=bias, norm=norm)
    projection = build_projection(choice, 4).eval()
    assert sorted(name for name, _ in projection.named_parameters()) == names
    tokens = torch.randn(2, 7, 4)
    assert projection(tokens).shape == (2, 7, 3)
    assert torch.allclose(projection(tokens)[:, 2], projection(tokens[:, 2]), atol=1e-6)


def test_a_projections_norm_counts_every_token_in_training():
    projection = build_projection(Projection(layer="conv1d", widths=(3,), norm="all"), 4).train()
    found = projection(torch.randn(2, 50, 4)).flatten(0, 1)
    assert torch.allclose(found.mean(0), torch.zeros(3), atol=1e-5)
    assert torch.allclose(found.var(0, unbiased=False), torch.ones(3), atol=1e-3)


def test_another_resnet_file_is_answered_with_its_card(tmp_path):
    path = saved(tmp_path / "x.ckpt", hollow_tensors("gloria"), ("state_dict",))
    with pytest.raises(CheckpointError) as caught:
        load("mgca-resnet50", path)
    assert "fits the method 'gloria'" in caught.value.todo
