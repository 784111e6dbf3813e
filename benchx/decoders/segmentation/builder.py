"""Segmentation decoders by name, with weights drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from benchx.decoders.segmentation.base import SegmentationDecoder
from benchx.decoders.segmentation.unet import UNet
from benchx.decoders.segmentation.upernet import UPerNet
from benchx.errors import NotApplicable, UsageError


def build_decoder(
    name: Literal["unet", "upernet"],
    channels: Sequence[int],
    strides: Sequence[int],
    outputs: int,
    *,
    width: int,
    dropout: float,
    auxiliary: bool,
    seed: int,
) -> SegmentationDecoder:
    """Build a decoder for an encoder's maps; the caller's random state is left as it was.

    Args:
        name: which.
        channels: of the maps, from fine to coarse.
        strides: of the maps; all the same for the blocks of a plain transformer that were not interpolated.
        outputs: logits per pixel.
        width: channels of UPerNet; the U-Net's are the library's.
        dropout: before UPerNet's classifier; the U-Net has none.
        auxiliary: whether UPerNet has a second head for training.
        seed: of the weights.

    Raises:
        NotApplicable: the encoder has no maps.
        UsageError: the U-Net is asked for an auxiliary head.
    """
    if not channels:
        raise NotApplicable(
            "the encoder has no feature maps",
            "a decoder needs them to say something of every pixel",
            "choose another method for segmentation",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "upernet":
            return UPerNet(channels, strides, outputs, width=width, dropout=dropout, auxiliary=auxiliary)
        if auxiliary:
            raise UsageError(
                "the decoder 'unet' has no auxiliary head",
                "only 'upernet' has one",
                "drop `auxiliary` from the protocol's decoder, or name upernet",
            )
        return UNet(channels, strides, outputs)
