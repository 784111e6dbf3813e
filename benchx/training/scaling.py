"""By what features are brought to mean 0 and deviation 1, summed in parts, so that a memory map stays one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROWS = 4096
"""Cases whose mean and deviation are summed at a time."""


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation [D] of features, float64; the deviation of a constant one counts as 1."""

    mean: np.ndarray
    scale: np.ndarray


def scaling(features: np.ndarray, rows: np.ndarray) -> Scaling:
    """Return the mean and the population standard deviation of the features [N, D] (a memory map too) of some rows.

    Raises:
        ValueError: there is no row, or a feature is NaN or infinite.
    """
    if not len(rows):
        raise ValueError("features of no case have no mean")
    parts = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    mean = sum(np.asarray(features[part], np.float64).sum(axis=0) for part in parts) / len(rows)
    if not np.isfinite(mean).all():
        raise ValueError("features hold NaN or infinite values")
    low = np.min([features[part].min(axis=0) for part in parts], axis=0)
    high = np.max([features[part].max(axis=0) for part in parts], axis=0)
    squares = sum(((np.asarray(features[part], np.float64) - mean) ** 2).sum(axis=0) for part in parts)
    # By its extremes: a rounded mean leaves a constant feature a tiny deviation that is not 0.
    return Scaling(mean, np.where(low == high, 1.0, np.sqrt(squares / len(rows))))
