"""Encoders by name; a card names one and gives the builder's arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchx.methods.building import build
from benchx.methods.cards.schema import Card
from benchx.methods.encoders.absent import TextOnly
from benchx.methods.encoders.arl import arl
from benchx.methods.encoders.base import Encoder
from benchx.methods.encoders.biovil import biovil, biovil_t
from benchx.methods.encoders.clip_resnet import clip_resnet50
from benchx.methods.encoders.conceptclip import conceptclip
from benchx.methods.encoders.densenet import densenet121
from benchx.methods.encoders.dinov2 import dinov2
from benchx.methods.encoders.efficientnet import efficientnet_lite0
from benchx.methods.encoders.medslip import medslip
from benchx.methods.encoders.module import module
from benchx.methods.encoders.open_clip_model import open_clip_image
from benchx.methods.encoders.prior import prior
from benchx.methods.encoders.ptunifier import ptunifier
from benchx.methods.encoders.resnet import resnet50
from benchx.methods.encoders.swin import swin_t
from benchx.methods.encoders.timm_model import timm_model
from benchx.methods.encoders.vit import vit

ENCODERS: dict[str, Callable[..., Encoder]] = {
    "arl": arl,
    "biovil": biovil,
    "biovil_t": biovil_t,
    "clip_resnet50": clip_resnet50,
    "conceptclip": conceptclip,
    "densenet121": densenet121,
    "dinov2": dinov2,
    "efficientnet_lite0": efficientnet_lite0,
    "medslip": medslip,
    "module": module,
    "open_clip": open_clip_image,
    "prior": prior,
    "ptunifier": ptunifier,
    "resnet50": resnet50,
    "swin_t": swin_t,
    "timm": timm_model,
    "vit_base_patch16": partial(vit, patch_size=16),
    "vit_base_patch32": partial(vit, patch_size=32),
    "vit_large_patch14": partial(vit, patch_size=14, width=1024, depth=24),
}


def build_encoder(card: Card) -> Encoder:
    """Build the encoder that a card names, with the library's initialisation, at the card's image size.

    Raises:
        UsageError: no such encoder, or an argument that it does not take.
    """
    if card.encoder is None:
        return TextOnly(card.name)
    spec = card.images
    local: dict[str, dict[str, Any]] = {"module": {"folder": card.folder}, "arl": {"method": card.name}}
    return build(
        card.name,
        "encoder",
        card.encoder,
        ENCODERS,
        pooling=card.pooling,
        channels=spec.channels,
        image_size=spec.size,
        **local.get(card.encoder.name, {}),
    )
