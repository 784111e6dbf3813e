"""Fusions by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from benchx.methods.building import build
from benchx.methods.cards.schema import Card
from benchx.methods.fusion.base import Fusion

FUSIONS: dict[str, Callable[..., Fusion]] = {}


def build_fusion(card: Card) -> Fusion:
    """Build the fusion that a card names.

    Raises:
        UsageError: no such fusion, or an argument that it does not take.
    """
    assert card.fusion is not None
    return build(card.name, "fusion", card.fusion, FUSIONS)
