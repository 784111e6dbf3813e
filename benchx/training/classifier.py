"""The model that is fine-tuned: an encoder and a linear head, and the loss on its logits."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.utils import skip_init

from benchx.protocols import Head, Precision
from benchx.training.learner import Learner
from benchx.training.optimizers import parameter_groups
from benchx.training.precision import autocast
from benchx.training.recipe import Batch, Recipe

PLAIN = Head()
"""A linear layer alone."""


class Classifier(Learner):
    """An encoder and a head, on a device and in channels-last layout.

    Args:
        encoder: maps images [B, channels, H, W] to pooled features [B, dim]; has the attribute `dim`.
        classes: C.
        seed: of the head's weights, normal, cut at 2 (absolute).
        device: where.
        precision: of the forward pass; parameters and logits are float32 always.
        head: its form.
    """

    def __init__(
        self,
        encoder: nn.Module,
        classes: int,
        seed: int,
        device: str,
        precision: Precision,
        head: Head = PLAIN,
    ) -> None:
        super().__init__(device, precision)
        self.encoder, self.form = encoder, head
        dim = cast(int, encoder.dim)
        outputs = 2 if head.loss == "softmax" else classes
        if head.loss == "softmax" and classes != 1:
            raise ValueError(f"a softmax head tells absent from present of one class, not {classes}")
        generator = torch.Generator().manual_seed(seed)
        linear = skip_init(nn.Linear, dim, outputs)
        bound = dim**-0.5
        if head.weight_std is None:
            nn.init.uniform_(linear.weight, -bound, bound, generator=generator)
        else:
            nn.init.trunc_normal_(linear.weight, std=head.weight_std, generator=generator)
        nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
        self.head = nn.Sequential(nn.LayerNorm(dim, eps=1e-6), linear) if head.layer_norm else linear
        self.requires_grad_(True).to(device).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 logits [B, C]; of a softmax head the log-odds of `present`."""
        outputs = self._outputs(images)
        return outputs[:, 1:] - outputs[:, :1] if self.form.loss == "softmax" else outputs

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return encoder and head with their own rates."""
        return parameter_groups([(self.encoder, recipe.lr), (self.head, recipe.head_lr)], recipe)

    def loss_sum(self, batch: Batch) -> Tensor:
        """Return the cross-entropy summed over the labels that are not NaN."""
        images, labels = batch
        outputs = self._outputs(images)
        if self.form.loss == "softmax":
            known = ~labels[:, 0].isnan()
            return cross_entropy(outputs[known], labels[known, 0].long(), reduction="sum")
        return masked_loss_sum(outputs, labels)

    def count(self, batch: Batch) -> Tensor:
        """Return how many labels are not NaN."""
        return (~batch[1].isnan()).sum()

    def _outputs(self, images: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            outputs = self.head(self.encoder(images.contiguous(memory_format=torch.channels_last)))
        return outputs.float()


def masked_loss_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy summed over the labels [B, C] that are not NaN."""
    valid = ~labels.isnan()
    return binary_cross_entropy_with_logits(logits[valid], labels[valid], reduction="sum")
