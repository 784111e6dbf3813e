"""EfficientNet-Lite0 (Google 2020; Tan and Le 2019), timm's `tf_efficientnet_lite0`."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from pydantic import validate_call

from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map

MAP_STAGES = (1, 2, 4, 6)
"""Stages after which the stride changes next, or that end the network."""
STRIDES = (4, 8, 16, 32)


class EfficientNetLite0(Encoder):
    """Pooled: mean of the 1280-channel head map; tokens: its places; maps: four stages.

    The network keeps TensorFlow's habits: SAME padding, ReLU6, BatchNorm eps 1e-3.
    """

    def __init__(self, *, channels: int, image_size: int) -> None:
        super().__init__(dim=1280, channels=channels, image_size=image_size, patch_size=32)
        self.trunk: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0, in_chans=channels)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(self.trunk.forward_features(images))

    def _features(self, images: torch.Tensor) -> Features:
        maps = []
        grid = self.trunk.bn1(self.trunk.conv_stem(images))
        for number, stage in enumerate(self.trunk.blocks):
            grid = stage(grid)
            if number in MAP_STAGES:
                maps.append(grid)
        head = self.trunk.bn2(self.trunk.conv_head(grid))
        return Features(pool_map(head), map_tokens(head), tuple(maps), STRIDES)


@validate_call
def efficientnet_lite0(*, pooling: Literal["mean"], channels: int, image_size: int) -> EfficientNetLite0:
    """Build an EfficientNet-Lite0 encoder.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side of the images in pixels.
    """
    return EfficientNetLite0(channels=channels, image_size=image_size)
