"""A small description of a picture: thumbnails, their grey ranks, and low frequencies as a unit vector."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 64
"""Pixels along a thumbnail's sides."""

FREQUENCIES = 20
"""Waves i down and j across with 2 <= i + j < 20 describe a picture: 207 numbers."""

_DOWN, _ACROSS = np.mgrid[:FREQUENCIES, :FREQUENCIES]
_KEPT = (_DOWN + _ACROSS >= 2) & (_DOWN + _ACROSS < FREQUENCIES)
_WEIGHT = np.sqrt(_DOWN**2 + _ACROSS**2, dtype=np.float32)[_KEPT]

LENGTH = int(_KEPT.sum())


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Stretch grey pixels, uint8 [h, w], to uint8 [64, 64], each the mean of the area that it covers."""
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def grey_ranks(picture: np.ndarray) -> np.ndarray:
    """Replace every grey value by the middle of its rank, float32 of the same shape, -0.5 to 0.5.

    A display curve that rises (window, gamma, equalisation) changes no rank, and inversion only their sign.
    """
    counts = np.bincount(picture.ravel(), minlength=256)
    middles = (np.cumsum(counts) - counts / 2) / picture.size - 0.5
    return middles.astype(np.float32)[picture]


def describe(ranks: np.ndarray) -> np.ndarray:
    """Describe a picture by the low frequencies of its grey ranks.

    All chest radiographs share their lowest frequencies: the cosine coefficients are weighted by frequency,
    so that what tells two radiographs apart counts as much as what they share.

    Args:
        ranks: float32 [64, 64].

    Returns:
        float32 [207] of length 1, or zeros for a constant picture.
    """
    vector = cv2.dct(ranks)[:FREQUENCIES, :FREQUENCIES][_KEPT] * _WEIGHT
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-3 else np.zeros_like(vector)
