"""DenseNet-121 against torchvision and torchxrayvision with the same weights."""

from __future__ import annotations

import re

import pytest
import torch
import torchvision
from comparing import keyed, relative
from official_files import saved
from torch.nn import functional

from benchx.methods import load
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import seeded_images

SIZE = 96


def compare(encoder: Encoder, features: torch.nn.Module, channels: int) -> None:
    images = seeded_images(SIZE, count=1, channels=channels)
    with torch.inference_mode():
        ours = encoder.encode(images)
        last = functional.relu(features(images))
        assert torch.equal(encoder(images), ours.pooled)
    assert relative(ours.pooled, last.mean((2, 3))) < 1e-5
    assert relative(ours.maps[3], last) < 1e-5
    assert relative(ours.tokens, last.flatten(2).transpose(1, 2)) < 1e-5
    assert [(one.shape[1], one.shape[2] * stride) for one, stride in zip(ours.maps, ours.strides, strict=True)] == [
        (256, SIZE),
        (512, SIZE),
        (1024, SIZE),
        (1024, SIZE),
    ]


@pytest.mark.parametrize("old_names", [True, False])
def test_torchvision_under_the_published_and_the_new_names(tmp_path, old_names):
    with torch.device("meta"):
        theirs = torchvision.models.densenet121(weights=None).eval()
    weights = keyed(theirs)
    theirs.load_state_dict(weights, assign=True)
    if old_names:
        weights = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", n): v for n, v in weights.items()}
        assert "features.denseblock1.denselayer1.norm.1.weight" in weights
    compare(load("imagenet-densenet121", saved(tmp_path / "x.pth", weights)), theirs.features, 3)


@pytest.mark.slow
def test_torchxrayvision(tmp_path):
    models = pytest.importorskip("torchxrayvision.models")
    theirs = models.DenseNet(weights=None).eval()
    weights = keyed(theirs)
    theirs.load_state_dict(weights)
    encoder = load("xrv-densenet121", saved(tmp_path / "x.pth", weights))
    compare(encoder, theirs.features, 1)
    images = seeded_images(224, count=1, channels=1)
    with torch.inference_mode():
        assert relative(encoder(images), theirs.features2(images)) < 1e-5


def test_the_pooled_features_are_differentiable():
    encoder = load("random-densenet121", image_size=64)
    encoder(seeded_images(64, count=1)).square().sum().backward()
    gradients = [value.grad for value in encoder.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
