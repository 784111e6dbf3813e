"""PRIOR's image encoder (Cheng et al. 2023): a ResNet-50 with attention pooling and local features out of order."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.errors import UsageError
from benchx.methods.attention_pool import AttentionPool
from benchx.methods.encoders.base import Features, check_side, map_tokens
from benchx.methods.encoders.resnet import STRIDES, WIDTHS, ResNet50
from benchx.methods.encoders.vit import resample_positions

EMBEDDING = 768


class PRIOR(ResNet50):
    """Pooled: attention pooling of the last stage; tokens: its numbers cut anew, see `scrambled`; maps: every stage.

    There is no `token_projection`, by which heat maps are drawn: what `project_tokens` gives are no places.

    Attributes:
        resize_positions: whether the pooling's position embeddings are resampled for images of another side.
    """

    def __init__(self, *, channels: int, image_size: int, resize_positions: bool) -> None:
        super().__init__(channels=channels, image_size=image_size)
        self.resize_positions = resize_positions
        self.attention_pool = AttentionPool(WIDTHS[-1], places=_side(image_size) ** 2)
        self.projection = nn.Linear(self.dim, EMBEDDING)
        self.local_image_projection = nn.Linear(self.dim, EMBEDDING)

    def project_tokens(self, features: Features) -> torch.Tensor:
        """Return the official local features in the space of the sentences, [B, T, 768], not normalised.

        Raises:
            UsageError: the features have no tokens.
        """
        if features.tokens is None:
            return super().project_tokens(features)
        return self.local_image_projection(features.tokens)

    def resize(self, image_size: int) -> None:
        """Take images of another side; position embeddings are resampled bicubically if the card allows it.

        Raises:
            UsageError: the card does not allow it, or the side is below 32 px.
        """
        if image_size == self.image_size:
            return
        if not self.resize_positions:
            raise UsageError(
                f"the encoder takes {self.image_size} px, not {image_size} px",
                "the position embeddings of its pooling are for that size and the card does not allow to resize them",
                f"use {self.image_size} px, or set resize_positions in a copy of the card",
            )
        super().resize(image_size)
        pretrained = self.attention_pool.positional_embedding
        assert pretrained is not None
        with torch.no_grad():
            resampled = resample_positions(pretrained[None], _side(image_size), align_corners=False)[0]
        self.attention_pool.positional_embedding = nn.Parameter(resampled)

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return self.attention_pool(map_tokens(self.trunk(images)))

    def _features(self, images: torch.Tensor) -> Features:
        maps = self._stages(images)
        return Features(self.attention_pool(map_tokens(maps[-1])), scrambled(maps[-1]), maps, STRIDES)

    def _check(self, images: torch.Tensor) -> None:
        super()._check(images)
        check_side(images, self.image_size)


def scrambled(feature_map: torch.Tensor) -> torch.Tensor:
    """Cut a map's numbers, channel after channel, into as many vectors as it has places, [B, C, h, w] -> [B, h * w, C].

    The official encoder views its map so without moving the channels to the end (`encoders/image/resnet.py`), and the
    local projection was trained on the outcome. A vector is about 42 whole channels of a 7 x 7 map, not a place.
    """
    return feature_map.reshape(len(feature_map), -1, feature_map.shape[1])


def _side(image_size: int) -> int:
    return -(-image_size // STRIDES[-1])


@validate_call
def prior(*, pooling: Literal["model"], channels: int, image_size: int, resize_positions: bool = False) -> PRIOR:
    """Build PRIOR's image encoder.

    Args:
        pooling: always the method's own.
        channels: of the images.
        image_size: side in pixels that the checkpoint's position embeddings are for.
        resize_positions: whether the encoder may be resized to other sides.
    """
    return PRIOR(channels=channels, image_size=image_size, resize_positions=resize_positions)
