"""Swin-T (Liu et al. 2021), torchvision's SwinTransformer: windows of 7 x 7 places, images of any size."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import validate_call
from torch import nn
from torchvision.models.swin_transformer import ShiftedWindowAttention, SwinTransformer

from benchx.methods.encoders.base import Encoder, Features
from benchx.methods.projections import Projection, build_projection

WIDTH = 768
WINDOW = 7
STRIDES = (4, 8, 16, 32)


class SwinT(Encoder):
    """Pooled: mean of the tokens; tokens: places of the last stage after the final LayerNorm; maps: every stage.

    Maps are what a stage gives before the next one halves it, not normed: 96, 192, 384 and 768 wide.
    """

    def __init__(self, *, channels: int, image_size: int) -> None:
        super().__init__(dim=WIDTH, channels=channels, image_size=image_size, patch_size=32)
        self.trunk: Any = SwinTransformer(
            patch_size=[4, 4],
            embed_dim=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=[WINDOW, WINDOW],
            stochastic_depth_prob=0.1,
        )
        self.trunk.head = nn.Identity()
        self._make_indices()

    def finish(self) -> None:
        """Make the index of every pair of places in a window."""
        self._make_indices()

    def _make_indices(self) -> None:
        for attention in self.trunk.modules():
            if isinstance(attention, ShiftedWindowAttention):
                attention.define_relative_position_index()
                # Files keep it in other shapes, or not at all; it depends on nothing but the window.
                index = attention.relative_position_index
                attention.register_buffer("relative_position_index", index, persistent=False)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk.norm(self.trunk.features(images)).mean(dim=(1, 2))

    def _features(self, images: torch.Tensor) -> Features:
        maps = []
        grid = images
        for number, part in enumerate(self.trunk.features):
            grid = part(grid)
            # Patch embedding, then a stage and the halving of its map in turn.
            if number % 2:
                maps.append(grid.permute(0, 3, 1, 2))
        places = self.trunk.norm(grid)
        return Features(places.mean(dim=(1, 2)), places.flatten(1, 2), tuple(maps), STRIDES)


@validate_call
def swin_t(
    *,
    pooling: Literal["mean"],
    channels: Literal[3],
    image_size: int,
    projection: Projection | None = None,
) -> SwinT:
    """Build a Swin-T encoder.

    Args:
        pooling: always the mean over the tokens.
        channels: of the images, always 3.
        image_size: side of the images in pixels.
        projection: of the pooled features.
    """
    encoder = SwinT(channels=channels, image_size=image_size)
    encoder.projection = build_projection(projection, WIDTH)
    return encoder
