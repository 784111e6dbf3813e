"""Overlap from counts of pixels: Dice and IoU of a case, and the pooled mean Dice that BenchX reports.

True negatives enter the pooled mean Dice alone. Counts may be of one case or sums over cases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from benchx.metrics.segmentation.counting import counts, f1, share


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Return 2 tp / (2 tp + fp + fn), 0 to 1 (Dice 1945), element by element.

    Truth and prediction both empty is 1, as nothing was there and nothing was claimed; one of them empty is 0.

    Args:
        tp, fp, fn: pixels, non-negative, of shapes that broadcast.

    Raises:
        ValueError: a count is negative or NaN.
    """
    found, invented, missed = counts(tp, fp, fn)
    return f1(found, invented, missed, empty=1.0)


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Return tp / (tp + fp + fn), 0 to 1 (Jaccard 1912); arguments, empty masks and errors are those of `dice`."""
    found, invented, missed = counts(tp, fp, fn)
    return share(found, found + invented + missed, 1.0)


def pooled_mean_dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> float:
    """Return BenchX's mDice of one foreground class: the mean of its pooled Dice and of the background's.

    The rule of MMSegmentation's `IoUMetric` with two classes: pixels are summed over the whole test set first, so that
    large lesions weigh more, and the background, near 1 in a chest radiograph, is half of the score. A class that
    neither truth nor prediction holds anywhere leaves the mean (its 0 / 0 is NaN there, and `nanmean` skips it).

    Args:
        tp, fp, fn, tn: pixels per case [N], or their sums.

    Returns:
        0 to 1; NaN without a pixel.

    Raises:
        ValueError: a count is negative or NaN, the shapes differ, or there are more than one class' counts [N, K].
    """
    arrays = counts(tp, fp, fn, tn)
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim > 1:
        raise ValueError(f"pooled counts must be of one class, all [N] or all numbers, not {sorted(shapes)}")
    found, invented, missed, spared = (array.sum() for array in arrays)
    per_class = f1(np.array([spared, found]), invented, missed, np.nan)
    known = per_class[~np.isnan(per_class)]
    return float(known.mean()) if len(known) else float("nan")
