"""Buffers that a network built on the meta device has and no checkpoint fills."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


def remake_buffers(module: nn.Module, build: Callable[[], nn.Module]) -> None:
    """Give a module the values of its buffers that still lie on the meta device, such as attention masks.

    They are taken from the same network built on the CPU, whose constructor knows them. The caller's random state
    is left as it was.

    Args:
        build: builds the network again.
    """
    hollow = [name for name, buffer in module.named_buffers(remove_duplicate=False) if buffer.is_meta]
    if not hollow:
        return
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        whole = dict(build().named_buffers(remove_duplicate=False))
    for name in hollow:
        owner, _, buffer = name.rpartition(".")
        setattr(module.get_submodule(owner), buffer, whole[name])
