"""HD95 and NSD against MONAI and against a plain search over all pairs of outline pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from benchx.metrics.segmentation.surface import surface_distances, surface_scores

pytestmark = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")

SPACINGS = [(1.0, 1.0), (0.14, 0.14), (0.3, 0.5), (2.0, 0.7)]
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
TOLERANCES = [0.0, 0.3, 2.0]


def empty(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width), np.uint8)


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = empty(*shape)
    mask[top : top + height, left : left + width] = 1
    return mask


def disc(shape: tuple[int, int], row: int, column: int, radius: int) -> np.ndarray:
    return cv2.circle(empty(*shape), (column, row), radius, 1, -1)


def blobs(seed: int, shape: tuple[int, int], sigma: float) -> np.ndarray:
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return (smooth > np.quantile(smooth, 0.7)).astype(np.uint8)


WIDE = (37, 61)
RING = disc(WIDE, 18, 30, 15) - disc(WIDE, 18, 30, 9)
PAIRS = {
    "the same": (disc(WIDE, 18, 30, 11), disc(WIDE, 18, 30, 11)),
    "shifted": (disc(WIDE, 18, 30, 11), disc(WIDE, 20, 33, 10)),
    "inside each other": (disc(WIDE, 18, 30, 17), disc(WIDE, 18, 30, 3)),
    "ring and its hole": (RING, disc(WIDE, 18, 30, 9)),
    "apart": (rectangle(WIDE, 0, 0, 4, 5), rectangle(WIDE, 30, 50, 7, 11)),
    "single pixels": (rectangle(WIDE, 3, 4, 1, 1), rectangle(WIDE, 33, 9, 1, 1)),
    "pixels in opposite corners": (rectangle(WIDE, 0, 0, 1, 1), rectangle(WIDE, 36, 60, 1, 1)),
    "pixel and whole image": (rectangle(WIDE, 18, 30, 1, 1), np.ones(WIDE, np.uint8)),
    "whole images": (np.ones(WIDE, np.uint8), np.ones(WIDE, np.uint8)),
    "lines across": (rectangle(WIDE, 5, 0, 1, 61), rectangle(WIDE, 0, 7, 37, 1)),
    "two lines": (rectangle(WIDE, 0, 0, 1, 61), rectangle(WIDE, 36, 0, 1, 61)),
    "diagonal lines": (np.eye(*WIDE, dtype=np.uint8), np.eye(*WIDE, 9, dtype=np.uint8)),
    "at the border": (rectangle(WIDE, 0, 0, 37, 9), rectangle(WIDE, 10, 0, 27, 12)),
    "one row": (rectangle((1, 40), 0, 3, 1, 9), rectangle((1, 40), 0, 20, 1, 13)),
    "one column": (rectangle((40, 1), 3, 0, 9, 1), rectangle((40, 1), 20, 0, 13, 1)),
    "one pixel is the image": (np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8)),
    "blobs": (blobs(0, WIDE, 3), blobs(1, WIDE, 3)),
    "noise": (blobs(2, WIDE, 0.1), blobs(3, WIDE, 0.1)),
    "noise and disc": (blobs(4, WIDE, 0.1), disc(WIDE, 18, 30, 8)),
    "chessboard": ((np.indices(WIDE).sum(axis=0) % 2).astype(np.uint8), RING),
}


def monai_hd95(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float]) -> float:
    from monai.metrics import compute_hausdorff_distance

    masks = (torch.from_numpy(mask)[None, None] for mask in (prediction, truth))
    return compute_hausdorff_distance(*masks, include_background=True, percentile=95, spacing=list(spacing)).item()


def monai_nsd(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float], tolerance: float) -> float:
    from monai.metrics import compute_surface_dice

    masks = (torch.from_numpy(mask)[None, None] for mask in (prediction, truth))
    return compute_surface_dice(*masks, [tolerance], include_background=True, spacing=list(spacing)).item()


def plain(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float], tolerance: float) -> list[float]:
    """Both scores from every pair of outline pixels, without a library's distance, erosion or percentile."""

    def outline(mask: np.ndarray) -> list[tuple[int, int]]:
        framed = np.pad(mask, 1)
        return [
            (row, column)
            for row, column in zip(*np.nonzero(mask), strict=True)
            if not (framed[row, column + 1] and framed[row + 2, column + 1] and framed[row + 1, column])
            or not framed[row + 1, column + 2]
        ]

    def directed(start: list[tuple[int, int]], end: list[tuple[int, int]]) -> list[float]:
        goal = np.array(end)
        return sorted(math.sqrt(((((goal - one) * spacing) ** 2).sum(axis=1)).min()) for one in np.array(start))

    def percentile(ordered: list[float]) -> float:
        place = 0.95 * (len(ordered) - 1)
        low = math.floor(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

    expected, predicted = outline(truth), outline(prediction)
    ways = [directed(predicted, expected), directed(expected, predicted)]
    within = sum(distance <= tolerance + 1e-6 for way in ways for distance in way)
    return [max(map(percentile, ways)), within / (len(expected) + len(predicted))]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", PAIRS)
def test_equals_monai_and_the_plain_search(name: str, spacing: tuple[float, float]) -> None:
    truth, prediction = PAIRS[name]
    expected = monai_hd95(truth, prediction, spacing)
    for tolerance in TOLERANCES:
        hd95, nsd = surface_scores(truth, prediction, spacing, tolerance)
        assert hd95 == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert nsd == pytest.approx(monai_nsd(truth, prediction, spacing, tolerance), abs=1e-7)
    assert [hd95, nsd] == pytest.approx(plain(truth, prediction, spacing, tolerance), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("spacing", [(0.14, 0.14), (0.3, 0.5)])
@pytest.mark.parametrize(("sigma", "shape"), [(12, (512, 512)), (4, (512, 300)), (1, (100, 512))])
def test_equals_monai_on_large_images(sigma: float, shape: tuple[int, int], spacing: tuple[float, float]) -> None:
    truth, prediction = blobs(5, shape, sigma), blobs(6, shape, sigma)
    hd95, nsd = surface_scores(truth, prediction, spacing, 2.0)
    assert hd95 == pytest.approx(monai_hd95(truth, prediction, spacing), rel=1e-6)
    assert nsd == pytest.approx(monai_nsd(truth, prediction, spacing, 2.0), abs=1e-7)


@pytest.mark.parametrize("shape", [(40, 6000), (6000, 40)])
@pytest.mark.parametrize("rate", [0.001, 0.3])
def test_distances_in_images_of_6000_pixels_are_exact(shape: tuple[int, int], rate: float) -> None:
    rng = np.random.default_rng(7)
    truth, prediction = ((rng.random(shape) < rate).astype(np.uint8) for _ in range(2))
    if rate < 0.01:
        truth[:, 300:], prediction[:, :-300] = 0, 0
        truth[0, 0] = prediction[-1, -1] = 1
    points = [np.argwhere(mask - cv2.erode(mask, CROSS, borderValue=0)) for mask in (truth, prediction)]
    expected = [KDTree(points[1 - way]).query(points[way])[0].astype(np.float32) for way in (1, 0)]
    for ours, theirs in zip(surface_distances(truth, prediction, (1.0, 1.0)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-7)


def test_distances_and_nsd_by_hand() -> None:
    # rows 0 and 3 of a 2-pixel wide image: every outline pixel is 3 rows from the other
    truth, prediction = rectangle((4, 2), 0, 0, 1, 2), rectangle((4, 2), 3, 0, 1, 2)
    assert surface_scores(truth, prediction, (1.0, 1.0), 2.9) == (3, 0)
    assert surface_scores(truth, prediction, (1.0, 1.0), 3.0) == (3, 1)
    assert surface_scores(truth, prediction, (0.5, 9.0), 1.5) == (1.5, 1)
    longer = rectangle((4, 40), 0, 0, 1, 40), rectangle((4, 40), 0, 0, 1, 30)
    assert surface_scores(*longer, (1.0, 1.0), 5.0) == (pytest.approx(0.95 * 39 - 29, abs=1e-5), 65 / 70)


@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.1, 0.7)])
def test_a_distance_of_exactly_the_tolerance_counts_whatever_its_rounding(spacing: tuple[float, float]) -> None:
    assert 3 * 0.1 > 0.3
    truth, prediction = rectangle((9, 9), 0, 0, 1, 9), rectangle((9, 9), 3, 0, 1, 9)
    assert surface_scores(truth, prediction, spacing, 0.3)[1] == 1
    assert surface_scores(truth, prediction, spacing, 0.29999)[1] == 0


