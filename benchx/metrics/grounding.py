"""Grounding: heat maps of where a text is found in an image, against outlines of where it is.

A heat map may have any range. For the measures that cut it at a threshold each map is scaled to [0, 1] by its own
minimum and maximum; a constant map is 0 everywhere. An image whose outline is empty does not count (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of a scaled heat map; a pixel is called when it reaches one."""

TIE = 1e-6
"""Places within this share of a map's range from its maximum are maxima: maps are computed in float32."""


@dataclass(frozen=True)
class Grounding:
    """How one heat map fits one outline; all NaN where the outline is empty.

    Attributes:
        pointing: the pointing game (Zhang et al. 2018) without tolerance: whether the maximum lies inside. Where
            there are several maxima, the share of them that does: what picking one at random gives, so that a
            constant map scores the outline's share of the image.
        ious: float64 [9], intersection over union at each of `THRESHOLDS`.
        contrast_to_noise: (mean inside - mean outside) / sqrt(variance inside + variance outside), after Boecking et
            al. (BioViL, ECCV 2022), who take its absolute value: here a map that is lower inside is negative. 0 for
            a constant map; NaN where the outline covers all, or where both parts are constant and differ.
    """

    pointing: float
    ious: np.ndarray
    contrast_to_noise: float


def upsampled(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a heat map at the size of its image, by bilinear interpolation between the centres of its cells.

    The rule of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`: half a cell at each edge
    repeats the edge.

    Args:
        heat: [h, w].

    Returns:
        float64 [height, width].
    """
    values = np.asarray(heat, np.float64)
    return _stretched(_stretched(values, height).T, width).T


def grounding(heat: np.ndarray, mask: np.ndarray) -> Grounding:
    """Compare a heat map with an outline.

    Args:
        heat: [h, w], brought to the size of the mask by `upsampled`.
        mask: [H, W] in {0, 1} or bool.

    Raises:
        ValueError: a shape is not of two dimensions, or a value of the heat map is not finite.
    """
    if heat.ndim != 2 or mask.ndim != 2:
        raise ValueError(f"heat map {heat.shape} and mask {mask.shape} must be [h, w] and [H, W]")
    if not np.isfinite(heat).all():
        raise ValueError("a heat map holds NaN or infinity")
    inside = np.asarray(mask) != 0
    if not inside.any():
        return Grounding(np.nan, np.full(len(THRESHOLDS), np.nan), np.nan)
    values = np.asarray(heat, np.float64) if heat.shape == mask.shape else upsampled(heat, *mask.shape)
    low, reach = values.min(), np.ptp(values)
    maxima = values >= low + reach * (1 - TIE)
    scaled = (values - low) / reach if reach > 0 else np.zeros_like(values)
    return Grounding(float(inside[maxima].mean()), _ious(scaled, inside), _contrast_to_noise(values, inside))


def best_threshold(ious: np.ndarray) -> int | None:
    """Return the number of the threshold with the highest mean IoU over validation images; of equal ones the lowest.

    Args:
        ious: [n, 9] of validation images, NaN rows do not count.

    Returns:
        Index into `THRESHOLDS`; None where no image counts.
    """
    counted = ious[~np.isnan(ious).any(axis=1)]
    return int(np.argmax(counted.mean(axis=0))) if len(counted) else None


def _stretched(values: np.ndarray, length: int) -> np.ndarray:
    """Interpolate along the first axis; written so that equal neighbours give exactly their value."""
    cells = len(values)
    place = np.clip((np.arange(length) + 0.5) * cells / length - 0.5, 0, cells - 1)
    first = np.floor(place).astype(int)
    share = (place - first)[:, None]
    start = values[first]
    return start + share * (values[np.minimum(first + 1, cells - 1)] - start)


def _ious(scaled: np.ndarray, inside: np.ndarray) -> np.ndarray:
    reached = np.searchsorted(THRESHOLDS, scaled, side="right")
    called, common = (
        np.bincount(some.ravel(), minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1][1:]
        for some in (reached, reached[inside])
    )
    return common / (called + inside.sum() - common)


def _contrast_to_noise(values: np.ndarray, inside: np.ndarray) -> float:
    if inside.all():
        return np.nan
    within, without = values[inside], values[~inside]
    if np.ptp(values) == 0:
        return 0.0
    noise = np.sqrt(within.var() + without.var())
    return float((within.mean() - without.mean()) / noise) if noise > 0 else np.nan
