"""Text towers by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from benchx.methods.building import build
from benchx.methods.card import Card
from benchx.methods.text.base import TextTower

TOWERS: dict[str, Callable[..., TextTower]] = {}


def build_tower(card: Card) -> TextTower:
    """Build the text tower that a card names.

    Raises:
        UsageError: no such tower, or an argument that it does not take.
    """
    assert card.text is not None
    return build(card.name, "text tower", card.text, TOWERS)
