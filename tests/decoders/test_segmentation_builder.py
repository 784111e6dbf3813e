"""Decoders on every family of encoders, and that they can learn what their maps show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from benchx.decoders.segmentation import build_decoder
from benchx.decoders.segmentation.base import SegmentationDecoder
from benchx.decoders.segmentation.losses import loss_sum
from benchx.errors import NotApplicable, UsageError
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.timm_model import timm_model


def of_card(name: str, **arguments: object) -> Encoder:
    card = read_card(name)
    choice = card.encoder.model_copy(update={"arguments": {**card.encoder.arguments, **arguments}})
    return build_encoder(card.model_copy(update={"encoder": choice}))


def of_timm(model: str, size: int) -> Encoder:
    return timm_model(pooling="model", channels=3, image_size=size, model=model)


FAMILIES: dict[str, tuple[Callable[[], Encoder], int, tuple[int, ...]]] = {
    "resnet18": (lambda: of_timm("resnet18", 96), 96, (4, 8, 16, 32)),
    "densenet121": (lambda: of_card("imagenet-densenet121"), 96, (4, 8, 16, 32)),
    "efficientnet-lite0": (lambda: of_card("random-efficientnet-lite0"), 100, (4, 8, 16, 32)),
    "medklip": (lambda: of_card("medklip"), 64, (4, 8, 16)),
    "vit-tiny": (lambda: of_timm("vit_tiny_patch16_224", 96), 96, (4, 8, 16, 32)),
    "swin-tiny": (lambda: of_timm("swin_tiny_patch4_window7_224", 128), 128, (4, 8, 16, 32)),
}


def decoder_for(maps, strides, name: str, auxiliary: bool = False, outputs: int = 3) -> SegmentationDecoder:
    channels = [one.shape[1] for one in maps]
    return build_decoder(name, channels, strides, outputs, width=16, dropout=0.1, auxiliary=auxiliary, seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_of_encoders_is_decoded_to_the_size_of_its_images(family):
    build, size, strides = FAMILIES[family]
    encoder = build().eval()
    with torch.no_grad():
        features = encoder.encode(torch.randn(2, encoder.channels, size, size))
    assert features.strides == strides
    for name in ("unet", "upernet"):
        decoder = decoder_for(features.maps, features.strides, name)
        with torch.inference_mode():
            assert decoder(features.maps, size).shape == (2, 3, size, size)
    trained = decoder_for(features.maps, features.strides, "upernet", auxiliary=True).train()
    logits, auxiliary = trained.with_auxiliary(features.maps, size)
    assert logits.shape == auxiliary.shape == (2, 3, size, size)


@pytest.mark.parametrize("name", ["unet", "upernet"])
def test_blocks_of_a_transformer_may_come_as_they_are(name):
    encoder = of_timm("vit_tiny_patch16_224", 96).eval()
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        pyramid = encoder.encode(images).maps
        encoder.pyramid = replace(encoder.pyramid, rescaled=False)
        blocks = encoder.encode(images).maps
        assert [one.shape[-1] for one in blocks] == [6, 6, 6, 6]
        decoder = decoder_for(blocks, (16, 16, 16, 16), name).eval()
        logits = decoder(blocks, 96)
        assert logits.shape == (2, 3, 96, 96)
        if name == "unet":
            same = decoder_for(pyramid, (4, 8, 16, 32), name).eval()
            assert torch.equal(same(pyramid, 96), logits)


@pytest.mark.parametrize("name", ["unet", "upernet"])
def test_a_seed_gives_the_same_decoder_and_leaves_the_random_state_alone(name):
    maps = [torch.randn(2, 4, 64 // stride, 64 // stride) for stride in (4, 8, 16)]
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = decoder_for(maps, (4, 8, 16), name)
    assert torch.equal(torch.rand(3), expected)
    second = decoder_for(maps, (4, 8, 16), name)
    other = build_decoder(name, [4, 4, 4], (4, 8, 16), 3, width=16, dropout=0, auxiliary=False, seed=1)
    weights = first.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in second.state_dict().items())
    assert not all(torch.equal(weights[key], value) for key, value in other.state_dict().items())


def ellipses(count: int, size: int) -> Tensor:
    """Masks [count, 1, size, size] of one ellipse each, uint8."""
    generator = torch.Generator().manual_seed(0)
    centre = (0.35 + 0.3 * torch.rand(count, 2, 1, 1, generator=generator)) * size
    radius = (0.15 + 0.15 * torch.rand(count, 2, 1, 1, generator=generator)) * size
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    distance = ((torch.stack([y, x])[None] - centre) / radius).square().sum(dim=1, keepdim=True)
    return (distance <= 1).to(torch.uint8)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "output"), [("unet", "sigmoid"), ("upernet", "softmax")])
def test_a_decoder_that_sees_the_truth_learns_to_draw_it(name, output):
    masks = ellipses(24, 64)
    maps = [avg_pool2d(masks.float(), stride) for stride in (4, 8, 16)]
    outputs = 2 if output == "softmax" else 1
    decoder = build_decoder(
        name, [1] * 3, (4, 8, 16), outputs, width=16, dropout=0.0, auxiliary=name == "upernet", seed=0
    )
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    for step in range(300):
        rows = torch.arange(8) + 8 * (step % 2)
        logits, auxiliary = decoder.with_auxiliary([one[rows] for one in maps], 64)
        loss = loss_sum(logits, masks[rows], output, "dice-ce")
        if auxiliary is not None:
            loss = loss + 0.4 * loss_sum(auxiliary, masks[rows], output, "dice-ce")
        optimizer.zero_grad()
        (loss / len(rows)).backward()
        optimizer.step()
    decoder.eval()
    with torch.inference_mode():
        logits = decoder([one[16:] for one in maps], 64)
    drawn = logits[:, -1] > (logits[:, 0] if output == "softmax" else 0)
    truth = masks[16:, 0] == 1
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.95


def test_an_encoder_without_maps_cannot_segment():
    with pytest.raises(NotApplicable, match="no feature maps"):
        build_decoder("unet", (), (), 1, width=16, dropout=0, auxiliary=False, seed=0)


def test_the_unet_has_no_auxiliary_head():
    with pytest.raises(UsageError, match="no auxiliary head"):
        build_decoder("unet", (4, 4), (4, 8), 1, width=16, dropout=0, auxiliary=True, seed=0)
