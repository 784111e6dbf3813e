"""Cutting the cases of an epoch into batches."""

from __future__ import annotations

import math

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from benchx.training.recipe import Recipe


def epoch_batches(size: int, recipe: Recipe, rng: np.random.Generator, merge_single: bool) -> list[np.ndarray]:
    """Return the case numbers of every batch of an epoch, in a new order.

    With `steps_per_epoch`, so many full batches from as many passes over the cases as they take.
    """
    if recipe.steps_per_epoch is None:
        return batches(rng.permutation(size), recipe.batch_size, merge_single)
    wanted = recipe.steps_per_epoch * recipe.batch_size
    passes = [rng.permutation(size) for _ in range(math.ceil(wanted / size))]
    return np.split(np.concatenate(passes)[:wanted], recipe.steps_per_epoch)


def batches(order: np.ndarray, size: int, merge_single: bool) -> list[np.ndarray]:
    """Cut an order [N] into batches; the last may be smaller, and with `merge_single` is never one alone.

    Batch normalisation learns nothing from a single image, so that one joins the batch before it.
    """
    cuts = list(range(size, len(order), size))
    if merge_single and size > 1 and cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    return np.split(order, cuts)


def has_batch_norm(model: nn.Module) -> bool:
    """Return whether a model normalises over its batch."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())
