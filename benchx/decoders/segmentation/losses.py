"""Losses of segmentation: cross-entropy, and its sum with the Dice loss, over the pixels that are known.

Masks are uint8 [B, C, H, W] of 0, 1 and 255 = unknown, a layer per class. A loss is a mean per image, summed over
images, so that a batch cut into pieces has the gradient of the whole.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

UNKNOWN = 255

Output = Literal["sigmoid", "softmax"]
Loss = Literal["dice-ce", "ce"]


def loss_sum(logits: Tensor, masks: Tensor, output: Output, loss: Loss) -> Tensor:
    """Return the loss summed over images.

    Of `softmax`, cross-entropy is the mean over an image's known pixels, and Dice that of the foreground. Of
    `sigmoid`, cross-entropy is the mean over known pixels of all classes, and Dice the mean over the classes with a
    known pixel. `dice-ce` is their sum, MONAI's DiceCELoss. An image without a known pixel adds 0.

    Args:
        logits: [B, C, H, W] of `sigmoid`; [B, 2, H, W], background and foreground, of `softmax`.
        masks: uint8 [B, C, H, W].
        output: every class by itself, or background against the union of all classes.
        loss: which.

    Raises:
        ValueError: the shapes do not fit.
    """
    if output == "softmax":
        masks = union(masks)
    if logits.shape != (len(masks), 2 if output == "softmax" else masks.shape[1], *masks.shape[2:]):
        raise ValueError(f"logits {list(logits.shape)} do not fit masks {list(masks.shape)} of {output}")
    logits, known = logits.float(), masks != UNKNOWN
    if output == "softmax":
        entropy = cross_entropy(logits, masks[:, 0].long(), ignore_index=UNKNOWN, reduction="none")[:, None]
        foreground = logits.softmax(dim=1)[:, 1:] if loss == "dice-ce" else None
    else:
        truth = masks.where(known, masks.new_zeros(())).to(logits.dtype)
        entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none") * known
        foreground = logits.sigmoid() if loss == "dice-ce" else None
    total = (entropy.sum(dim=(1, 2, 3)) / known.sum(dim=(1, 2, 3)).clamp_min(1)).sum()
    return total if foreground is None else total + _dice_sum(foreground, masks, known)


def known_images(masks: Tensor) -> Tensor:
    """Return how many images have a known pixel, a scalar: what `loss_sum` is a sum over."""
    return (masks != UNKNOWN).flatten(1).any(dim=1).sum()


def union(masks: Tensor) -> Tensor:
    """Return uint8 [B, 1, H, W]: 1 where any class is, else unknown where any is unknown, else 0."""
    known = masks.where(masks != UNKNOWN, masks.new_zeros(())).amax(dim=1, keepdim=True)
    unknown = (masks == UNKNOWN).any(dim=1, keepdim=True) & (known == 0)
    return known.masked_fill(unknown, UNKNOWN)


def _dice_sum(probabilities: Tensor, masks: Tensor, known: Tensor) -> Tensor:
    from monai.losses.dice import DiceLoss

    truth = (masks == 1).to(probabilities.dtype)
    per_class = DiceLoss(reduction="none")(probabilities * known, truth).flatten(1)
    counted = known.flatten(2).any(dim=2)
    return ((per_class * counted).sum(dim=1) / counted.sum(dim=1).clamp_min(1)).sum()
