"""All that is kept of one segmented image: counts of pixels, distances of outlines and counts of lesions per class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchx.metrics.segmentation.lesions import lesion_counts
from benchx.metrics.segmentation.surface import Spacing, surface_scores


@dataclass(frozen=True, eq=False)
class CaseScores:
    """The scores of one image, an array [K] over classes each.

    Attributes:
        tp, fp, fn, tn: pixels, int64.
        hd95: 95 % Hausdorff distance, float64, in the unit of the spacing.
        nsd: normalised surface distance, float64, 0 to 1.
        lesion_tp, lesion_fp, lesion_fn: lesions found, invented and missed, int64.
        positive: bool, whether the truth holds a pixel of the class.
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray
    hd95: np.ndarray
    nsd: np.ndarray
    lesion_tp: np.ndarray
    lesion_fp: np.ndarray
    lesion_fn: np.ndarray
    positive: np.ndarray


def score_case(truth: np.ndarray, prediction: np.ndarray, spacing: Spacing | None, tolerance: float) -> CaseScores:
    """Score the masks of one image; classes are independent of each other and may overlap.

    Where masks are empty: both empty, HD95 = 0 and NSD = 1 (and Dice = IoU = 1 from the counts); one empty,
    HD95 = the image's diagonal, NSD = 0 (and Dice = IoU = 0). `surface_scores` says why.

    Args:
        truth, prediction: bool or integers in {0, 1}, [K, H, W], foreground classes only.
        spacing: (row, column) in mm, None where unknown: distances are then in pixels.
        tolerance: of NSD, in mm with a spacing and in pixels without.

    Raises:
        ValueError: the shapes differ, are not [K, H, W] or have no pixel; a value is not 0 or 1; spacing or tolerance
            is not a finite number, a spacing is not above 0, or the tolerance is below 0.
    """
    truth, prediction = _masks(truth, prediction)
    step = (1.0, 1.0) if spacing is None else spacing
    if len(step) != 2 or not all(math.isfinite(each) and each > 0 for each in step):
        raise ValueError(f"spacing must be two finite numbers above 0, not {spacing}")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be a finite number of 0 or more, not {tolerance}")
    pairs = list(zip(truth, prediction, strict=True))
    both, expected, predicted = ((mask != 0).sum(axis=(1, 2)) for mask in (truth & prediction, truth, prediction))
    surface = np.array([surface_scores(*pair, step, tolerance) for pair in pairs], np.float64).reshape(-1, 2)
    lesions = np.array([lesion_counts(*pair) for pair in pairs], np.int64).reshape(-1, 3)
    return CaseScores(
        tp=both,
        fp=predicted - both,
        fn=expected - both,
        tn=math.prod(truth.shape[1:]) - expected - predicted + both,
        hd95=surface[:, 0],
        nsd=surface[:, 1],
        lesion_tp=lesions[:, 0],
        lesion_fp=lesions[:, 1],
        lesion_fn=lesions[:, 2],
        positive=expected > 0,
    )


def _masks(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both masks as contiguous uint8."""
    if truth.shape != prediction.shape or truth.ndim != 3 or 0 in truth.shape[1:]:
        raise ValueError(f"truth {truth.shape} and prediction {prediction.shape} must both be [K, H, W] with pixels")
    for mask in (truth, prediction):
        if mask.dtype.kind not in "bui" or not ((mask == 0) | (mask == 1)).all():
            raise ValueError(f"masks must be bool or integers of 0 and 1, not {mask.dtype} with other values")
    return truth.astype(np.uint8, order="C"), prediction.astype(np.uint8, order="C")
