"""All pairs of vectors that are alike, found exactly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 2048


def pairs_alike(vectors: np.ndarray, least: float) -> Iterator[tuple[int, np.ndarray]]:
    """Find every pair whose product is at least `least` or at most `-least`.

    Nothing is hashed or sampled: each block of 2048 rows is multiplied with itself and with every later one,
    so no pair is overlooked whatever the vectors are (to the rounding of float32, about 1e-6). The work grows
    with the square of N; `benchmarks/audit_speed.py` times it.

    Args:
        vectors: float32 [N, D].
        least: greater than 0.

    Yields:
        After each block of rows against a later one: the first row not yet begun, and the pairs, int64 [n, 2],
        the smaller row first.
    """
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        for other in range(start, len(vectors), BLOCK):
            products = block @ vectors[other : other + BLOCK].T
            if max(products.max(), -products.min()) < least:
                continue
            pairs = np.argwhere((products >= least) | (products <= -least)) + np.array([start, other])
            yield start + len(block), pairs[pairs[:, 0] < pairs[:, 1]]
        yield start + len(block), np.zeros((0, 2), np.int64)
