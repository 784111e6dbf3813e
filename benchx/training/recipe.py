"""What a training run is given: its recipe and its cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from torch import Tensor

from benchx.protocols import Optimizer, Precision, Schedule, Training

Batch = tuple[Tensor, ...]
"""Tensors of the same cases along their first axis, on the training device: inputs, then targets."""


@dataclass(frozen=True)
class Recipe:
    """How to train; see `benchx.protocols.Training` for what the fields mean.

    Attributes:
        micro_batch: cases per forward pass at the start; None = the batch.
    """

    epochs: int
    batch_size: int
    lr: float
    head_lr: float
    weight_decay: float
    warmup_fraction: float
    clip_norm: float | None
    patience: int
    precision: Precision
    micro_batch: int | None
    optimizer: Optimizer = "adamw"
    momentum: float = 0.9
    amsgrad: bool = False
    decay_vectors: bool = False
    schedule: Schedule = "cosine"
    warmup_steps: int | None = None
    total_steps: int | None = None
    steps_per_epoch: int | None = None
    first_evaluation: int = 1
    evaluate_every: int = 1


def recipe_of(protocol: Training) -> Recipe:
    """Return how a protocol trains."""
    named = {field.name for field in fields(Recipe)} - {"micro_batch"}
    return Recipe(**{name: getattr(protocol, name) for name in named}, micro_batch=None)


@dataclass(frozen=True)
class TrainingSet:
    """The cases of a training.

    Attributes:
        size: N.
        batch: maps case numbers and a generator (augment) to their batch.
    """

    size: int
    batch: Callable[[np.ndarray, np.random.Generator], Batch]


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
