"""Cutting the cases of an epoch into batches."""

from __future__ import annotations

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


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
