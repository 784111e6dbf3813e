"""Parity certificates: with the same keyed weights, the official code gave these features.

Each file keeps the official checkpoint's tensor names and shapes and a few of the features that the
official code computed; nothing else is needed to check our encoders again.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from official_files import CERTIFICATES, certificate, saved

from benchx.methods import load
from benchx.methods.encoders.base import Encoder
from benchx.methods.keyed_init import keyed_tensor, seeded_images

TOLERANCE = 1e-5
QUICK = {"medklip", "imagenet-resnet50"}
METHODS = sorted(path.stem for path in CERTIFICATES.glob("*.json"))


def figures(encoder: Encoder, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The features of the first image under the certificates' names."""
    with torch.inference_mode():
        features = encoder.encode(images)
        found = {
            "pooled": features.pooled,
            "token_mean": features.tokens.mean(1),
            "patch_mean": features.tokens[:, 1:].mean(1),
            **{
                f"map{stride}_mean": one.mean((2, 3))
                for stride, one in zip(features.strides, features.maps, strict=True)
            },
        }
        if encoder.projection is not None:
            found["projection"] = encoder.project(features)
        if encoder.token_projection is not None:
            found["token_projection_mean"] = encoder.project_tokens(features).mean(1)
    return {name: value[0] for name, value in found.items()}


def test_every_certificate_keeps_at_most_64_figures():
    assert {"medklip", "gloria", "mrm", "imagenet-resnet50", "imagenet-vit-b16"} <= set(METHODS)
    for method in METHODS:
        kept = certificate(method)["expected"].values()
        assert sum(1 + len(one["row0"]) for one in kept) <= 64


@pytest.mark.parametrize(
    "method",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in METHODS],
)
def test_certificate(tmp_path, method):
    kept = certificate(method)
    tensors = {name: keyed_tensor(name, shape) for name, shape in kept["tensors"].items()}
    path = saved(tmp_path / "official.pth", tensors, tuple(kept["container"]), optimizer={"state": {}})
    ours = figures(load(method, path), seeded_images(224))
    for name, expected in kept["expected"].items():
        difference = np.abs(ours[name].numpy()[expected["index"]] - np.float32(expected["row0"])).max()
        assert difference / expected["largest"] < TOLERANCE, name
