"""Encoders by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from benchx.errors import UsageError, unknown_name
from benchx.methods.card import Card
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
    if card.encoder.name not in ENCODERS:
        raise unknown_name("encoder", card.encoder.name, ENCODERS)
    build = ENCODERS[card.encoder.name]
    try:
        return build(
            pooling=card.pooling,
            channels=card.input.channels,
            image_size=card.input.size,
            **card.encoder.arguments,
        )
    except (ValidationError, TypeError) as error:
        raise _misfit(card, error) from error


def _misfit(card: Card, error: ValidationError | TypeError) -> UsageError:
    why = str(error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return UsageError(
        f"the card '{card.name}' does not fit the encoder '{card.encoder.name}'",
        why,
        "mend encoder.arguments or pooling in the card",
    )
