"""Encoders by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from benchx.methods.building import build
from benchx.methods.card import Card
from benchx.methods.encoders.absent import TextOnly
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.efficientnet import efficientnet_lite0
from benchx.methods.encoders.resnet import resnet50
from benchx.methods.encoders.vit import vit_base_patch16

ENCODERS: dict[str, Callable[..., Encoder]] = {
    "efficientnet_lite0": efficientnet_lite0,
    "resnet50": resnet50,
    "vit_base_patch16": vit_base_patch16,
}


def build_encoder(card: Card) -> Encoder:
    """Build the encoder that a card names, with the library's initialisation, at the card's image size.

    Raises:
        UsageError: no such encoder, or an argument that it does not take.
    """
    if card.encoder is None:
        return TextOnly(card.name)
    spec = card.images
    return build(
        card.name,
        "encoder",
        card.encoder,
        ENCODERS,
        pooling=card.pooling,
        channels=spec.channels,
        image_size=spec.size,
    )
