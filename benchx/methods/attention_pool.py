"""CLIP's attention pooling (Radford et al. 2021): the mean of some vectors asks them all, and the answer is kept."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

HEADS = 8


class AttentionPool(nn.Module):
    """Pools vectors with eight heads of attention, whose query is their mean.

    Attributes:
        positional_embedding: [1 + places, width], the mean's first; None where the order of the vectors does not count.
    """

    def __init__(self, width: int, places: int | None = None) -> None:
        super().__init__()
        self.positional_embedding = None
        if places is not None:
            self.positional_embedding = nn.Parameter(torch.randn(1 + places, width) / width**0.5)
        self.q_proj, self.k_proj, self.v_proj, self.c_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the pooled vectors, [B, T, width] -> [B, width]."""
        joined = torch.cat([vectors.mean(dim=1, keepdim=True), vectors], dim=1)
        if self.positional_embedding is not None:
            joined = joined + self.positional_embedding
        query, key, value = (
            projection(read).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for projection, read in ((self.q_proj, joined[:, :1]), (self.k_proj, joined), (self.v_proj, joined))
        )
        answer = functional.scaled_dot_product_attention(query, key, value)
        return self.c_proj(answer.transpose(1, 2).flatten(2)[:, 0])
