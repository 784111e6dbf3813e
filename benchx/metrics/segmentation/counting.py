"""Arithmetic on counts of pixels and of lesions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def counts(*values: ArrayLike) -> tuple[np.ndarray, ...]:
    """Return counts as float64, which holds every integer up to 2^53 exactly.

    Raises:
        ValueError: a count is negative or NaN.
    """
    arrays = tuple(np.asarray(value, np.float64) for value in values)
    if not all((array >= 0).all() for array in arrays):
        raise ValueError("counts must be 0 or more")
    return arrays


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, empty: float) -> np.ndarray:
    """Return 2 tp / (2 tp + fp + fn), and `empty` where all three are 0."""
    return share(2 * tp, 2 * tp + fp + fn, empty)


def share(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    """Return part / whole, and `empty` where whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(whole.shape, empty), where=whole > 0)
