"""The keyed-init rule, version 1: every tensor of a checkpoint follows from its full name and shape.

Parity certificates rest on it: official code and ours are filled with the same weights, and no weight file
has to be kept.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import torch

ADDITIVE = (
    "pos_embed",
    "position_embedding",
    "positional_embedding",
    "cls_token",
    "class_embedding",
    "mask_token",
    "relative_position_bias_table",
    "token_type_embeddings",
    "modality_type_embeddings",
    "type_embed",
    "pseudo_vision_token_pool",
    "pseudo_language_token_pool",
)
"""Names of tensors that are added to others, and drawn small as biases are."""


def keyed_tensor(name: str, shape: Sequence[int]) -> torch.Tensor:
    """Return the tensor of a name: indices for integer buffers, else scaled normal draws seeded by crc32(name)."""
    if name.endswith(("num_batches_tracked", "edge_index")):
        return torch.zeros(tuple(shape), dtype=torch.int64)
    if name.endswith("position_ids"):
        return torch.arange(shape[-1]).expand(tuple(shape)).clone()
    if name.endswith("relative_position_index"):
        return window_index(math.isqrt(shape[0]))
    draws = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape), dtype=np.float32)
    return torch.from_numpy(np.asarray(_scaled(name, np.asarray(draws)), dtype=np.float32))


def window_index(window: int) -> torch.Tensor:
    """Return Swin's table index of every pair of places in a window, int64 [window^2, window^2]."""
    places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    rows, columns = (places[:, None] - places[None, :] + window - 1).unbind(-1)
    return rows * (2 * window - 1) + columns


def _scaled(name: str, draws: np.ndarray) -> np.ndarray:
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(draws)
    if draws.ndim == 0:
        return 1 + 0.1 * draws
    if name.endswith(("running_mean", "bias")) or any(part in name for part in ADDITIVE):
        return 0.1 * draws
    if draws.ndim == 1:
        return 1 + 0.1 * draws
    return draws / math.sqrt(math.prod(draws.shape[1:]))


def seeded_images(size: int, count: int = 2, channels: int = 3) -> torch.Tensor:
    """Return the already normalised images of the parity runs, float32 [count, channels, size, size]."""
    draws = np.random.default_rng(0).standard_normal((count, channels, size, size))
    return torch.from_numpy(draws.astype(np.float32))
