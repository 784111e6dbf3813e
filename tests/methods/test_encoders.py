"""Encoders against the libraries they stand on, and what they refuse."""

from __future__ import annotations

from functools import cache

import pytest
import timm
import torch
import torchvision
from comparing import relative
from efficientnet_lite_pytorch import EfficientNet
from torch.nn import functional

from benchx.errors import UsageError
from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.cards.schema import Card, EncoderChoice
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.keyed_init import seeded_images
from benchx.methods.weights import find_checkpoint


def drawn_weights(card: Card) -> Encoder:
    """The card's encoder in eval mode, norms neutral and the rest drawn; quicker than its own initialisation."""
    with torch.device("meta"):
        encoder = build_encoder(card)
    encoder.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in encoder.state_dict().items():
            if value.ndim > 1:
                value.uniform_(-1, 1, generator=generator).mul_(1.7 / value[0].numel() ** 0.5)
            else:
                value.fill_(float(name.endswith((".weight", "running_var"))))
    return encoder.eval()


def twin(name: str, pooling: str | None = None, **arguments) -> Encoder:
    """The method's encoder with drawn weights, its pooling or some builder arguments changed."""
    card = read_card(name)
    choice = card.encoder.model_copy(update={"arguments": {**card.encoder.arguments, **arguments}})
    return drawn_weights(card.model_copy(update={"encoder": choice, "pooling": pooling or card.pooling}))


@cache
def kept(name: str) -> Encoder:
    """The twin of a convolutional method, drawn once for the tests that leave its weights alone."""
    return twin(name)


@pytest.fixture(scope="module")
def vit() -> Encoder:
    return twin("imagenet-vit-b16")


@pytest.mark.parametrize("size", [224, 128])
def test_efficientnet_equals_the_package_that_the_weights_are_for(size):
    card = read_card("imagenet-efficientnet-lite0")
    theirs = EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(find_checkpoint(card, None, None), weights_only=True))
    images = seeded_images(size)
    with torch.inference_mode():
        head = theirs.extract_features(images)
        features = load(card, image_size=size).encode(images)
    assert relative(features.pooled, head.mean((2, 3))) < 1e-5
    assert relative(features.tokens, head.flatten(2).transpose(1, 2)) < 1e-5


def test_resnet_equals_torchvision_with_the_same_weights():
    encoder = kept("imagenet-resnet50")
    theirs = torchvision.models.resnet50(weights=None).eval()
    theirs.load_state_dict(encoder.trunk.state_dict(), strict=False)
    theirs.fc = torch.nn.Identity()
    images = seeded_images(96)
    with torch.inference_mode():
        assert relative(encoder(images), theirs(images)) < 1e-5


@pytest.mark.parametrize("pooling", ["cls", pytest.param("patch_mean_fresh_norm", marks=pytest.mark.slow)])
def test_vit_equals_timm_with_the_same_weights(vit, pooling):
    encoder = vit if pooling == "cls" else twin("imagenet-vit-b16", pooling)
    with torch.device("meta"):
        kind = "token" if pooling == "cls" else "avg"
        theirs = timm.create_model("vit_base_patch16_224", num_classes=0, global_pool=kind).eval()
    theirs.load_state_dict(encoder.trunk.state_dict(), assign=True)
    images = seeded_images(224, count=1)
    with torch.inference_mode():
        assert relative(encoder(images), theirs(images)) < 1e-5


