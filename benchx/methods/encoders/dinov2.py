"""DINOv2's ViT-B/14 (Oquab et al. 2023), as RAD-DINO and transformers' Dinov2Model have it."""

from __future__ import annotations

from typing import Literal

from pydantic import validate_call
from timm.layers.layer_scale import LayerScale

from benchx.methods.encoders.pyramid import STRIDES, Pyramid
from benchx.methods.encoders.vit import WIDTH, ViT

PATCH = 14
DEPTH = 12
MAP_BLOCKS = (2, 5, 8, 11)
"""The 3rd, 6th, 9th and last block."""


class DINOv2(ViT):
    """A ViT that scales what every block adds, channel by channel; every token passes the final LayerNorm, eps 1e-6.

    Position embeddings are resampled as transformers does it, bicubically without antialiasing. timm's antialiased
    rule moves the class token of 224 px images by 2 % of its largest value.
    """

    def __init__(self, *, channels: int, image_size: int, resize_positions: bool) -> None:
        super().__init__(
            pooling="cls",
            channels=channels,
            image_size=image_size,
            patch_size=PATCH,
            depth=DEPTH,
            style="timm",
            resize_positions=resize_positions,
            positions="bicubic",
        )
        self.pyramid = Pyramid(MAP_BLOCKS, STRIDES, rescaled=True)
        for block in self.trunk.blocks:
            block.ls1, block.ls2 = (LayerScale(WIDTH, init_values=1.0) for _ in range(2))


@validate_call
def dinov2(*, pooling: Literal["cls"], channels: int, image_size: int, resize_positions: bool = False) -> DINOv2:
    """Build DINOv2's ViT-B/14.

    Args:
        pooling: always `cls`.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides, multiples of 14 px.
    """
    return DINOv2(channels=channels, image_size=image_size, resize_positions=resize_positions)
