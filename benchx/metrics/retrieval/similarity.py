"""Cosine similarity of all queries with a whole gallery, some queries at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchx.errors import BenchxError

CELLS = 2**24
"""Similarities held at a time: 192 MB as float64 and float32, and a few masks."""
_GRID = 2.0**24

Chunks = Iterator[tuple[int, int, torch.Tensor]]
"""Of some queries at a time, in order: number of the first, that of the query after the last, and their similarities
with the whole gallery, float32 [c, G], which the receiver may overwrite."""


def similarity_chunks(queries: np.ndarray, gallery: np.ndarray, cells: int, device: str) -> Chunks:
    """Compare queries [Q, P] with a gallery [G, P], float, normalised here.

    Products are summed in float64 and rounded to multiples of 2^-24 (6e-8, what float32 resolves just below 1). So
    equal items tie exactly, whatever the order in which a matrix product sums, and a similarity does not depend on
    what else is in its chunk. A vector of zeros has similarity 0 with everything.

    Args:
        cells: how many similarities are held at a time; at least one query's.

    Yields:
        Number of the first query, that of the query after the last, and float32 [c, G] in [-1, 1].

    Raises:
        BenchxError: an embedding is NaN or infinite.
        ValueError: the widths differ, or the gallery is empty.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries {queries.shape} and gallery {gallery.shape} must be [Q, P] and [G, P]")
    if len(gallery) == 0:
        raise ValueError("the gallery is empty")
    _check_finite("queries", queries)
    _check_finite("the gallery", gallery)
    items = _unit(gallery, device) * _GRID
    step = max(1, cells // len(gallery))
    for first in range(0, len(queries), step):
        stop = min(first + step, len(queries))
        products = (_unit(queries[first:stop], device) @ items.T).round_()
        # Integers up to 2^24 are exact in float32. Adding 0 makes 0 of -0, which would sort below it.
        yield first, stop, products.float().mul_(1 / _GRID).add_(0.0)


def _unit(vectors: np.ndarray, device: str) -> torch.Tensor:
    whole = torch.from_numpy(np.ascontiguousarray(vectors)).to(device, torch.float64)
    return whole / torch.linalg.vector_norm(whole, dim=1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


def _check_finite(name: str, vectors: np.ndarray) -> None:
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise BenchxError(
            f"{int(bad.sum())} of {len(bad)} embeddings of {name} are NaN or infinite",
            f"the first is row {int(np.flatnonzero(bad)[0])}; such an item has no rank",
            "look for an overflow in half precision, or a broken checkpoint",
        )
