"""Uniform borders of a picture: padding, or the blackened edge that a collimator leaves."""

from __future__ import annotations

import numpy as np

TOLERANCE = 8
"""Grey levels by which a border may vary: JPEG rings."""

_SMALLEST = 16


def uniform_borders(image: np.ndarray) -> tuple[int, int, int, int]:
    """Measure the uniform bands at the edges of an image.

    Args:
        image: uint8 [h, w].

    Returns:
        Widths in pixels: top, bottom, left, right. A uniform image has bottom and right 0.
    """
    return *_bands(image, 1), *_bands(image, 0)


def without_borders(image: np.ndarray, borders: tuple[int, int, int, int]) -> np.ndarray:
    """Cut the borders away, uint8 [h, w]; an image of which under 16 pixels would be left stays whole."""
    top, bottom, left, right = borders
    height, width = image.shape
    inside = image[top : height - bottom, left : width - right]
    return inside if min(inside.shape) >= _SMALLEST else image


def _bands(image: np.ndarray, axis: int) -> tuple[int, int]:
    low, high = image.min(axis).astype(int), image.max(axis).astype(int)
    picture = np.flatnonzero((high - low > TOLERANCE) | _differs(low, low[0]) & _differs(low, low[-1]))
    return (int(picture[0]), len(low) - 1 - int(picture[-1])) if len(picture) else (len(low), 0)


def _differs(values: np.ndarray, value: int) -> np.ndarray:
    return abs(values - value) > TOLERANCE
