"""ViT-B/16 (Dosovitskiy et al. 2021), timm's `vit_base_patch16_224`."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from pydantic import validate_call
from torch.nn import functional

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features

MAP_BLOCKS = (3, 5, 7, 11)
"""Blocks whose patch tokens become maps, as in BenchX's and MRM's UPerNet segmentation."""
PATCH = 16
STRIDES = (4, 8, 16, 32)


class ViTBase(Encoder):
    """Pooled: class token or mean of the patch tokens; tokens: class token first, then the patches.

    With `cls` the last block's tokens pass the pretrained final LayerNorm. With `patch_mean_fresh_norm`
    they do not: the mean of the patch tokens passes a LayerNorm that starts at weight 1 and bias 0, as in
    MRM's official fine-tuning (`global_pool="avg"` of timm 0.6.12), and tokens are not normed.

    Maps are the patch tokens of four blocks, not normed, brought to strides 4 to 32 by bilinear
    interpolation, which keeps their means.
    """

    def __init__(
        self,
        *,
        pooling: Literal["cls", "patch_mean_fresh_norm"],
        channels: int,
        image_size: int,
        resize_positions: bool,
    ) -> None:
        super().__init__(dim=768, channels=channels, image_size=image_size, patch_size=PATCH)
        self.resize_positions = resize_positions
        self.trunk: Any = timm.create_model(
            "vit_base_patch16_224",
            pretrained=False,
            num_classes=0,
            in_chans=channels,
            img_size=image_size,
            global_pool="token" if pooling == "cls" else "avg",
        )
        if pooling == "patch_mean_fresh_norm":
            self.fresh = {"fc_norm.weight": 1.0, "fc_norm.bias": 0.0}

    def resize(self, image_size: int) -> None:
        """Take images of another side; position embeddings are resampled bicubically if the card allows it.

        Raises:
            UsageError: the card does not allow it, or the side is no multiple of the patch.
        """
        if image_size == self.image_size:
            return
        if image_size % PATCH:
            raise UsageError(
                f"{image_size} px are no multiple of the patch",
                f"patches have {PATCH} px",
                "choose another size",
            )
        if not self.resize_positions:
            raise UsageError(
                f"the encoder takes {self.image_size} px, not {image_size} px",
                "its position embeddings are for that size and the card does not allow to resize them",
                f"use {self.image_size} px, or set resize_positions in a copy of the card",
            )
        super().resize(image_size)
        with torch.no_grad():
            self.trunk.set_input_size(img_size=(image_size, image_size))

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk.forward_head(self.trunk.forward_features(images))

    def _features(self, images: torch.Tensor) -> Features:
        tokens, blocks = self.trunk.forward_intermediates(images, indices=list(MAP_BLOCKS))
        maps = tuple(_rescaled(block, PATCH / stride) for block, stride in zip(blocks, STRIDES, strict=True))
        return Features(self.trunk.forward_head(tokens), tokens, maps, STRIDES)

    def _check(self, images: torch.Tensor) -> None:
        super()._check(images)
        if tuple(images.shape[2:]) != (self.image_size, self.image_size):
            raise UsageError(
                f"the encoder takes images of {self.image_size} px",
                f"it was given {images.shape[2]} x {images.shape[3]} px",
                "load it with image_size=...",
            )


def _rescaled(grid: torch.Tensor, factor: float) -> torch.Tensor:
    if factor == 1:
        return grid
    return functional.interpolate(grid, scale_factor=factor, mode="bilinear", align_corners=False)


@validate_call
def vit_base_patch16(
    *,
    pooling: Literal["cls", "patch_mean_fresh_norm"],
    channels: int,
    image_size: int,
    resize_positions: bool = False,
) -> ViTBase:
    """Build a ViT-B/16 encoder.

    Args:
        pooling: `cls` or `patch_mean_fresh_norm`, see ViTBase.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides.
    """
    return ViTBase(pooling=pooling, channels=channels, image_size=image_size, resize_positions=resize_positions)
