"""The model that is fine-tuned: an encoder and a linear head, and the loss on its logits."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.utils import skip_init

from benchx.protocols import Precision
from benchx.training.precision import autocast, resolve_precision


class Classifier(nn.Module):
    """An encoder and a linear head, on a device and in channels-last layout.

    Args:
        encoder: maps images [B, channels, H, W] to pooled features [B, dim]; has the attribute `dim`.
        classes: C.
        seed: of the head's weights, normal with deviation 0.02, cut at 2; its biases are 0.
        device: where.
        precision: of the forward pass; parameters and logits are float32 always.
    """

    def __init__(self, encoder: nn.Module, classes: int, seed: int, device: str, precision: Precision) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = skip_init(nn.Linear, cast(int, encoder.dim), classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02, generator=torch.Generator().manual_seed(seed))
        nn.init.zeros_(self.head.bias)
        self.device, self.precision = device, resolve_precision(device, precision)
        self.requires_grad_(True).to(device).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 logits [B, C]."""
        with autocast(self.device, self.precision):
            logits = self.head(self.encoder(images.contiguous(memory_format=torch.channels_last)))
        return logits.float()


def parameter_groups(model: Classifier, lr: float, head_lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """Group parameters for AdamW; vectors (biases, norms) are not decayed. `base_lr` keeps the peak rate."""
    groups = []
    for part, rate in ((model.encoder, lr), (model.head, head_lr)):
        for vectors, decay in ((False, weight_decay), (True, 0.0)):
            chosen = [weight for weight in part.parameters() if (weight.ndim <= 1) == vectors]
            groups.append({"params": chosen, "lr": rate, "base_lr": rate, "weight_decay": decay})
    return groups


def masked_loss_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy summed over the labels [B, C] that are not NaN."""
    valid = ~labels.isnan()
    return binary_cross_entropy_with_logits(logits[valid], labels[valid], reduction="sum")
