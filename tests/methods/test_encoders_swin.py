"""Swin-T against transformers' SwinModel, under the names of both its versions."""

from __future__ import annotations

import copy

import pytest
import torch
from comparing import relative, with_keyed
from official_files import saved
from torch.nn import functional
from transformers import SwinConfig, SwinModel

from benchx.methods import load
from benchx.methods.cards.reading import read_card
from benchx.methods.encoders import build_encoder
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import keyed_tensor, seeded_images, window_index

# Names of transformers 5 -> names of transformers 4, in which the official file was written.
OLDER = (
    ("attention.q_proj", "attention.self.query"),
    ("attention.k_proj", "attention.self.key"),
    ("attention.v_proj", "attention.self.value"),
    ("attention.o_proj", "attention.output.dense"),
    ("attention.relative_position_bias.relative", "attention.self.relative"),
    ("mlp.fc1", "intermediate.dense"),
    ("mlp.fc2", "output.dense"),
)
NEWER = tuple((new, old) for old, new in OLDER)


def renamed(tensors: dict[str, torch.Tensor], pairs: tuple[tuple[str, str], ...]) -> dict[str, torch.Tensor]:
    found = {}
    for name, value in tensors.items():
        for old, new in pairs:
            name = name.replace(old, new)
        found[name] = value
    return found


@pytest.fixture(scope="module")
def theirs() -> SwinModel:
    return with_keyed(SwinModel(SwinConfig(depths=[2, 2, 6, 2])))


def file_of(folder, weights: dict[str, torch.Tensor]):
    beside = {"vision_model.projection_head.weight": keyed_tensor("head", (512, 768))}
    return saved(folder / "x.bin", {f"vision_model.model.{name}": value for name, value in weights.items()} | beside)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, theirs) -> Encoder:
    older = renamed(theirs.state_dict(), OLDER)
    return load("medclip-vit", file_of(tmp_path_factory.mktemp("swin"), older), text=False)


def test_the_names_of_both_versions_of_transformers_load(tmp_path, encoder, theirs):
    newer = load("medclip-vit", file_of(tmp_path, renamed(theirs.state_dict(), NEWER)), text=False)
    assert newer.state_dict().keys() == encoder.state_dict().keys()
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in newer.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("size", [224, 512])
def test_swin_equals_transformers_with_the_same_weights(encoder, theirs, size):
    images = seeded_images(size, count=1)
    # SwinModel turns the shift of windows off for small maps, and never on again: each size needs its own.
    theirs = copy.deepcopy(theirs)
    with torch.inference_mode():
        ours = encoder.encode(images)
        out = theirs(images, output_hidden_states=True)
        assert torch.equal(encoder(images), ours.pooled)
    assert relative(ours.pooled, out.pooler_output) < 1e-5
    assert relative(ours.tokens, out.last_hidden_state) < 1e-5
    assert relative(ours.maps[3], out.reshaped_hidden_states[-1]) < 1e-5
    sides = [
        (1, width, size // stride, size // stride)
        for width, stride in zip((96, 192, 384, 768), ours.strides, strict=True)
    ]
    assert [tuple(one.shape) for one in ours.maps] == sides


def test_the_index_of_places_is_the_one_of_the_rule():
    with torch.device("meta"):
        encoder = build_encoder(read_card("medclip-vit"))
    assert not any("relative_position_index" in name for name in encoder.expected())
    encoder.finish()
    index = encoder.trunk.features[1][0].attn.relative_position_index
    fresh = build_encoder(read_card("random-swin-t")).trunk.features[1][0].attn
    fresh.define_relative_position_index()
    assert torch.equal(index, fresh.relative_position_index)
    assert torch.equal(index.view(49, 49), window_index(7))


def test_the_pooled_features_are_differentiable(encoder):
    encoder(seeded_images(64, count=1)).square().sum().backward()
    gradients = [value.grad for name, value in encoder.named_parameters() if name.startswith("trunk.")]
    encoder.zero_grad(set_to_none=True)
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_the_projection_has_no_bias(encoder):
    images = seeded_images(64, count=1)
    with torch.inference_mode():
        features = encoder.encode(images)
        by_hand = functional.linear(features.pooled, keyed_tensor("head", (512, 768)))
        assert relative(encoder.project(features), by_hand) < 1e-5
