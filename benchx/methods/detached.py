"""Projections taken off the end of a library's network, so that what comes before them can be seen."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Matrix(nn.Module):
    """Multiplication by a matrix, [B, D] -> [B, P]."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the projected features."""
        return features @ self.weight


def take_projection(network: Any, name: str, replacement: nn.Module | None) -> nn.Module:
    """Take the projection off a network, and return it; the identity where it has none.

    Args:
        name: of the matrix or module.
        replacement: what the network holds in its place.
    """
    projection = getattr(network, name, None)
    if projection is None:
        return nn.Identity()
    delattr(network, name)
    setattr(network, name, replacement)
    return Matrix(projection) if isinstance(projection, nn.Parameter) else projection
