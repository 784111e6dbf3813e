"""Optimisers by name, and the groups of parameters they are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from benchx.training.recipe import Recipe


def parameter_groups(parts: Iterable[tuple[nn.Module, float]], recipe: Recipe) -> list[dict[str, Any]]:
    """Group the trainable parameters of some parts, each with its peak rate, which `base_lr` keeps.

    Vectors (biases, norms) are not decayed, unless the recipe says so.
    """
    groups = []
    for part, rate in parts:
        for vectors in (False, True):
            chosen = [one for one in part.parameters() if one.requires_grad and (one.ndim <= 1) == vectors]
            decay = 0.0 if vectors and not recipe.decay_vectors else recipe.weight_decay
            if chosen:
                groups.append({"params": chosen, "lr": rate, "base_lr": rate, "weight_decay": decay})
    return groups


def make_optimizer(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimiser: AdamW (decay decoupled), Adam or SGD (decay in the gradient)."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=recipe.momentum)
    kind = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, amsgrad=recipe.amsgrad)
