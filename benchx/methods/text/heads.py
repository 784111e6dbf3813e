"""Projection heads of text towers into the space shared with images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

from benchx.methods.projections import Projection, build_projection

NamedHead = Literal["cxr_bert", "biomedclip"]


def cxr_bert_head(width: int) -> nn.Module:
    """Build CXR-BERT's projection to 128 numbers: linear, GELU, LayerNorm, linear."""
    layers = {
        "dense_to_hidden": nn.Linear(width, 128),
        "activation": nn.GELU(),
        "LayerNorm": nn.LayerNorm(128, eps=1e-12),
        "dense_to_output": nn.Linear(128, 128),
    }
    return nn.Sequential(OrderedDict(layers))


def biomedclip_head(width: int) -> nn.Module:
    """Build BiomedCLIP's projection to 512 numbers: two linear layers without bias, GELU between them."""
    return nn.Sequential(nn.Linear(width, 640, bias=False), nn.GELU(), nn.Linear(640, 512, bias=False))


HEADS: dict[NamedHead, Callable[[int], nn.Module]] = {"cxr_bert": cxr_bert_head, "biomedclip": biomedclip_head}


def build_head(head: Projection | NamedHead | None, width: int) -> nn.Module:
    """Build the head that a card describes or names, [B, width] -> [B, P]; without one, the features stay as they are.

    Args:
        width: of the features.
    """
    if head is None:
        return nn.Identity()
    if isinstance(head, Projection):
        projection = build_projection(head, width)
        assert projection is not None
        return projection
    return HEADS[head](width)
