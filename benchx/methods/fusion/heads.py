"""Heads on the features of image-text pairs, as METER's followers have them."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from benchx.methods.coattention import FUSED

MATCHED = 1
"""The row of the matching head's two logits that stands for 'they belong together'."""


def matching_head() -> nn.Module:
    """Build the head of image-text matching, [M, 1536] -> [M, 2]: do they belong together, no or yes."""
    return nn.Sequential(OrderedDict(fc=nn.Linear(FUSED, 2)))


def matched(head: nn.Module, fused: torch.Tensor) -> torch.Tensor:
    """Return the matching head's logit for yes, [M, 1536] -> [M].

    It is what the official code ranks by: its retrieval head starts as this row.
    """
    logits: torch.Tensor = head(fused)
    return logits[:, MATCHED]


def answer_head(answers: int) -> nn.Module:
    """Build the head of visual question answering, [M, 1536] -> [M, answers]; LayerNorm eps 1e-5, exact GELU."""
    return nn.Sequential(nn.Linear(FUSED, FUSED), nn.LayerNorm(FUSED), nn.GELU(), nn.Linear(FUSED, answers))
