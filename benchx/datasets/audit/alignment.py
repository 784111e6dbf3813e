"""Are two pictures the same radiograph? Their fine structure is compared after one is laid over the other."""

from __future__ import annotations

import cv2
import numpy as np

SMOOTH = 2.0
"""Standard deviation of the blur that is taken away, thumbnail pixels: ribs and vessels stay, the chest goes."""

_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 1e-4)
_MARGIN = 4


def similarity(first: np.ndarray, second: np.ndarray, enough: float) -> float:
    """Correlate the fine structure of two pictures.

    Where they do not agree as they lie, the second is moved, scaled and sheared over the first (Evangelidis and
    Psarakis, ECC, PAMI 2008), which undoes a cropped or padded border.

    Args:
        first, second: grey ranks, float32 [64, 64].
        enough: no alignment is tried where the pictures agree this well without.

    Returns:
        -1 to 1; 0 where a picture has no structure.
    """
    if np.vdot(first, second) < 0:
        second = -second
    as_they_lie = _correlation(first, second)
    if as_they_lie >= enough:
        return as_they_lie
    start, everywhere = np.eye(2, 3, dtype=np.float32), np.ones(first.shape, np.uint8)
    try:
        _, move = cv2.findTransformECC(first, second, start, cv2.MOTION_AFFINE, _STOP, everywhere, 3)
    except cv2.error:  # It does not converge: the two have nothing in common.
        return as_they_lie
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(second, move, first.shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return max(as_they_lie, _correlation(first, moved))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    inner = slice(_MARGIN, -_MARGIN)
    x, y = ((picture - cv2.GaussianBlur(picture, (0, 0), SMOOTH))[inner, inner] for picture in (first, second))
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt(np.vdot(x, x) * np.vdot(y, y))
    return float(np.vdot(x, y) / scale) if scale > 1e-6 else 0.0
