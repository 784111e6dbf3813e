"""Grounding: heat maps of where a text is found in an image, against outlines of where it is.

A heat map may have any range. A threshold, and with it IoU and Dice, needs one scale for all maps: attention, for
instance, sums to 1 over the places, so that its level falls with their number and with how widely a text looks. Each
map is therefore scaled to [0, 1] by its own minimum and maximum, which changes no order within it; a constant map is 0
everywhere. It is never scaled by other images: MeDSLIP's script divides by the largest value of the batch, by which
the result of an image depends on the images beside it. The pointing game, average precision and the contrast-to-noise
ratio need no scale. An image whose outline is empty does not count (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchx.metrics.classification import average_precision

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
        cell_pointing: MeDSLIP's pointing game, every cell of the map repeated over its pixels: 1 where any pixel of a
            maximal cell lies inside, else 0. It flatters coarse maps, and a constant map scores 1.
        average_precision: of the pixels ranked by the map, inside against outside; no threshold. A constant map scores
            the outline's share of the image. NaN where the outline covers all.
        ious, dices: float64 [9], intersection over union and Dice coefficient at each of `THRESHOLDS`.
        contrast_to_noise: (mean inside - mean outside) / sqrt(variance inside + variance outside), after Boecking et
            al. (BioViL, ECCV 2022), who take its absolute value: here a map that is lower inside is negative. 0 for
            a constant map; NaN where the outline covers all, or where both parts are constant and differ.
    """

    pointing: float
    cell_pointing: float
    average_precision: float
    ious: np.ndarray
    dices: np.ndarray
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
        nothing = np.full(len(THRESHOLDS), np.nan)
        return Grounding(np.nan, np.nan, np.nan, nothing, nothing, np.nan)
    cells = np.asarray(heat, np.float64)
    values = cells if heat.shape == mask.shape else upsampled(heat, *mask.shape)
    scaled = (values - values.min()) / np.ptp(values) if np.ptp(values) > 0 else np.zeros_like(values)
    ious, dices = _overlaps(scaled, inside)
    return Grounding(
        pointing=float(inside[_maxima(values)].mean()),
        cell_pointing=float(_touched(inside, cells.shape)[_maxima(cells)].any()),
        average_precision=average_precision(values.ravel(), inside.ravel().astype(np.float64)),
        ious=ious,
        dices=dices,
        contrast_to_noise=_contrast_to_noise(values, inside),
    )


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


def _maxima(values: np.ndarray) -> np.ndarray:
    return values >= values.min() + np.ptp(values) * (1 - TIE)


def _touched(inside: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return which cells of a map of another shape have a pixel inside, each cell being repeated over its pixels."""
    pixels = np.nonzero(inside)
    cells = tuple(place * cells // length for place, cells, length in zip(pixels, shape, inside.shape, strict=True))
    touched = np.zeros(shape, dtype=bool)
    touched[cells] = True
    return touched


def _overlaps(scaled: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return IoU and Dice at every threshold; the outline is not empty, so neither are their denominators."""
    reached = np.searchsorted(THRESHOLDS, scaled, side="right")
    called, common = (
        np.bincount(some.ravel(), minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1][1:]
        for some in (reached, reached[inside])
    )
    both = called + inside.sum()
    return common / (both - common), 2 * common / both


def _contrast_to_noise(values: np.ndarray, inside: np.ndarray) -> float:
    if inside.all():
        return np.nan
    within, without = values[inside], values[~inside]
    if np.ptp(values) == 0:
        return 0.0
    noise = np.sqrt(within.var() + without.var())
    return float((within.mean() - without.mean()) / noise) if noise > 0 else np.nan
