"""The model that segmentation trains: a decoder, with or without its encoder, and how it draws masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchx.decoders.segmentation import build_decoder
from benchx.decoders.segmentation.losses import known_images, loss_sum
from benchx.protocols import Segment
from benchx.tasks.segmentation.maps import Inputs, Source
from benchx.training.learner import Learner
from benchx.training.loop import Diverged
from benchx.training.memory import free, halved
from benchx.training.optimizers import parameter_groups
from benchx.training.precision import autocast
from benchx.training.recipe import Batch, Recipe


class Segmenter(Learner):
    """A decoder on maps. A batch is what `Source.inputs` gives, then masks with 255 for unknown pixels.

    Args:
        source: of the maps; its encoder is trained along where it has one.
        size: side of the images and masks.
        classes: K.
        protocol: decoder, output, loss and precision.
        seed: of the decoder's weights.
        device: where.
    """

    def __init__(self, source: Source, size: int, classes: int, protocol: Segment, seed: int, device: str) -> None:
        super().__init__(device, protocol.precision)
        form = protocol.decoder
        self.encoder, self.read_maps = source.encoder, source.maps
        self.size, self.output, self.loss, self.auxiliary = size, protocol.output, protocol.loss, form.auxiliary
        self.decoder = build_decoder(
            form.name,
            source.channels,
            source.strides,
            2 if protocol.output == "softmax" else classes,
            width=form.width,
            dropout=form.dropout,
            auxiliary=form.auxiliary is not None,
            seed=seed,
        )
        self.requires_grad_(True).to(device).to(memory_format=torch.channels_last)

    def forward(self, inputs: Inputs) -> Tensor:
        """Return float32 log-odds [B, K, size, size] of every class; of softmax those of the foreground."""
        with autocast(self.device, self.precision):
            logits = self.decoder(self.read_maps(inputs), self.size)
        logits = logits.float()
        return logits[:, 1:] - logits[:, :1] if self.output == "softmax" else logits

    def groups(self, recipe: Recipe) -> list[dict[str, Any]]:
        """Return encoder, where it is trained, and decoder with their own rates."""
        encoder = [] if self.encoder is None else [(self.encoder, recipe.lr)]
        return parameter_groups([*encoder, (self.decoder, recipe.head_lr)], recipe)

    def loss_sum(self, batch: Batch) -> Tensor:
        """Return the loss summed over images, that of the auxiliary head with its weight."""
        *inputs, masks = batch
        with autocast(self.device, self.precision):
            logits, auxiliary = self.decoder.with_auxiliary(self.read_maps(tuple(inputs)), self.size)
        total = loss_sum(logits, masks, self.output, self.loss)
        if auxiliary is None or self.auxiliary is None:
            return total
        return total + self.auxiliary * loss_sum(auxiliary, masks, self.output, self.loss)

    def count(self, batch: Batch) -> Tensor:
        """Return how many images have a known pixel."""
        return known_images(batch[-1])


def log_odds(
    model: Segmenter, inputs: Callable[[np.ndarray], Inputs], rows: Sequence[int] | np.ndarray, batch: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every row with its log-odds, float32 [K, size, size]; halves `batch` where memory runs out.

    Raises:
        Diverged: one is NaN or infinite.
        BenchxError: one image does not fit into memory.
    """
    model.eval()
    rows = np.asarray(rows)
    start = 0
    while start < len(rows):
        chosen = rows[start : start + batch]
        try:
            with torch.no_grad():
                found = model(inputs(chosen))
        except (RuntimeError, MemoryError) as error:
            batch = halved(len(chosen), error)
        else:
            if not found.isfinite().all():
                raise Diverged("predictions are NaN or infinite", "the training diverged", "lower the learning rate")
            yield from zip(map(int, chosen), found.cpu().numpy(), strict=True)
            start += len(chosen)
            continue
        free()
