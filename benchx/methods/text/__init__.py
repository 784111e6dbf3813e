"""Text towers by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from benchx.methods.building import build
from benchx.methods.cards.schema import Card
from benchx.methods.text.base import TextTower
from benchx.methods.text.bert import bert
from benchx.methods.text.clip import clip_text
from benchx.methods.text.conceptclip import conceptclip_text
from benchx.methods.text.open_clip_text import open_clip_text
from benchx.methods.text.prior import prior_text
from benchx.methods.text.ptunifier import ptunifier_text
from benchx.methods.text.roberta import roberta
from benchx.methods.text.word_bert import gloria_text, mgca_text

TOWERS: dict[str, Callable[..., TextTower]] = {
    "open_clip": open_clip_text,
    "bert": bert,
    "clip": clip_text,
    "conceptclip": conceptclip_text,
    "gloria": gloria_text,
    "mgca": mgca_text,
    "prior": prior_text,
    "ptunifier": ptunifier_text,
    "roberta": roberta,
}


def build_tower(card: Card) -> TextTower:
    """Build the text tower that a card names.

    Raises:
        UsageError: no such tower, or an argument that it does not take.
    """
    assert card.text is not None
    return build(card.name, "text tower", card.text, TOWERS)
