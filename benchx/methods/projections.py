"""Projection heads into the space that a method's images and texts share, as cards describe them."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn


class Projection(BaseModel):
    """A projection: layers with an activation between them, each applied to every feature vector by itself.

    Attributes:
        layer: what the file's matrices belong to: `linear` layers [P, D], or convolutions of kernel size one,
            `conv1d` [P, D, 1] or `conv1x1` [P, D, 1, 1].
        widths: output width of every layer.
        bias: which layers have one.
        norm: which layers a BatchNorm follows: none, all but the last (`hidden`), or `all`, where the last
            BatchNorm has neither scale nor shift.
        activation: between layers; `gelu` is the exact one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: Literal["linear", "conv1d", "conv1x1"]
    widths: tuple[int, ...] = Field(min_length=1)
    bias: Literal["all", "last", "none"] = "all"
    norm: Literal["none", "hidden", "all"] = "none"
    activation: Literal["relu", "gelu"] = "relu"


class Pointwise(nn.Sequential):
    """Layers applied to every feature vector by itself, [..., D] -> [..., P]."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the projected features."""
        vectors = features.flatten(0, -2)
        kernel_axes = (1,) * (next(self.parameters()).ndim - 2)
        projected = super().forward(vectors.reshape(*vectors.shape, *kernel_axes))
        return projected.flatten(1).unflatten(0, features.shape[:-1])


def build_projection(projection: Projection | None, width: int) -> Pointwise | None:
    """Build a projection of features of some width; its layers are numbered in order in the state dict."""
    if projection is None:
        return None
    layers: list[nn.Module] = []
    count = len(projection.widths)
    for position, (inside, outside) in enumerate(pairwise((width, *projection.widths)), start=1):
        last = position == count
        bias = projection.bias == "all" or (projection.bias == "last" and last)
        layers.append(_layer(projection.layer, inside, outside, bias))
        if projection.norm == "all" or (projection.norm == "hidden" and not last):
            norm = nn.BatchNorm2d if projection.layer == "conv1x1" else nn.BatchNorm1d
            layers.append(norm(outside, affine=not last))
        if not last:
            layers.append(nn.ReLU() if projection.activation == "relu" else nn.GELU())
    return Pointwise(*layers)


def _layer(kind: str, inside: int, outside: int, bias: bool) -> nn.Module:
    if kind == "linear":
        return nn.Linear(inside, outside, bias=bias)
    convolution = nn.Conv1d if kind == "conv1d" else nn.Conv2d
    return convolution(inside, outside, kernel_size=1, bias=bias)
