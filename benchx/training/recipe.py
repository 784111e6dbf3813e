"""What a fine-tuning run is given: its recipe and its labelled images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from benchx.protocols import Precision


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: passes over the training cases, at most.
        batch_size: images per optimiser step.
        lr: peak learning rate of the encoder.
        head_lr: peak learning rate of the head.
        weight_decay: decoupled, on weight matrices and kernels only.
        warmup_fraction: share of all steps before the peak.
        clip_norm: limit of the gradient's norm.
        patience: epochs without a strictly better validation score after which training stops.
        precision: see `benchx.training.precision`.
        micro_batch: images per forward pass at the start; None = the batch.
    """

    epochs: int
    batch_size: int
    lr: float
    head_lr: float
    weight_decay: float
    warmup_fraction: float
    clip_norm: float
    patience: int
    precision: Precision
    micro_batch: int | None


@dataclass(frozen=True)
class Data:
    """Labelled images.

    Attributes:
        size: N.
        labels: [N, C] in {0, 1, NaN}.
        images: maps case numbers and a generator (augment) or None (the evaluation transform) to float32
            [n, channels, height, width] on the training device.
    """

    size: int
    labels: np.ndarray
    images: Callable[[np.ndarray, np.random.Generator | None], Tensor]
