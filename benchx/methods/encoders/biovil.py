"""BioViL's ResNet-50 and BioViL-T's hybrid of a ResNet-50 and a temporal transformer, as used on single images."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.methods.encoders.base import Features, map_tokens, pool_map
from benchx.methods.encoders.resnet import STRIDES, ResNet50
from benchx.methods.projections import Projection, build_projection

NARROW = 256
"""Width of BioViL-T's map of one image; with its comparison to a previous image it is twice as wide."""


class BioViL(ResNet50):
    """The projected embedding is the mean of the projected tokens, not the projection of the pooled features."""

    def project(self, features: Features) -> torch.Tensor:
        """Return the projected embedding, [B, P], not normalised."""
        return self.project_tokens(features).mean(dim=1)


class BioViLT(BioViL):
    """Pooled: mean of the fused map; tokens: its places; maps: every stage of the ResNet.

    The fused map, 512 wide, is the last stage narrowed to 256 channels beside 256 that compare the image with a
    previous one. Without a previous image the latter are a learned embedding, the same at every place, and the
    temporal transformer is not used.
    """

    def __init__(self, *, channels: int, image_size: int) -> None:
        super().__init__(channels=channels, image_size=image_size)
        self.backbone_to_vit = nn.Conv2d(self.dim, NARROW, kernel_size=1, bias=False)
        self.missing_previous_emb = nn.Parameter(torch.zeros(1, NARROW, 1, 1))
        self.dim = 2 * NARROW

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(self._fused(self.trunk(images)))

    def _features(self, images: torch.Tensor) -> Features:
        maps = self._stages(images)
        fused = self._fused(maps[-1])
        return Features(pool_map(fused), map_tokens(fused), maps, STRIDES)

    def _fused(self, last_stage: torch.Tensor) -> torch.Tensor:
        current = self.backbone_to_vit(last_stage)
        return torch.cat([current, self.missing_previous_emb.expand_as(current)], dim=1)


@validate_call
def biovil(*, pooling: Literal["mean"], channels: int, image_size: int, token_projection: Projection) -> BioViL:
    """Build BioViL's image encoder.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side of the images in pixels.
        token_projection: of every place.
    """
    return _projecting(BioViL(channels=channels, image_size=image_size), token_projection)


@validate_call
def biovil_t(*, pooling: Literal["mean"], channels: int, image_size: int, token_projection: Projection) -> BioViL:
    """Build BioViL-T's image encoder for single images; the arguments are those of `biovil`."""
    return _projecting(BioViLT(channels=channels, image_size=image_size), token_projection)


def _projecting(encoder: BioViL, token_projection: Projection) -> BioViL:
    encoder.token_projection = build_projection(token_projection, encoder.dim)
    return encoder
