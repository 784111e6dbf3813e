"""OpenAI CLIP's modified ResNet-50 (Radford et al. 2021), timm's `resnet50_clip`."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from pydantic import validate_call

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map

STRIDES = (4, 8, 16, 32)
EMBEDDING_WIDTH = 1024


class CLIPResNet50(Encoder):
    """Pooled: mean of the last stage; tokens: its places; maps: every stage.

    The projected embedding is the attention pooling of the last stage, with a position embedding for every place.

    Attributes:
        resize_positions: whether the position embeddings are resampled, bicubically, for images of another side.
    """

    def __init__(self, *, channels: int, image_size: int, resize_positions: bool) -> None:
        super().__init__(dim=2048, channels=channels, image_size=image_size, patch_size=STRIDES[-1])
        self.resize_positions = resize_positions
        self.trunk: Any = timm.create_model(
            "resnet50_clip", pretrained=False, in_chans=channels, img_size=image_size, num_classes=EMBEDDING_WIDTH
        )

    def project(self, features: Features) -> torch.Tensor:
        """Return the projected embedding, [B, 1024], not normalised.

        Raises:
            UsageError: the images had another side than the position embeddings are for, and the card does not
                allow to resize these.
        """
        last_stage = features.maps[-1]
        grid, places = tuple(self.trunk.head.feat_size), tuple(last_stage.shape[2:])
        if places != grid and not self.resize_positions:
            raise UsageError(
                f"{places[0]} x {places[1]} places cannot be projected",
                f"the position embeddings are for {grid[0]} x {grid[1]} and the card does not allow to resize them",
                f"use images of {grid[0] * self.patch_size} px, or set resize_positions in a copy of the card",
            )
        return self.trunk.head(last_stage)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(self.trunk.forward_features(images))

    def _features(self, images: torch.Tensor) -> Features:
        maps = tuple(self.trunk.forward_intermediates(images, indices=[1, 2, 3, 4], intermediates_only=True))
        return Features(pool_map(maps[-1]), map_tokens(maps[-1]), maps, STRIDES)


@validate_call
def clip_resnet50(
    *, pooling: Literal["mean"], channels: int, image_size: int, resize_positions: bool = False
) -> CLIPResNet50:
    """Build CLIP's ResNet-50.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether images of another side may be projected.
    """
    return CLIPResNet50(channels=channels, image_size=image_size, resize_positions=resize_positions)
