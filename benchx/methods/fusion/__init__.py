"""Fusions by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchx.methods.building import build
from benchx.methods.cards.schema import Card
from benchx.methods.fusion.arl import arl
from benchx.methods.fusion.base import Fusion
from benchx.methods.fusion.m3ae import m3ae
from benchx.methods.fusion.ptunifier import ptunifier_pairs

FUSIONS: dict[str, Callable[..., Fusion]] = {"arl": arl, "m3ae": m3ae, "ptunifier": ptunifier_pairs}


def build_fusion(card: Card) -> Fusion:
    """Build the fusion that a card names.

    Raises:
        UsageError: no such fusion, or an argument that it does not take.
    """
    assert card.fusion is not None
    return build(card.name, "fusion", card.fusion, FUSIONS)


def fusion_without_weights(card: Card) -> Fusion:
    """Build the fusion that a card names on torch's meta device, to be filled, or to be asked what it can do.

    Raises:
        UsageError: see `build_fusion`.
    """
    with torch.device("meta"):
        return build_fusion(card)
