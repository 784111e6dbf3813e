"""ResNet-50 (He et al. 2016, torchvision's v1.5), whole or cut after its third stage."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import torch
from pydantic import validate_call
from torch import nn
from torch.nn import functional
from torchvision.models import resnet50 as torchvision_resnet50

from benchx.errors import UsageError
from benchx.methods.encoders.base import Encoder, Features, map_tokens, pool_map
from benchx.methods.projections import Projection, build_projection

WIDTHS = (256, 512, 1024, 2048)
STRIDES = (4, 8, 16, 32)


class ResNet50(Encoder):
    """Pooled: mean of the last stage; tokens: the places of one stage; maps: every stage.

    Attributes:
        upsample: side to which images of any size are brought inside, for pooled features and tokens only: a map at a
            stride of the input image exists only without it.
    """

    def __init__(
        self,
        *,
        channels: int,
        image_size: int,
        stages: int = 4,
        upsample: int | None = None,
        token_stage: int | None = None,
    ) -> None:
        super().__init__(
            dim=WIDTHS[stages - 1], channels=channels, image_size=image_size, patch_size=STRIDES[stages - 1]
        )
        whole = torchvision_resnet50(weights=None)
        if channels != 3:
            whole.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        kept = ["conv1", "bn1", "relu", "maxpool", *(f"layer{stage}" for stage in range(1, stages + 1))]
        self.trunk = nn.Sequential(OrderedDict((name, getattr(whole, name)) for name in kept))
        self.upsample, self.token_stage = upsample, token_stage or stages

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        return pool_map(self.trunk(self._enlarged(images)))

    def _features(self, images: torch.Tensor) -> Features:
        inner = self._stages(self._enlarged(images))
        maps = self._stages(images) if self.upsample else inner
        tokens = map_tokens(inner[self.token_stage - 1])
        return Features(pool_map(inner[-1]), tokens, maps, STRIDES[: len(maps)])

    def _enlarged(self, images: torch.Tensor) -> torch.Tensor:
        if self.upsample is None:
            return images
        size = (self.upsample, self.upsample)
        return functional.interpolate(images, size=size, mode="bilinear", align_corners=True)

    def _stages(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = []
        for name, part in self.trunk.named_children():
            images = part(images)
            if name.startswith("layer"):
                found.append(images)
        return tuple(found)


@validate_call
def resnet50(
    *,
    pooling: Literal["mean"],
    channels: int,
    image_size: int,
    stages: Literal[3, 4] = 4,
    upsample: int | None = None,
    token_stage: Literal[1, 2, 3, 4] | None = None,
    projection: Projection | None = None,
    token_projection: Projection | None = None,
) -> ResNet50:
    """Build a ResNet-50 encoder.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side of the images in pixels.
        stages: 4, or 3 for methods whose pretraining dropped the last stage (MedKLIP).
        upsample: side to which images of any size are brought inside, bilinear with aligned corners (GLoRIA, MGCA:
            299); larger ones are reduced without antialiasing.
        token_stage: the stage whose places are the tokens; without it the last.
        projection: of the pooled features.
        token_projection: of the tokens.
    """
    if token_stage is not None and token_stage > stages:
        raise UsageError(
            f"there is no stage {token_stage} to take tokens from", f"the encoder has {stages}", "mend token_stage"
        )
    encoder = ResNet50(
        channels=channels, image_size=image_size, stages=stages, upsample=upsample, token_stage=token_stage
    )
    encoder.projection = build_projection(projection, encoder.dim)
    encoder.token_projection = build_projection(token_projection, WIDTHS[encoder.token_stage - 1])
    return encoder
