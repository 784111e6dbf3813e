"""MeDSLIP's image encoder (Fan et al. 2024): a ResNet-50 without its last stage, its places split into two streams.

Read from Shef-AIRE/MeDSLIP (commit 7cfceb1): a linear layer gives a mask of every place, any number, no sigmoid; the
place times the mask speaks of findings, the place times one minus the mask of anatomy.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import validate_call
from torch import nn

from benchx.errors import UsageError
from benchx.methods.encoders.base import Features
from benchx.methods.encoders.resnet import WIDTHS, ResNet50

STAGES = 3
PLACE, WIDTH = WIDTHS[STAGES - 1], 256


class Streams(nn.Module):
    """From places to both streams, [B, T, 1024] -> [B, T, 256] each."""

    def __init__(self) -> None:
        super().__init__()
        self.mask_generator = nn.Linear(PLACE, PLACE)
        self.pathology = _stream()
        self.anatomy = _stream()

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Return the stream of the findings."""
        return self.pathology(self.mask_generator(places) * places)

    def of_anatomy(self, places: torch.Tensor) -> torch.Tensor:
        """Return the stream of the anatomy."""
        return self.anatomy((1 - self.mask_generator(places)) * places)


class MeDSLIPEncoder(ResNet50):
    """Pooled: mean of the third stage; tokens: its places; projected tokens: the stream of the findings."""

    def __init__(self, *, channels: int, image_size: int) -> None:
        super().__init__(channels=channels, image_size=image_size, stages=STAGES)
        self.token_projection = Streams()

    def project_anatomy_tokens(self, features: Features) -> torch.Tensor:
        """Return the stream of the anatomy, [B, T, 256], not normalised.

        Raises:
            UsageError: the features have no tokens.
        """
        if features.tokens is None:
            raise UsageError("these features have no places", "", "use what the method's own encode gave")
        assert isinstance(self.token_projection, Streams)
        return self.token_projection.of_anatomy(features.tokens)


def _stream() -> nn.Sequential:
    return nn.Sequential(nn.Linear(PLACE, PLACE), nn.ReLU(), nn.Linear(PLACE, WIDTH))


@validate_call
def medslip(*, pooling: Literal["mean"], channels: int, image_size: int) -> MeDSLIPEncoder:
    """Build MeDSLIP's image encoder.

    Args:
        pooling: always the mean over places.
        channels: of the images.
        image_size: side of the images in pixels.
    """
    return MeDSLIPEncoder(channels=channels, image_size=image_size)
