"""The protocol of segmentation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchx.protocols.inputs import InputRule, Overrides
from benchx.protocols.training import Training
from benchx.strict import Strict


class Decoder(Strict):
    """A segmentation decoder on an encoder's maps.

    Attributes:
        name: `unet` (segmentation-models-pytorch) or `upernet` (Xiao et al. 2018, as in MMSegmentation).
        width: channels of UPerNet.
        dropout: before its classifier.
        auxiliary: weight of the loss of a second head on the last map but one; null = none.
    """

    name: Literal["unet", "upernet"]
    width: int = Field(default=256, ge=8)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    auxiliary: float | None = Field(default=None, gt=0)


class Segment(Training):
    """A decoder trained on the maps of an encoder that is frozen or trained along.

    Attributes:
        encoder: whether the encoder's weights stay as they are (in evaluation mode) or are trained.
        decoder: what is put on it.
        output: `sigmoid` = every class by itself; `softmax` = background against the union of all classes.
        loss: `dice-ce` = Dice and cross-entropy (MONAI), `ce` = cross-entropy alone.
        selection: the validation metric that chooses the epoch.
        horizontal_flip: probability of mirroring a training image and its mask.
        cache_gigabytes: maps of a frozen encoder are kept on disk (bf16) where they fit into so much and images are
            not mirrored; 0 = never. It pays for a U-Net on a large encoder; under UPerNet the decoder takes the time.
        tolerance: of the normalised surface distance, in pixels of the encoder's input.
    """

    kind: Literal["segment"]
    input: InputRule
    encoder: Literal["frozen", "trained"]
    decoder: Decoder
    output: Literal["sigmoid", "softmax"]
    loss: Literal["dice-ce", "ce"]
    selection: Literal["dice", "pooled_dice", "mdice"] = "dice"
    horizontal_flip: float = Field(default=0.0, ge=0, le=1)
    cache_gigabytes: float = Field(default=0.0, ge=0)
    tolerance: float = Field(gt=0)
    overrides: Overrides = Field(default_factory=dict)
