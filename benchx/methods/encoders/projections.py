"""Projection heads of the image side, as cards describe them."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn


class Projection(BaseModel):
    """A projection: linear layers with ReLU between them, or 1x1 convolutions over tokens.

    Attributes:
        layer: `linear` has a bias; `conv1x1` has none (GLoRIA's local embedder).
        widths: output width of every layer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: Literal["linear", "conv1x1"]
    widths: tuple[int, ...] = Field(min_length=1)


class TokenConvolution(nn.Sequential):
    """1x1 convolutions applied to tokens, [B, T, D] -> [B, T, P]."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the projected tokens."""
        return super().forward(tokens.transpose(1, 2)[..., None])[..., 0].transpose(1, 2)


def build_projection(projection: Projection | None, width: int) -> nn.Module | None:
    """Build a projection of features of some width; layers are numbered 0, 2, 4, ... in the state dict."""
    if projection is None:
        return None
    linear = projection.layer == "linear"
    layers: list[nn.Module] = []
    for inside, outside in pairwise((width, *projection.widths)):
        layers += [
            nn.Linear(inside, outside) if linear else nn.Conv2d(inside, outside, 1, bias=False),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers[:-1]) if linear else TokenConvolution(*layers[:-1])
