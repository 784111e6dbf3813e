"""What transformers' Dinov2Model gave for RAD-DINO, and where it is in ours."""

from __future__ import annotations

from copy import deepcopy

import torch

from benchx.methods.encoders.base import Features
from benchx.methods.keyed_init import seeded_images
from parity_checks.run import Check, Run


def at_224(run: Run) -> Features:
    encoder = deepcopy(run.encoder)
    encoder.resize(224)
    return encoder.encode(seeded_images(224))


def ninth_class_token(run: Run) -> torch.Tensor:
    """The class token as the ninth block leaves it."""
    images = seeded_images(run.encoder.image_size)
    [(_, prefix)] = run.encoder.trunk.forward_intermediates(
        images, indices=[8], return_prefix_tokens=True, intermediates_only=True
    )
    return prefix[:, 0]


CHECKS: dict[str, dict[str, Check]] = {
    "rad-dino": {
        "pooled": lambda run: run.found.pooled,
        "cls": lambda run: run.found.tokens[:, 0],
        "patch_mean": lambda run: run.found.tokens[:, 1:].mean(1),
        "patch_slice": lambda run: run.found.tokens[:, 1:].unflatten(1, (37, 37))[:, :, 0, :8],
        "patch_last": lambda run: run.found.tokens[:, -1],
        "cls_224": lambda run: at_224(run).pooled,
        "patch_mean_224": lambda run: at_224(run).tokens[:, 1:].mean(1),
        "hidden_9_cls_prenorm": ninth_class_token,
    }
}
