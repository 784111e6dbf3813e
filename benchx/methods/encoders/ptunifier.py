"""PTUnifier's image side (Chen et al. 2023): CLIP's ViT-B/16 without its last block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import validate_call

from benchx.errors import UsageError
from benchx.methods.encoders.base import Features
from benchx.methods.encoders.vit import ViT
from benchx.methods.text.ptunifier import PTUnifierText


@dataclass(frozen=True)
class PTUnifierFeatures(Features):
    """Features with what the projection needs beside the tokens.

    Attributes:
        patch_mean: [B, 768], the mean of the embedded patches before the blocks, with positions.
    """

    patch_mean: torch.Tensor


class PTUnifier(ViT):
    """Projects images through the text tower, which pairs them with pseudo words; without it there is no projection."""

    def project(self, features: Features) -> torch.Tensor:
        """Return the contrastive embedding, [B, 768], not normalised.

        Raises:
            UsageError: the features are another encoder's, or the text tower was not loaded.
            WeightsMissing: the text tower's weights are not there.
        """
        if not isinstance(features, PTUnifierFeatures) or features.tokens is None:
            raise UsageError("these are not PTUnifier's features", "", "project what its own encode gave")
        tower = self._tower()
        assert isinstance(tower, PTUnifierText)
        return tower.embed_images(features.tokens, features.patch_mean)

    def _features(self, images: torch.Tensor) -> PTUnifierFeatures:
        found = super()._features(images)
        patches = self.trunk.patch_embed(images) + self.trunk.pos_embed[:, 1:]
        return PTUnifierFeatures(found.pooled, found.tokens, found.maps, found.strides, patches.mean(dim=1))


@validate_call
def ptunifier(*, pooling: Literal["cls"], channels: int, image_size: int, resize_positions: bool = False) -> PTUnifier:
    """Build PTUnifier's image encoder.

    Args:
        pooling: always `cls`.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides.
    """
    return PTUnifier(
        pooling=pooling,
        channels=channels,
        image_size=image_size,
        patch_size=16,
        depth=11,
        style="clip",
        resize_positions=resize_positions,
    )