@pytest.mark.parametrize(
    ("name", "size", "tokens", "widths"),
    [
        ("imagenet-resnet50", 96, (9, 2048), (256, 512, 1024, 2048)),
        ("medklip", 96, (36, 1024), (256, 512, 1024)),
        ("gloria", 96, (361, 1024), (256, 512, 1024, 2048)),
        ("imagenet-efficientnet-lite0", 96, (9, 1280), (24, 40, 112, 320)),
        ("imagenet-vit-b16", 224, (197, 768), (768, 768, 768, 768)),
    ],
)
def test_features_have_the_promised_shapes_and_the_short_way_agrees(vit, name, size, tokens, widths):
    encoder = vit if name == "imagenet-vit-b16" else kept(name)
    encoder.resize(size)
    images = seeded_images(size, count=1)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert torch.equal(encoder(images), features.pooled)
    assert features.pooled.shape == (1, encoder.dim)
    assert features.tokens.shape == (1, *tokens)
    assert features.strides == (4, 8, 16, 32)[: len(widths)]
    sides = [(1, width, size // stride, size // stride) for width, stride in zip(widths, features.strides, strict=True)]
    assert [tuple(one.shape) for one in features.maps] == sides


def test_glorias_inner_enlargement_is_off_for_maps():
    images = seeded_images(64, count=1)
    with_it, without = kept("gloria"), twin("gloria", upsample=None)
    with torch.inference_mode():
        ours, plain = with_it.encode(images), without.encode(images)
        enlarged = functional.interpolate(images, size=(299, 299), mode="bilinear", align_corners=True)
        assert torch.equal(ours.pooled, without(enlarged))
    assert not torch.equal(ours.pooled, plain.pooled)
    assert all(torch.equal(a, b) for a, b in zip(ours.maps, plain.maps, strict=True))


def test_maps_of_a_vit_keep_the_means_of_their_blocks(vit):
    images = seeded_images(224, count=1)
    with torch.inference_mode():
        maps = vit.encode(images).maps
        blocks = vit.trunk.forward_intermediates(images, indices=[3, 5, 7, 11], intermediates_only=True)
    for one, block in zip(maps, blocks, strict=True):
        assert relative(one.mean((2, 3)), block.mean((2, 3))) < 1e-5


def test_position_embeddings_are_resized_bicubically_where_the_card_says_so():
    encoder = twin("mrm")
    before = encoder.trunk.pos_embed.detach().clone()
    encoder.resize(128)
    grid = before[:, 1:].reshape(1, 14, 14, 768).permute(0, 3, 1, 2)
    small = functional.interpolate(grid, size=(8, 8), mode="bicubic", antialias=True, align_corners=False)
    assert torch.equal(encoder.trunk.pos_embed[:, :1], before[:, :1])
    assert torch.allclose(encoder.trunk.pos_embed[:, 1:], small.flatten(2).transpose(1, 2), atol=1e-6)
    with torch.inference_mode():
        assert encoder.encode(seeded_images(128, count=1)).maps[3].shape == (1, 768, 4, 4)


def test_position_embeddings_are_left_alone_where_it_does_not():
    card = read_card("mrm").model_copy(update={"encoder": EncoderChoice(name="vit_base_patch16")})
    with torch.device("meta"):
        encoder = build_encoder(card)
    encoder.resize(224)
    with pytest.raises(UsageError, match="does not allow to resize"):
        encoder.resize(128)


def test_load_takes_the_image_size():
    encoder = load("random-efficientnet-lite0", image_size=64)
    assert encoder.image_size == 64
    assert load("random-efficientnet-lite0").image_size == 224


@pytest.mark.parametrize(
    ("shape", "word"),
    [((2, 1, 224, 224), "B, 3, S, S"), ((3, 224, 224), "B, 3, S, S"), ((2, 3, 8, 8), "too small")],
)
@pytest.mark.parametrize("name", ["imagenet-resnet50", "imagenet-vit-b16"])
def test_images_that_do_not_fit(vit, name, shape, word):
    encoder = vit if name == "imagenet-vit-b16" else kept(name)
    for call in (encoder, encoder.encode):
        with pytest.raises(UsageError, match=word):
            call(torch.zeros(shape))


def test_images_of_the_wrong_type_or_size(vit):
    with pytest.raises(UsageError, match="uint8"):
        vit(torch.zeros((1, 3, 224, 224), dtype=torch.uint8))
    with pytest.raises(UsageError, match="image_size"):
        vit(torch.zeros((1, 3, 256, 256)))
    for size in (8, 100):
        with pytest.raises(UsageError):
            vit.resize(size)


def test_one_channel_where_the_card_says_so():
    raw = read_card("random-resnet50").model_dump()
    raw["input"] |= {"channels": 1, "mean": (0.5,), "std": (0.5,)}
    encoder = drawn_weights(Card.model_validate(raw))
    assert encoder(torch.zeros(1, 1, 64, 64)).shape == (1, 2048)


def test_projections_where_the_method_has_them():
    images = seeded_images(64, count=1)
    gloria, medklip, plain = twin("gloria", upsample=None), kept("medklip"), kept("imagenet-resnet50")
    with torch.inference_mode():
        features = gloria.encode(images)
        assert gloria.project(features).shape == (1, 768)
        by_hand = features.tokens @ gloria.token_projection[0].weight[:, :, 0, 0].T
        assert relative(gloria.project_tokens(features), by_hand) < 1e-5
        features = medklip.encode(images)
        assert medklip.project_tokens(features).shape == (1, 16, 256)
        with pytest.raises(UsageError, match="does not project"):
            medklip.project(features)
        with pytest.raises(UsageError, match="does not project"):
            plain.project_tokens(plain.encode(images))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda encoder: encoder.encode_tokens(torch.ones(1, 3, dtype=torch.int64)), "no text tower"),
        (lambda encoder: encoder.read_tokens(torch.ones(1, 3, dtype=torch.int64)), "no text tower"),
        (lambda encoder: encoder.encode_text(["no finding"]), "no text tower"),
        (
            lambda encoder: encoder.similarity(Features(torch.ones(1, 9), None, (), ()), torch.ones(1, 9)),
            "compare",
        ),
    ],
)
def test_a_method_without_text_answers_no_call_on_text(call, word):
    with torch.device("meta"):
        encoder = build_encoder(read_card("random-resnet50"))
    with pytest.raises(UsageError, match=word) as caught:
        call(encoder)
    assert "use a method with a text tower" in caught.value.todo


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mrm", "imagenet-vit-b16", "imagenet-densenet121", "ptunifier", "refers-pretrain", "mgca-resnet50"]
)
def test_maps_of_large_images(name):
    encoder = twin(name)
    encoder.resize(512)
    images = seeded_images(512, count=1)
    with torch.inference_mode():
        features = encoder.encode(images)
        assert torch.equal(encoder(images), features.pooled)
    assert features.strides == (4, 8, 16, 32)
    assert [one.shape[2:] for one in features.maps] == [(128, 128), (64, 64), (32, 32), (16, 16)]
    assert all(one.isfinite().all() for one in (features.pooled, features.tokens, *features.maps))
    assert all(float(one.std()) > 0 for one in features.maps)


@pytest.mark.parametrize(
    "name", ["medklip", pytest.param("mrm", marks=pytest.mark.slow), "imagenet-efficientnet-lite0"]
)
def test_the_pooled_features_are_differentiable(name):
    encoder = twin(name)
    encoder.resize(64)
    encoder(seeded_images(64, count=1)).square().sum().backward()
    gradients = [value.grad for part, value in encoder.named_parameters() if part.startswith("trunk.")]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0
