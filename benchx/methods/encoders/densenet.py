"""DenseNet-121 (Huang et al. 2017), torchvision's `densenet121` without its classifier."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import validate_call
from torch import nn
from torch.nn import functional
from torchvision.models import densenet121 as torchvision_densenet121

from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map

WIDTH = 1024
MAP_LAYERS = ("denseblock1", "denseblock2", "denseblock3")
"""The blocks after which a transition halves the map."""
STRIDES = (4, 8, 16, 32)


class DenseNet121(Encoder):
    """Pooled: mean of the last map; tokens: its places; maps: the dense blocks, 256, 512, 1024 and 1024 wide.

    The last map has passed the final BatchNorm and ReLU, as it does before the classifier.
    """

    def __init__(self, *, channels: int, image_size: int) -> None:
        super().__init__(dim=WIDTH, channels=channels, image_size=image_size, patch_size=32)
        self.trunk = torchvision_densenet121(weights=None).features
        if channels != 3:
            self.trunk.conv0 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(functional.relu(self.trunk(images)))

    def _features(self, images: torch.Tensor) -> Features:
        maps = []
        grid = images
        for name, layer in self.trunk.named_children():
            grid = layer(grid)
            if name in MAP_LAYERS:
                maps.append(grid)
        last = functional.relu(grid)
        return Features(pool_map(last), map_tokens(last), (*maps, last), STRIDES)


@validate_call
def densenet121(*, pooling: Literal["mean"], channels: int, image_size: int) -> DenseNet121:
    """Build a DenseNet-121 encoder.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side of the images in pixels.
    """
    return DenseNet121(channels=channels, image_size=image_size)
