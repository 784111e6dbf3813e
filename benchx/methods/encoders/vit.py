"""ViT-B and ViT-L (Dosovitskiy et al. 2021) with patches of 14, 16 or 32 pixels, timm's VisionTransformer."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import torch
from pydantic import validate_call
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features, check_side, map_tokens
from benchx.methods.encoders.pyramid import STRIDES, Pyramid
from benchx.methods.projections import Projection, build_projection

WIDTH = 768
LARGE = 1024
HEAD_WIDTH = 64
MAP_BLOCKS = {WIDTH: (3, 5, 7), LARGE: (7, 11, 15)}
"""Blocks whose patch tokens become maps beside the last one's, by width: as in BenchX's and MRM's UPerNet segmentation,
and twice as deep."""

Pooling = Literal["cls", "patch_mean", "patch_mean_fresh_norm"]
Style = Literal["timm", "clip"]
Positions = Literal["antialiased", "bicubic", "aligned"]
"""How position embeddings are resampled, always bicubically: timm's way, without antialiasing, or so with the corners
of both grids aligned."""

STYLES: dict[Style, dict[str, Any]] = {
    "timm": {},
    "clip": {"pre_norm": True, "norm_layer": partial(nn.LayerNorm, eps=1e-5), "act_layer": "quick_gelu"},
}
"""What a style changes in timm's VisionTransformer; its own LayerNorm has eps 1e-6."""
POOLINGS: dict[Pooling, dict[str, Any]] = {
    "cls": {"global_pool": "token"},
    "patch_mean": {"global_pool": "avg", "fc_norm": False},
    "patch_mean_fresh_norm": {"global_pool": "avg", "fc_norm": True},
}


class ViT(Encoder):
    """Pooled: class token or mean of the patch tokens; tokens: class token first, then the patches.

    With `cls` and `patch_mean` the last block's tokens pass the pretrained final LayerNorm, all of them. With
    `patch_mean_fresh_norm` they do not: the mean of the patch tokens passes a LayerNorm that starts at weight 1
    and bias 0, as in MRM's official fine-tuning (`global_pool="avg"` of timm 0.6.12), and tokens are not normed.

    Maps are the patch tokens of four blocks, not normed, brought to strides 4 to 32 by bilinear
    interpolation, which keeps their means.

    Attributes:
        norm_tokens: without it tokens are as the last block leaves them, for networks that norm the class token
            alone (CLIP).
    """

    def __init__(
        self,
        *,
        pooling: Pooling,
        channels: int,
        image_size: int,
        patch_size: int,
        depth: int,
        style: Style,
        resize_positions: bool,
        width: int = WIDTH,
        positions: Positions = "antialiased",
        norm_tokens: bool = True,
    ) -> None:
        super().__init__(dim=width, channels=channels, image_size=image_size, patch_size=patch_size)
        self.resize_positions, self.positions, self.norm_tokens = resize_positions, positions, norm_tokens
        self.pyramid = Pyramid((*MAP_BLOCKS[width], depth - 1), STRIDES, rescaled=True)
        self.trunk: Any = VisionTransformer(
            img_size=image_size,
            patch_size=patch_size,
            in_chans=channels,
            num_classes=0,
            embed_dim=width,
            depth=depth,
            num_heads=width // HEAD_WIDTH,
            **STYLES[style],
            **POOLINGS[pooling],
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
        if image_size % self.patch_size:
            raise UsageError(
                f"{image_size} px are no multiple of the patch",
                f"patches have {self.patch_size} px",
                "choose another size",
            )
        if not self.resize_positions:
            raise UsageError(
                f"the encoder takes {self.image_size} px, not {image_size} px",
                "its position embeddings are for that size and the card does not allow to resize them",
                f"use {self.image_size} px, or set resize_positions in a copy of the card",
            )
        super().resize(image_size)
        pretrained = self.trunk.pos_embed
        with torch.no_grad():
            self.trunk.set_input_size(img_size=(image_size, image_size))
            if self.positions != "antialiased":
                side = image_size // self.patch_size
                resampled = resample_positions(pretrained, side, align_corners=self.positions == "aligned")
                self.trunk.pos_embed = nn.Parameter(resampled)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.trunk.forward_head(self.trunk.forward_features(images))

    def _features(self, images: torch.Tensor) -> Features:
        normed, blocks = self.trunk.forward_intermediates(
            images, indices=list(self.pyramid.indices), return_prefix_tokens=True
        )
        grids, prefixes = zip(*blocks, strict=True)
        maps = self.pyramid.maps(grids, self.image_size)
        tokens = normed if self.norm_tokens else torch.cat((prefixes[-1], map_tokens(grids[-1])), dim=1)
        return Features(self.trunk.forward_head(normed), tokens, maps, STRIDES)

    def _check(self, images: torch.Tensor) -> None:
        super()._check(images)
        check_side(images, self.image_size)


def resample_positions(positions: torch.Tensor, side: int, *, align_corners: bool) -> torch.Tensor:
    """Resample the position embeddings of a square grid bicubically, without antialiasing; the class token's is kept.

    Args:
        positions: [1, 1 + L, D], the class token's first.
        side: of the new grid.

    Returns:
        [1, 1 + side * side, D].
    """
    start, grid = positions[:, :1], positions[:, 1:]
    before = math.isqrt(grid.shape[1])
    square = grid.unflatten(1, (before, before)).permute(0, 3, 1, 2)
    resampled = functional.interpolate(square, size=(side, side), mode="bicubic", align_corners=align_corners)
    return torch.cat([start, map_tokens(resampled)], dim=1)


class StudyOfOneImage(nn.Module):
    """The features of an image, once for every view of its study: [B, D] -> [B, views * D]."""

    def __init__(self, views: int) -> None:
        super().__init__()
        self.views = views

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return the features of the study."""
        return pooled.repeat(1, self.views)


@validate_call
def vit(
    *,
    pooling: Pooling,
    channels: int,
    image_size: int,
    patch_size: Literal[14, 16, 32],
    width: Literal[768, 1024] = 768,
    depth: Literal[11, 12, 24] = 12,
    style: Style = "timm",
    norm_tokens: bool = True,
    resize_positions: bool = False,
    positions: Positions = "antialiased",
    projection: Projection | None = None,
    token_projection: Projection | None = None,
    study_views: Literal[3] | None = None,
) -> ViT:
    """Build a ViT encoder.

    Args:
        pooling: see ViT.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        patch_size: in pixels.
        width: 768 base, 1024 large.
        depth: number of blocks; 11 for M3AE and its followers, which drop CLIP's last.
        style: `clip` for OpenAI's: a LayerNorm before the blocks, no bias in the patch embedding, QuickGELU and
            LayerNorm eps 1e-5.
        norm_tokens: see ViT.
        resize_positions: whether the encoder may be resized to other sides.
        positions: by which rule.
        projection: of the pooled features.
        token_projection: of the tokens, class token included.
        study_views: for a method that embeds studies of so many images (REFERS): an image is projected as a study
            that shows it in every view. Goes without a projection.
    """
    if study_views and projection:
        raise UsageError("study_views and a projection exclude each other", "an image has one embedding", "drop one")
    encoder = ViT(
        pooling=pooling,
        channels=channels,
        image_size=image_size,
        patch_size=patch_size,
        depth=depth,
        style=style,
        resize_positions=resize_positions,
        width=width,
        positions=positions,
        norm_tokens=norm_tokens,
    )
    encoder.projection = StudyOfOneImage(study_views) if study_views else build_projection(projection, width)
    encoder.token_projection = build_projection(token_projection, width)
    return encoder