@pytest.mark.parametrize("name", PAIRS)
def test_symmetric_transposable_and_blind_to_an_empty_margin(name: str) -> None:
    truth, prediction = PAIRS[name]
    ours = surface_scores(truth, prediction, (0.3, 0.5), 1.0)
    assert surface_scores(prediction, truth, (0.3, 0.5), 1.0) == ours
    turned = [np.ascontiguousarray(mask.T) for mask in (truth, prediction)]
    assert surface_scores(*turned, (0.5, 0.3), 1.0) == pytest.approx(ours, rel=1e-6)
    framed = [np.pad(mask, ((2, 40), (7, 1))) for mask in (truth, prediction)]
    assert surface_scores(*framed, (0.3, 0.5), 1.0) == pytest.approx(ours, rel=1e-6)


@pytest.mark.filterwarnings("ignore:the (ground truth|prediction) of class")
def test_empty_masks_are_scored_and_a_miss_is_worse_than_any_answer() -> None:
    nothing, one = empty(30, 40), rectangle((30, 40), 0, 0, 1, 1)
    assert surface_scores(nothing, nothing, (1.0, 1.0), 2.0) == (0, 1)
    for pair in ((nothing, one), (one, nothing)):
        assert surface_scores(*pair, (1.0, 1.0), 2.0) == (50, 0)
        assert surface_scores(*pair, (0.2, 0.1), 2.0) == (pytest.approx(math.hypot(6, 4)), 0)
        assert not math.isfinite(monai_hd95(*pair, (1.0, 1.0)))
        assert monai_nsd(*pair, (1.0, 1.0), 2.0) == 0
    worst = surface_scores(one, rectangle((30, 40), 29, 39, 1, 1), (1.0, 1.0), 2.0)[0]
    assert worst < 50
