"""Masks and boxes brought through the geometry of their images, so that they stay aligned.

A pixel of a resized mask is set when more than half of its area was covered, whatever the scale. The areas are
counted in whole numbers, so that exactly one half is never set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchx.images.spec import InputSpec, place


def resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a mask, or a stack of them.

    Args:
        mask: uint8 [..., h, w] of 0 and 1.
        height, width: wanted, pixels.

    Returns:
        uint8 [..., height, width]: 1 where more than half of the pixel's area was covered.
    """
    if mask.shape[-2:] == (height, width):
        return mask
    whole = mask.shape[-2] * mask.shape[-1]
    covered = _cover(_cover(mask, width).swapaxes(-1, -2), height).swapaxes(-1, -2)
    return (2 * covered > whole).astype(np.uint8)


def prepare_masks(masks: Sequence[np.ndarray], spec: InputSpec) -> np.ndarray:
    """Bring masks to the square of a spec, each as `benchx.images.geometry.prepare` brings an image of its shape.

    Args:
        masks: uint8 [K, h, w] of 0 and 1 each, of any shapes.
        spec: the geometry; its statistics and channels do not matter.

    Returns:
        uint8 [B, K, size, size]; padding is 0.
    """
    return np.stack([_square(mask, spec) for mask in masks])


def prepare_boxes(boxes: np.ndarray, height: int, width: int, spec: InputSpec) -> np.ndarray:
    """Bring boxes of one image to the square of a spec.

    Args:
        boxes: float [N, 4] of x, y, width, height in pixels of the image.
        height, width: of the image, pixels.
        spec: the geometry.

    Returns:
        float64 [N, 4] of x, y, width, height in pixels of the square, cut at its edges; a box outside has no width
        or no height.
    """
    placed = place(height, width, spec)
    scale = np.array([placed.width / width, placed.height / height])
    origin = np.array([placed.left, placed.top])
    near = (boxes[:, :2] * scale - origin).clip(0, spec.size)
    far = ((boxes[:, :2] + boxes[:, 2:]) * scale - origin).clip(0, spec.size)
    return np.concatenate([near, far - near], axis=1)


def _cover(values: np.ndarray, length: int) -> np.ndarray:
    """Sum [..., n] over `length` equal stretches of the last axis, in units of 1 / length: int64 [..., length].

    A value that two stretches share counts in each by its share of the axis.
    """
    n = values.shape[-1]
    cells, parts = np.divmod(np.arange(length + 1) * n, length)
    before = np.zeros((*values.shape[:-1], n + 1), np.int64)
    np.cumsum(values, axis=-1, out=before[..., 1:])
    ends = length * before[..., cells]
    ends[..., :-1] += parts[:-1] * values[..., cells[:-1]]
    return np.diff(ends)


def _square(mask: np.ndarray, spec: InputSpec) -> np.ndarray:
    height, width = mask.shape[-2:]
    placed = place(height, width, spec)
    resized = resize_mask(mask, placed.height, placed.width)
    square = np.zeros((len(mask), spec.size, spec.size), np.uint8)
    top, left = max(placed.top, 0), max(placed.left, 0)
    seen = resized[:, top : placed.top + spec.size, left : placed.left + spec.size]
    top, left = top - placed.top, left - placed.left
    square[:, top : top + seen.shape[-2], left : left + seen.shape[-1]] = seen
    return square
